"""Progress of a long work on stderr: its stages, and the time that is left.

What does the work reports here, whatever the version of scikit-learn; nothing is
written unless somebody asked for it with :func:`showing`.
"""

import shutil
import sys
import time
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass

__all__ = [
    "Progress",
    "Stage",
    "advance",
    "clear",
    "expect",
    "showing",
    "stage",
    "steps",
]

_BAR = 24
_FEWEST_COLUMNS = 20
# Of the work that is going on in this thread.
_SHOWN = ContextVar("progress", default=None)


@dataclass(frozen=True)
class Stage:
    """A stage that is to come.

    Attributes
    ----------
    name : str

    fits : float, default=0.0
        What it costs, in fits of the model.

    seconds : float, default=0.0
        What it costs beside that.

    has_steps : bool, default=False
        Whether it tells its steps before it does anything that takes long.
    """

    name: str
    fits: float = 0.0
    seconds: float = 0.0
    has_steps: bool = False


class Progress:
    """Tell the stages of a work, one after another.

    On a terminal they share one line, with a bar, which is cleared in the end;
    elsewhere each has a line of its own. What is left is estimated from the first
    fit of a model on, by the times of those that were not found in a memory.

    Parameters
    ----------
    stream : file or None, default=None
        None is stderr.

    clock : callable, default=time.monotonic
        Gives seconds.
    """

    def __init__(self, stream=None, clock=time.monotonic):
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._on_terminal = bool(getattr(self._stream, "isatty", lambda: False)())
        self._started = clock()
        self._coming = []
        self._now = None
        self._width = 0
        self._per_fit = None

    def expect(self, stages):
        """Know what is to come.

        Parameters
        ----------
        stages : list of Stage
            In their order.
        """
        self._coming = list(stages)

    def begin(self, name):
        """Begin a stage, and end the one before.

        Parameters
        ----------
        name : str
        """
        names = [stage.name for stage in self._coming]
        found = Stage(name)
        if name in names:
            place = names.index(name)
            found, self._coming = self._coming[place], self._coming[place + 1 :]
        self._now, self._is_told = found, False
        self._count(0, "")
        if self._on_terminal or not found.has_steps:
            self._show()

    def steps(self, n_steps, what):
        """Know the steps of the stage; it begins to count.

        Parameters
        ----------
        n_steps : int

        what : str
            What they are, in the plural.
        """
        if self._now is None:
            return
        self._count(n_steps, what)
        self._show()

    def _count(self, n_steps, what):
        self._n_steps, self._steps, self._done = n_steps, what, 0
        # When steps that took their time were done, and how many by then.
        self._made = [(self._clock(), 0)]

    def advance(self, n_steps=1, *, made=True):
        """Count steps of the stage.

        Parameters
        ----------
        n_steps : int, default=1

        made : bool, default=True
            Whether they took their time; else they were found in a memory.
        """
        if self._now is None:
            return
        self._done += n_steps
        if made:
            self._made.append((self._clock(), self._made[-1][1] + n_steps))
            if self._now.fits and self._n_steps:
                self._per_fit = self._a_step() * self._n_steps / self._now.fits
        elif len(self._made) == 1:
            self._made = [(self._clock(), 0)]
        self._show()

    def _a_step(self):
        """Seconds a step, without what workers took to start once there are some."""
        began, before = self._made[1 if len(self._made) > 3 else 0]
        ended, after = self._made[-1]
        return (ended - began) / (after - before)

    def close(self):
        """Clear the line of a terminal."""
        if self._on_terminal and self._width:
            self._write("\r" + " " * self._width + "\r")
        self._width, self._now = 0, None

    def seconds_left(self):
        """Estimate of what is left, None as long as no fit was seen."""
        stages = [self._now, *self._coming]
        if self._now is None or not self._coming:
            return None
        if self._per_fit is None and any(s.fits for s in stages):
            return None
        costs = [s.seconds + s.fits * (self._per_fit or 0.0) for s in stages]
        # Of the one that is going on, what its steps show.
        if len(self._made) > 1 and self._n_steps:
            costs[0] = self._a_step() * max(self._n_steps - self._done, 0)
        elif self._n_steps:
            costs[0] *= max(1 - self._done / self._n_steps, 0)
        return sum(costs)

    def _show(self):
        left = self.seconds_left()
        ending = "" if left is None else f", {left_told(left)}"
        if self._on_terminal:
            columns = max(shutil.get_terminal_size().columns - 1, _FEWEST_COLUMNS)
            line = f"{self._told(bar=True)}{ending}"[:columns]
            self._write("\r" + line.ljust(self._width))
            self._width = len(line)
        elif not self._is_told:
            self._is_told = True
            elapsed = int(self._clock() - self._started)
            clock = f"{elapsed // 60}:{elapsed % 60:02d}"
            self._write(f"{clock:>6}  {self._told()}{ending}\n")

    def _told(self, bar=False):
        name, n_steps = self._now.name, self._n_steps
        if not n_steps:
            return name
        if not bar:
            return f"{name}: {n_steps} {self._steps}"
        done = min(self._done, n_steps)
        filled = _BAR * done // n_steps
        drawn = "#" * filled + "." * (_BAR - filled)
        return f"{name} [{drawn}] {done}/{n_steps} {self._steps}"

    def _write(self, text):
        # A closed stream is no reason to lose the work.
        with suppress(OSError, ValueError, AttributeError):
            self._stream.write(text)
            self._stream.flush()


def left_told(seconds):
    """A time that is left, in words.

    Parameters
    ----------
    seconds : float

    Returns
    -------
    text : str
    """
    if seconds < 10:
        return "a few seconds left"
    if seconds < 95:
        return f"about {round(seconds, -1):.0f} seconds left"
    if seconds < 95 * 60:
        return f"about {seconds / 60:.0f} minutes left"
    return f"about {seconds / 3600:.1f} hours left"


@contextmanager
def showing(verbose):
    """Show on stderr the progress of the work that is done inside.

    Parameters
    ----------
    verbose : int
        0 shows nothing, but for a work that is a part of one that is shown.

    Yields
    ------
    progress : Progress or None
    """
    if not verbose or sys.stderr is None:
        yield _SHOWN.get()
        return
    progress = Progress()
    token = _SHOWN.set(progress)
    try:
        yield progress
    finally:
        _SHOWN.reset(token)
        progress.close()


def stage(name):
    """Begin a stage of the work that is shown; see :meth:`Progress.begin`."""
    if (progress := _SHOWN.get()) is not None:
        progress.begin(name)


def steps(n_steps, what):
    """Tell how many steps the stage has; see :meth:`Progress.steps`."""
    if (progress := _SHOWN.get()) is not None:
        progress.steps(n_steps, what)


def advance(n_steps=1, *, made=True):
    """Count steps of the stage that is shown; see :meth:`Progress.advance`."""
    if (progress := _SHOWN.get()) is not None:
        progress.advance(n_steps, made=made)


def clear():
    """Clear the line of a terminal, for other text; see :meth:`Progress.close`."""
    if (progress := _SHOWN.get()) is not None:
        progress.close()


def expect(stages):
    """Tell the work that is shown what is to come; see :meth:`Progress.expect`."""
    if (progress := _SHOWN.get()) is not None:
        progress.expect(stages)
