"""Progress of the shadow models on a terminal."""

import sys

from sklearn_mia._compat import HAS_CALLBACKS

_BAR = 24


def progress_callbacks(label=""):
    """Callbacks that show on stderr how many shadow models are trained.

    Parameters
    ----------
    label : str, default=""
        Written before the count, where rich is not installed.

    Returns
    -------
    callbacks : list or None
        The `ProgressBar` of scikit-learn where rich is there, else a `ShadowCounter`;
        None where scikit-learn has no callbacks, before 1.9.
    """
    if not HAS_CALLBACKS:
        return None
    try:
        import rich
        from sklearn.callback import ProgressBar
    except ImportError:
        return [ShadowCounter(label)]
    # The report goes to stdout.
    rich.reconfigure(stderr=True)
    return [ProgressBar(max_propagation_depth=0)]


class ShadowCounter:
    """Count trained shadow models on stderr: a scikit-learn fit callback.

    Parameters
    ----------
    label : str, default=""
        Written before the count.

    stream : file or None, default=None
        None is stderr.
    """

    def __init__(self, label="", stream=None):
        self.label = label
        self.stream = sys.stderr if stream is None else stream
        self._name = ""
        self._done = self._total = 0

    def setup(self, estimator, context):
        """Start at none."""
        self._name = type(estimator).__name__
        self._done = self._total = 0

    def teardown(self, estimator, context):
        """Clear the line."""
        if self._total:
            self._write(" " * len(self._line()) + "\r")

    def on_fit_task_begin(self, estimator, context, **kwargs):
        """Read how many there will be."""
        if context.max_subtasks:
            self._total = context.max_subtasks
            self._write(self._line())

    def on_fit_task_end(self, estimator, context, **kwargs):
        """Count one more."""
        if context.task_name == "shadow":
            self._done += 1
            self._write(self._line())

    def _line(self):
        filled = _BAR * self._done // self._total
        bar = "#" * filled + "." * (_BAR - filled)
        count = f"{self._done}/{self._total}"
        return f"{self.label}{self._name} [{bar}] {count} shadow models"

    def _write(self, text):
        self.stream.write("\r" + text)
        self.stream.flush()
