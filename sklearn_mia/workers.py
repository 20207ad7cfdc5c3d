"""Worker processes that train shadows, and the time that one may take."""

import faulthandler
import os
import tempfile
from contextlib import contextmanager
from numbers import Real
from pathlib import Path

from joblib import effective_n_jobs
from joblib.parallel import LokyBackend, get_active_backend


def check_timeout(timeout, n_jobs):
    """Raise ValueError for a time limit that could not be kept.

    Parameters
    ----------
    timeout : float or None
        Seconds for one shadow.

    n_jobs : int or None
        Shadows trained at a time.
    """
    if timeout is None:
        return
    if not isinstance(timeout, Real) or isinstance(timeout, bool) or not timeout > 0:
        raise ValueError(
            f"timeout={timeout!r} is not a time limit; expected seconds above 0, or "
            "None for no limit."
        )
    processes = isinstance(get_active_backend()[0], LokyBackend)
    if not processes or effective_n_jobs(n_jobs) < 2:
        raise ValueError(
            f"timeout={timeout!r}, but with n_jobs={n_jobs!r} shadows are trained in "
            "this process or in threads, where a fit cannot be stopped. Pass n_jobs=2 "
            "or more, with the worker processes of joblib (backend 'loky'), or "
            "timeout=None."
        )


@contextmanager
def watch(timeout):
    """Where shadows leave marks while they are trained, and their time."""
    if timeout is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="sklearn_mia_") as folder:
        yield folder, timeout


@contextmanager
def watched(shadow, place):
    """End this worker if the shadow takes longer than its time; leave a mark then."""
    if place is None:
        yield
        return
    folder, timeout = place
    mark = Path(folder, str(shadow))
    mark.touch()
    with open(os.devnull, "w") as nowhere:
        # A thread without Python: it ends a fit that holds the interpreter, too.
        faulthandler.dump_traceback_later(timeout, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            mark.unlink()
