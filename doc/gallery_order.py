"""The order of the gallery: from one's first audit to what fewer people need."""

from pathlib import Path

ORDER = (
    "verdict",
    "file",
    "persons",
    "search",
    "changes",
    "text",
    "images",
    "recordings",
    "regression",
    "service",
)


class ReadingOrder:
    """Sort key of an example by the name of its file, which `ORDER` has to have."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, name):
        """Return the place of an example."""
        return ORDER.index(Path(name).stem.removeprefix("plot_"))
