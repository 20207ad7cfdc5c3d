"""Records that are no rows of numbers, from files: text, images, recordings."""

import sys
from pathlib import Path

import numpy as np
from sklearn.utils._optional_dependencies import check_pandas_support

from sklearn_mia.auditing._files import ARCHIVE, TooLarge, check_size, has_types
from sklearn_mia.auditing._typing import NUMBER
from sklearn_mia.auditing._unpacking import check_archive, check_array_file
from sklearn_mia.items import is_missing

# What `read_archive` tells of the arrays that are no column.
SEVERAL = "several values a record"
_IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
_FILES = (*_IMAGES, ".npy", ".wav", ".txt")
_PANDAS_NEEDED = "Reading tables (pip install 'sklearn-mia[report]')"
# Of a pixel, in the modes that are taken as they are.
_BYTES = {"L": 1, "RGB": 3, "RGBA": 4, "I;16": 2, "I": 4, "F": 4}


def in_one_kind(items):
    """Items of both sides, as lists if they are arrays of different shapes."""
    kinds = {(type(X), getattr(X, "shape", ())[1:]) for X in items}
    return tuple(items if len(kinds) == 1 else [list(X) for X in items])


def read_archive(path, max_bytes):
    """Read a .npz file of arrays with one row a record.

    Parameters
    ----------
    path : Path

    max_bytes : int
        Most that it may hold once it is unpacked.

    Returns
    -------
    frame : DataFrame
        A column for each array, of one with more dimensions its row numbers; the
        shapes of a record of these are in ``frame.attrs[SEVERAL]``.
    """
    pd = check_pandas_support(_PANDAS_NEEDED)
    if not path.is_file():
        raise OSError(f"There is no file {str(path)!r}.")
    check_size(path, path.stat().st_size, max_bytes)
    try:
        with np.load(path, allow_pickle=False) as archive:
            check_archive(path, archive.zip, max_bytes)
            arrays = {name: _sound(archive[name]) for name in archive.files}
    except TooLarge:
        raise
    except Exception as error:
        raise _damaged(path, "an archive of arrays", error) from None
    sizes = [str(len(a)) if a.ndim else "no" for a in arrays.values()] or ["no"]
    if len(set(sizes)) > 1 or "no" in sizes:
        raise ValueError(
            f"{path} holds arrays of {', '.join(sizes)} rows; expected in each one row "
            "a record."
        )
    columns = {
        name: a if a.ndim == 1 else np.arange(len(a)) for name, a in arrays.items()
    }
    frame = pd.DataFrame(columns)
    shapes = {name: a.shape[1:] for name, a in arrays.items() if a.ndim > 1}
    frame.attrs[SEVERAL] = shapes
    return frame


def _sound(array):
    """An array as it is, unless it is none, or holds text that no letters stand for."""
    if not isinstance(array, np.ndarray):
        raise TypeError("an entry that is no array")
    if array.dtype.kind == "U":
        codes = np.ascontiguousarray(array).view(array.dtype.str[0] + "u4")
        halves = (codes >= 0xD800) & (codes < 0xE000)
        if (halves | (codes > sys.maxunicode)).any():
            raise ValueError("text that is no Unicode")
    return array


def _damaged(path, kind, error):
    """One error for whatever a reader of a damaged file raises, without its text."""
    return ValueError(
        f"{str(path)!r} could not be read as {kind} ({type(error).__name__}): it is "
        "damaged, or something else."
    )


def items_of(frame, path, arguments):
    """What the column of --features holds, as the model takes it.

    Parameters
    ----------
    frame : DataFrame
        As `read_named` gives it.

    path : Path

    arguments : Namespace

    Returns
    -------
    items : Series, ndarray or list
        A series of text; of files one array if all are of one shape, else a list.
    """
    name, folder = arguments.features, arguments.files
    if path.suffix.lower() == ARCHIVE:
        with np.load(path, allow_pickle=False) as archive:
            array = archive[name]
        if array.ndim > 1:
            return array
    column = frame[name]
    cells = column.tolist()
    # In a CSV nothing else can stand for a gap; of Parquet "" is an empty text.
    blank = set(arguments.na_values) if has_types(path) else {"", *arguments.na_values}
    gaps = [is_missing(v) or (isinstance(v, str) and v.strip() in blank) for v in cells]
    if any(gaps):
        raise ValueError(
            f"{path} has no value in the column {name!r} (--features) for "
            f"{gaps.count(True)} of {len(gaps)} records (the first is record "
            f"{gaps.index(True) + 1}); expected a text or a file for each. Fill them "
            "in or leave the records out."
        )
    if folder is None and all(isinstance(v, (list, dict, np.ndarray)) for v in cells):
        return cells
    is_text = all(isinstance(v, str) for v in cells)
    if is_text and folder is None and not has_types(path):
        is_text = not all(NUMBER.fullmatch(v.strip()) for v in cells)
    if not is_text:
        raise ValueError(
            f"The column {name!r} of {path} (--features) holds no text; expected a "
            "text or a list a record, or the name of its file. Leave --features out "
            "for a table of numbers."
        )
    if folder is not None:
        return _of_files(cells, Path(folder), path, arguments.max_size)
    if all(v.strip().lower().endswith(_FILES) for v in cells):
        raise ValueError(
            f"The column {name!r} of {path} (--features) holds names of files; pass "
            "--files FOLDER, the folder that has them."
        )
    return column.reset_index(drop=True)


def _of_files(names, folder, path, max_bytes):
    if not folder.is_dir():
        raise OSError(f"--files {str(folder)!r} is no folder.")
    root = folder.resolve()
    files = [_file_in(root, name) for name in names]
    for number, file in enumerate(files, start=1):
        if file is not None and not file.is_relative_to(root):
            raise ValueError(
                f"Record {number} of {path} names a file outside of --files "
                f"{str(folder)!r}; expected names relative to it."
            )
        if file is None or not file.is_file():
            n_absent = sum(f is None or not f.is_file() for f in files)
            raise OSError(
                f"{n_absent} of {len(files)} records of {path} name a file that "
                f"--files {str(folder)!r} does not have (the first is record {number})."
            )
    n_bytes, items = 0, []
    for number, file in enumerate(files, start=1):
        where = f"The file of record {number} of {path}"
        item = _read_item(file, where, max_bytes - n_bytes)
        n_bytes += item.nbytes if isinstance(item, np.ndarray) else len(item)
        check_size(path, n_bytes, max_bytes)
        items.append(item)
    if all(isinstance(item, str) for item in items):
        return check_pandas_support(_PANDAS_NEEDED).Series(items)
    shapes = {getattr(item, "shape", None) for item in items}
    return np.stack(items) if len(shapes) == 1 and shapes != {()} else items


def _file_in(root, name):
    """The file of a name, or None for a text that is too long for one, say."""
    try:
        file = (root / name).resolve()
        file.is_file()
    except (OSError, ValueError):  # the message would quote the text
        return None
    return file


def _read_item(file, where, max_bytes):
    check_size(where, file.stat().st_size, max_bytes)
    kind = file.suffix.lower()
    if kind == ".txt":
        read, what = _read_text, "UTF-8 text"
    elif kind == ".npy":
        read, what = _read_array, "an array"
    elif kind == ".wav":
        read, what = _read_recording, "a recording"
    elif kind in _IMAGES:
        read, what = _image_reader(), "an image"
    else:
        raise ValueError(
            f"{where} ends in {file.suffix!r}; expected an image "
            f"({', '.join(_IMAGES)}), .npy, .wav or .txt."
        )
    try:
        return read(file, where, max_bytes)
    except TooLarge:
        raise
    except Exception as error:
        raise ValueError(
            f"{where} could not be read as {what} ({type(error).__name__}): it is "
            "damaged, or something else."
        ) from None


def _read_text(file, where, max_bytes):
    return file.read_text(encoding="utf-8")


def _read_array(file, where, max_bytes):
    check_array_file(file, max_bytes)
    return np.load(file, allow_pickle=False)


def _read_recording(file, where, max_bytes):
    from scipy.io import wavfile

    return wavfile.read(file)[1]


def _image_reader():
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            "Images need Pillow. Install it with: pip install pillow. Or save them "
            "as .npy arrays."
        ) from None

    def read(file, where, max_bytes):
        with Image.open(file) as image:
            pixel = _BYTES.get(image.mode, _BYTES["RGB"])
            check_size(where, pixel * image.width * image.height, max_bytes)
            plain = image if image.mode in _BYTES else image.convert("RGB")
            return np.asarray(plain)

    return read
