"""Worker processes that train shadows, and the time that one may take."""

import faulthandler
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from functools import cache, lru_cache
from numbers import Real
from pathlib import Path

from joblib import effective_n_jobs
from joblib.externals.loky.backend import resource_tracker
from joblib.externals.loky.backend.process import LokyProcess
from joblib.parallel import LokyBackend, get_active_backend
from threadpoolctl import ThreadpoolController

_LOOKS_AFTER = 1.0  # seconds


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


@cache
def end_with(parent):
    """End this worker soon after the process that started it is gone.

    joblib lets workers go on until their fit ends, and wait for another five minutes.
    A fit that never lets another thread run is not stopped before it ends.

    Parameters
    ----------
    parent : int
        Number of that process.
    """
    if not isinstance(multiprocessing.current_process(), LokyProcess):
        return

    def look():
        while os.getppid() == parent:
            time.sleep(_LOOKS_AFTER)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


@contextmanager
def temporary_folder():
    """Make a folder that is removed at the end, also if this process is killed.

    In that case joblib's resource tracker removes it, a process that outlives this
    one and its workers. If that is killed too, the folder stays.
    """
    with tempfile.TemporaryDirectory(prefix="sklearn_mia_") as folder:
        resource_tracker.register(folder, "folder")
        try:
            yield folder
        finally:
            resource_tracker.unregister(folder, "folder")


@contextmanager
def watch(timeout):
    """Where shadows leave marks while they are trained, and their time."""
    if timeout is None:
        yield None
        return
    with temporary_folder() as folder:
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


def single_threads(user_api=None):
    """Context in which native libraries work in one thread.

    Parameters
    ----------
    user_api : {"blas", "openmp"} or None, default=None
        Kind of libraries; None for all.

    Returns
    -------
    limit : context manager
    """
    return _native_libraries(len(sys.modules)).limit(limits=1, user_api=user_api)


@lru_cache(maxsize=1)
def _native_libraries(n_modules):
    # Libraries come with modules; to look for them takes longer than a small fit.
    return ThreadpoolController()
