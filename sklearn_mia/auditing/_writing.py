"""Results written whole, or not at all."""

import os
import tempfile
from pathlib import Path


def write_whole(path, text):
    """Write text to a file, or leave the file as it was.

    The text goes to a new file beside it, which then takes its name.

    Parameters
    ----------
    path : str or Path

    text : str or bytes
    """
    path = Path(path)
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(partial, _usual_mode())
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise


def _usual_mode():
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def write_all(files):
    """Write several files, all rendered before the first is written.

    Parameters
    ----------
    files : list of (Path, str or bytes)
    """
    for path, data in files:
        write_whole(path, data)


def check_writable(path):
    """Raise OSError now if a file could not be written later."""
    path = Path(path)
    if path.is_dir():
        raise OSError(f"{str(path)!r} is a folder; expected the name of a file.")
    if not path.parent.is_dir():
        raise OSError(f"The folder of {str(path)!r} does not exist.")
    if not os.access(path.parent, os.W_OK):
        raise OSError(f"The folder of {str(path)!r} cannot be written to.")
