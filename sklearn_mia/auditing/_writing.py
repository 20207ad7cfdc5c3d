"""The one way out: files written whole or not at all, and text for a terminal."""

import csv
import os
import re
import secrets
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

STDOUT = "-"

_KINDS = (
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISDIR, "a folder"),
)
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")  # noqa: RUF001
_SIGNED_NUMBER = re.compile(r"[+-](\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def destination(text):
    """Where the command line is told to write: a path, or `STDOUT` for a dash."""
    return text if text == STDOUT else Path(text)


def is_parquet(path):
    """Tell whether records go to a file as Parquet."""
    return has_suffix(path, (".parquet", ".pq"))


def has_suffix(path, known):
    """Tell whether the name of a file ends in one of `known`, in any case."""
    return str(path).lower().endswith(tuple(known))


# Text


def say(text, stream=None):
    """Print text; what the stream cannot encode is escaped.

    Parameters
    ----------
    text : object

    stream : file or None, default=None
        None is stdout. A reader that has left, as ``head`` does, is no error.
    """
    stream = sys.stdout if stream is None else stream
    if stream is None:  # closed before Python began
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    text = f"{text}\n".encode(encoding, "backslashreplace").decode(encoding)
    with _reader_may_leave(stream):
        stream.write(text)
        stream.flush()


@contextmanager
def _reader_may_leave(stream):
    try:
        yield
    except OSError as error:
        # Else Python would try to write the rest at its end, and fail.
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        if not isinstance(error, BrokenPipeError):
            name = getattr(stream, "name", "stdout").strip("<>")
            raise _unwritten(name, error) from error


# Files


def check_outputs(outputs, inputs=()):
    """Raise an error now for what could not be written later, or must not be.

    Parameters
    ----------
    outputs : list of (str, destination or None)
        Name of the option, and what it was given.

    inputs : list of (str, path or None), default=()

    Raises
    ------
    OSError
        If a file cannot be written.

    ValueError
        If it is an input, or another output.
    """
    taken = [(name, os.path.realpath(path)) for name, path in inputs if path]
    for option, path in outputs:
        if path is None:
            continue
        place, status = _place(path)
        if status is not None and stat.S_ISCHR(status.st_mode):
            continue
        for name, other in taken:
            if place == other == STDOUT:
                raise ValueError(
                    f"{option} and {name} both go to stdout. Pass a file for one."
                )
            if place == other or _same_file(place, other):
                raise ValueError(
                    f"{option} {str(path)!r} is the file of {name}, which it would "
                    "overwrite. Pass another name."
                )
        taken.append((option, place))


def check_jinja2():
    """Return jinja2, or say how to install it."""
    try:
        import jinja2
    except ImportError:
        raise ImportError(
            "The HTML page needs jinja2. Install it with: "
            "pip install 'sklearn-mia[report]'"
        ) from None
    return jinja2


def is_file(path):
    """Tell whether a destination is a plain file, there or not."""
    place, status = _place(path)
    return place != STDOUT and (status is None or stat.S_ISREG(status.st_mode))


def goes_to_stdout(path):
    """Tell whether what is written to a destination ends on stdout."""
    return path is not None and _place(path)[0] == STDOUT


def _same_file(place, other):
    try:
        return os.path.samefile(place, other)
    except (OSError, ValueError):
        return False


def _place(path):
    """Where a destination leads, links followed, and what is there.

    Returns
    -------
    place : str
        `STDOUT`, also for ``/dev/stdout`` and its like, or a path.

    status : os.stat_result or None
        None for a new file.
    """
    if path == STDOUT and isinstance(path, str):
        return STDOUT, None
    shown = repr(str(path))
    try:
        status = os.stat(path)
    except FileNotFoundError:
        status = None
    except (OSError, ValueError) as error:
        raise _unwritten(shown, error) from None
    if status is not None:
        for is_kind, kind in _KINDS:
            if is_kind(status.st_mode):
                raise OSError(f"{shown} is {kind}; expected the name of a file.")
        if _is_stdout(status):
            return STDOUT, None
    place = os.path.realpath(path)
    if status is None or stat.S_ISREG(status.st_mode):
        folder = os.path.dirname(place)
        if not os.path.isdir(folder):
            raise OSError(f"The folder of {shown} does not exist.")
        if not os.access(folder, os.W_OK):
            raise OSError(f"The folder of {shown} cannot be written to.")
    if status is not None and not os.access(path, os.W_OK):
        raise OSError(f"{shown} cannot be written to.")
    return place, status


def _is_stdout(status):
    try:
        is_stdout = os.path.samestat(status, os.fstat(sys.stdout.fileno()))
        return is_stdout and not os.path.samestat(status, os.stat(os.devnull))
    except (AttributeError, OSError, ValueError):
        return False


def _unwritten(shown, error):
    reason = getattr(error, "strerror", None) or str(error)
    return OSError(f"{shown} could not be written: {reason}.")


def write_whole(path, text, *, private=False):
    """Write text to a file, or leave the file as it was.

    The text goes to a new file beside it, which then takes its name. The mode of a
    file that is there is kept. A link stays, the file that it names is replaced.
    Devices and pipes are written to as they are.

    Parameters
    ----------
    path : str or Path
        The text ``"-"`` is stdout.

    text : str or bytes

    private : bool, default=False
        Whether a new file is for its owner alone.

    Raises
    ------
    OSError
        Names the file.
    """
    data = text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")
    place, status = _place(path)
    try:
        if place == STDOUT:
            _to_stdout(data)
        elif is_file(path):
            _put_in_place(Path(place), status, data, private)
        else:
            _write_through(path, data)
    except OSError as error:
        if place == STDOUT:
            raise
        raise _unwritten(repr(str(path)), error) from error


def written(path, make, *, end="", private=False):
    """Write a text to a file, which is checked before the text is made, or return it.

    Parameters
    ----------
    path : str, Path or None
        None returns the text.

    make : callable
        Gives the text.

    end : str, default=""
        What a file has after it.

    private : bool, default=False
        Whether a new file is for its owner alone.

    Returns
    -------
    text : str or None
    """
    if path is None:
        return make()
    check_outputs([("path", path)])
    write_whole(path, make() + end, private=private)
    return None


def _write_through(path, data):
    def open_there(path, flags):
        return os.open(path, flags & ~os.O_CREAT)

    with suppress(BrokenPipeError), open(path, "wb", opener=open_there) as file:
        file.write(data)


def _to_stdout(data):
    stream = sys.stdout
    if stream is None:
        return
    with _reader_may_leave(stream):
        stream.flush()
        if hasattr(stream, "buffer"):
            stream.buffer.write(data)
        else:
            stream.write(data.decode("utf-8", "backslashreplace"))
        stream.flush()


def _put_in_place(path, status, data, private):
    mode = 0o600 if private or status is not None else 0o666
    # Short: the name of the file itself may be as long as names can be.
    partial = path.with_name(f".{secrets.token_hex(6)}.part")
    with open(partial, "xb", opener=lambda p, flags: os.open(p, flags, mode)) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            if status is not None:
                with suppress(AttributeError, OSError):  # of another owner
                    os.chown(partial, status.st_uid, status.st_gid)
                os.chmod(partial, stat.S_IMODE(status.st_mode))
            file.close()
            os.replace(partial, path)
        except BaseException:
            file.close()
            os.unlink(partial)
            raise


def run_all(steps):
    """Run every step, and raise what failed when all are done.

    Parameters
    ----------
    steps : list of (str, callable)
        What it makes, for the message, and how.

    Raises
    ------
    OSError
        If only writing failed.

    RuntimeError
        If something else failed.
    """
    failed = []
    for name, step in steps:
        try:
            step()
        except Exception as error:
            failed.append((name, error))
    if not failed:
        return
    told = [
        str(error)
        if isinstance(error, OSError)
        else f"{name} could not be made: {type(error).__name__}: {error}"
        for name, error in failed
    ]
    known = all(isinstance(error, OSError) for _, error in failed)
    raise (OSError if known else RuntimeError)(" ".join(told)) from failed[0][1]


# Records


def table_file(frame, path):
    """A table of single records or groups, as CSV or Parquet.

    In a CSV, text that a spreadsheet would take for a formula gets an apostrophe in
    front: what begins with ``=``, ``+``, ``-`` or ``@``, a tab or an end of line, and
    is not a number. Parquet keeps text as it is.

    Parameters
    ----------
    frame : DataFrame

    path : str or Path
        Parquet if it ends in ``.parquet`` or ``.pq``, else CSV.

    Returns
    -------
    data : str or bytes
    """
    if is_parquet(path):
        # Ids may be of several types.
        as_text = {"id": str} if "id" in frame else {}
        return frame.astype(as_text).to_parquet(index=False)
    told = {
        name: frame[name].map(_no_formula)
        for name in frame.columns
        if frame[name].dtype.kind not in "biuf"
    }
    # By itself the writer leaves a lone carriage return bare, which ends a row.
    returns = any("\r" in str(v) for column in told.values() for v in column)
    return (
        frame.assign(**told)
        .rename(columns=_no_formula)
        .to_csv(
            index=False, quoting=csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
        )
    )


def _no_formula(value):
    text = str(value)
    is_text = isinstance(value, str) or not hasattr(value, "__float__")
    if is_text and _FORMULA.match(text) and not _SIGNED_NUMBER.fullmatch(text):
        return f"'{text}"
    return value
