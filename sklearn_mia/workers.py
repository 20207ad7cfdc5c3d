"""Worker processes that train shadows, and the time that one may take."""

import faulthandler
import multiprocessing
import os
import pickle
import socket
import sys
import tempfile
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache, lru_cache
from numbers import Real
from pathlib import Path

from joblib import effective_n_jobs, parallel_config
from joblib._parallel_backends import MultiprocessingBackend, SequentialBackend
from joblib.externals.loky.backend import resource_tracker
from joblib.externals.loky.backend.process import LokyProcess
from joblib.externals.loky.backend.reduction import dumps
from joblib.parallel import LokyBackend, ThreadingBackend, get_active_backend
from sklearn.utils.parallel import Parallel
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
    backend = get_active_backend()[0]
    if not share_files(backend):
        raise ValueError(
            f"timeout={timeout!r}, but the workers of {type(backend).__name__} may be "
            "on other machines, where they cannot be stopped from here. Pass "
            "timeout=None, or use the worker processes of joblib (backend 'loky')."
        )
    processes = isinstance(backend, (LokyBackend, MultiprocessingBackend))
    if not processes or effective_n_jobs(n_jobs) < 2:
        raise ValueError(
            f"timeout={timeout!r}, but with n_jobs={n_jobs!r} shadows are trained in "
            "this process or in threads, where a fit cannot be stopped. Pass n_jobs=2 "
            "or more, with the worker processes of joblib (backend 'loky'), or "
            "timeout=None."
        )


def jobs_for(n_jobs, n_tasks):
    """A number of jobs, and no more than there are tasks.

    Joblib starts all workers that it is told to, and refuses very many.

    Parameters
    ----------
    n_jobs : int or None

    n_tasks : int

    Returns
    -------
    n_jobs : int or None
    """
    return n_jobs if n_jobs is None or n_jobs < 0 else min(n_jobs, n_tasks)


def share_files(backend):
    """Tell whether all workers are processes or threads of this machine.

    Parameters
    ----------
    backend : object
        Of joblib, or registered with it, as those of Dask, Ray and Spark.
    """
    local = MultiprocessingBackend, LokyBackend, ThreadingBackend, SequentialBackend
    # That of Ray is derived from one of them.
    return type(backend) in local


def this_process():
    """Machine and number of this process."""
    return socket.gethostname(), os.getpid()


def packed(task, home, *args):
    """What a task gives, as bytes if another process than that at home made it.

    What cannot be sent is then an error of the task, by every backend: Dask would wait
    for it for ever.

    Parameters
    ----------
    task : callable

    home : tuple
        From `this_process`.

    *args : object
        Of the task.

    Returns
    -------
    result : object or bytes
        For `unpacked`.
    """
    result = task(*args)
    return result if this_process() == home else bytes(dumps(result))


def unpacked(results):
    """What tasks of `packed` gave; closing this closes the results, too."""
    try:
        for result in results:
            yield pickle.loads(result) if isinstance(result, bytes) else result
    finally:
        if hasattr(results, "close"):
            results.close()


def parallel(**options):
    """A Parallel that ends also if a worker is killed.

    The backend "multiprocessing" of joblib would wait for its result for ever; "loky",
    which notices, stands for it.

    Parameters
    ----------
    **options : dict
        Of `Parallel`.

    Returns
    -------
    parallel : Parallel
    """
    if type(get_active_backend()[0]) is MultiprocessingBackend:
        n_jobs = effective_n_jobs(options.get("n_jobs"))
        options = options | {"backend": "loky", "n_jobs": n_jobs}
    return Parallel(**options)


def sending_once(work, **options):
    """A Parallel that sends something large once to a worker, not with each task.

    Backends of joblib map arrays into memory, or send what they get. Dask has a way to
    keep it in all workers, from where it comes also if one of them is lost, and Ray a
    store of each machine. What a backend cannot hand out piece by piece, as that of
    Ray, comes at the end.

    Parameters
    ----------
    work : object
        An argument of every task.

    **options : dict
        Of `Parallel`.

    Returns
    -------
    parallel : Parallel

    sent : object
        What tasks are given for the work.
    """
    backend, n_jobs = get_active_backend()
    if not backend.supports_return_generator:
        options = options | {"return_as": "list"}
    if type(backend).__name__ == "RayBackend":
        return Parallel(**options), _InStoreOfRay(work)
    if type(backend).__name__ != "DaskDistributedBackend":
        return parallel(**options), work
    own = {"client": backend.client, "n_jobs": n_jobs, **backend.submit_kwargs}
    with parallel_config(backend="dask", scatter=[work], **own):
        return Parallel(**options), work


class _InStoreOfRay:
    """Stands for an object in the store of Ray, and is unpacked as that."""

    def __init__(self, held):
        import ray

        self._get, self._held = ray.get, ray.put(held)

    def __reduce__(self):
        return self._get, (self._held,)


def is_lost(error):
    """Tell whether an error says that a worker is gone, in the words of any backend."""
    of_dask = {"KilledWorker", "FutureCancelledError"}  # and with what it was sent
    of_ray = {"WorkerCrashedError", "RayActorError", "ActorDiedError"}
    name = type(error).__name__
    return isinstance(error, BrokenProcessPool) or name in of_dask | of_ray


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


def why_lost(place, running):
    """What to say when a worker process is gone.

    Parameters
    ----------
    place : tuple of str and float or None
        From :func:`watch`.

    running : collection of int
        Shadows that were begun, where no mark tells it.

    Returns
    -------
    text : str
        Names the shadows, and what to do.
    """
    late = []
    if place is not None:
        now = time.time()
        marks = {int(m.name): m.stat().st_mtime for m in Path(place[0]).iterdir()}
        late = {s for s, since in marks.items() if now - since >= place[1]}
        running = set(marks) or running
    if late:
        return (
            f"Shadow {listed(late)} took longer than timeout={place[1]!r} seconds and "
            "was stopped with all workers. Pass a longer timeout, or a recipe that "
            "ends by itself. With memory= the shadows trained so far are found again."
        )
    return (
        "A worker process was killed from outside while it trained shadow "
        f"{' or '.join(map(str, sorted(running)))}. Most often the memory of the "
        "machine is full: pass a smaller n_jobs. With memory= the shadows trained so "
        "far are found again."
    )


def listed(numbers):
    """Numbers in their order, as text."""
    return ", ".join(map(str, sorted(numbers)))


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


class _SingleThreads:
    """Hold native libraries to one thread while any thread of this worker works."""

    def __init__(self):
        self._lock, self._n_inside, self._limit = threading.Lock(), 0, None

    def __enter__(self):
        with self._lock:
            if self._n_inside == 0:
                self._limit = single_threads()
                self._limit.__enter__()
            self._n_inside += 1

    def __exit__(self, *error):
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._limit.__exit__(*error)


# The limit is one of the process, and a worker of Dask may have several threads.
IN_WORKER = _SingleThreads()


@lru_cache(maxsize=1)
def _native_libraries(n_modules):
    # Libraries come with modules; to look for them takes longer than a small fit.
    return ThreadpoolController()
