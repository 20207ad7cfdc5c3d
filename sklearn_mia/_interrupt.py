"""Signals that end the command line."""

import signal
from contextlib import contextmanager

_NAMES = ("SIGTERM", "SIGHUP")


class Stopped(KeyboardInterrupt):
    """A signal that ends the program as an interrupt does.

    Parameters
    ----------
    number : int
        Of the signal.
    """

    def __init__(self, number):
        super().__init__()
        self.number = number


@contextmanager
def stopped_by_signals():
    """End workers and remove temporary files on SIGTERM and SIGHUP, as on Ctrl-C.

    A signal that is handled or ignored already stays so; outside the main thread
    nothing changes.
    """

    def stop(number, frame):
        signal.signal(number, signal.SIG_IGN)  # one is enough
        raise Stopped(number)

    before = {}
    try:
        for number in (getattr(signal, n) for n in _NAMES if hasattr(signal, n)):
            if signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, stop)
    except ValueError:  # not in the main thread
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
