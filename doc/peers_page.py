"""The page that compares peers, written from what the benchmarks found."""


def write(path):
    """Write the page."""
    path.write_text(":orphan:\n\nPeers\n=====\n", "utf-8")
