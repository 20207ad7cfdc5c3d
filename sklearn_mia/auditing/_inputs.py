"""From the files and options of the command line to the sides of an audit."""

import gzip
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from sklearn.utils._optional_dependencies import check_pandas_support

from sklearn_mia._choices import SLICINGS
from sklearn_mia.auditing import _reading, _typing
from sklearn_mia.auditing._as_trained import typed_as_trained
from sklearn_mia.auditing._files import ARCHIVE, has_types
from sklearn_mia.auditing._item_files import (
    SEVERAL,
    in_one_kind,
    items_of,
    read_archive,
)
from sklearn_mia.auditing._known import known_columns
from sklearn_mia.auditing._labels import typed_labels
from sklearn_mia.auditing._writing import is_parquet
from sklearn_mia.models import n_trained_columns, trained_names


@dataclass(repr=False)
class Inputs:
    """Both sides of an audit, the members first, or one table.

    A pickle of it holds them.

    Attributes
    ----------
    features, labels, groups, ids : tuple
        One part a table.

    reordered : bool
        Whether the columns had another order than the model.

    remarks : list of str
        How cells were read that could have been read otherwise.

    aside : dict
        Columns that are no features, of all tables together, by name.
    """

    features: tuple
    labels: tuple
    groups: tuple
    ids: tuple
    reordered: bool
    remarks: list = field(default_factory=list)
    aside: dict = field(default_factory=dict)


# Tables


def read_named(path, arguments, options):
    """Read a table that has all columns that the options name.

    Columns of the index of a Parquet file count, if an option names them.

    Parameters
    ----------
    path : Path

    arguments : Namespace

    options : iterable of str

    Returns
    -------
    frame : DataFrame
    """
    if Path(path).suffix.lower() == ARCHIVE:
        frame = read_archive(path, arguments.max_size)
    else:
        _check_separator(path, arguments.separator)
        frame = _reading.read_table(
            path, separator=arguments.separator, max_bytes=arguments.max_size
        )
    index = [n for n in frame.index.names if n is not None and n not in frame.columns]
    named = [(option, name) for option in options for name in _names(arguments, option)]
    for option, name in named:
        if name not in frame.columns and name not in index:
            known = [*frame.columns, *index]
            raise ValueError(
                f"--{option} names the column {name!r}, which {path} does not "
                f"have. It has {', '.join(map(repr, known))}."
            )
    _check_columns(frame, named, path, options)
    wanted = [level for level in index if level in {name for _, name in named}]
    return frame.reset_index(level=wanted) if wanted else frame


def _check_columns(frame, named, path, options):
    """Raise ValueError for an array of an archive that is taken for a column."""
    several = frame.attrs.get(SEVERAL, {})
    kept = {name: option for option, name in named}
    for name, shape in several.items():
        option = kept.get(name)
        if option in ("features", "drop"):
            continue
        held = f"the array {name!r} of {path}, which has the shape {shape} a record"
        if option is not None:
            raise ValueError(f"--{option} names {held}; expected one value each.")
        if "features" in options and "features" not in kept.values():
            raise ValueError(
                f"The model would be asked about {held}. If that is what it takes, "
                f"pass --features {name}; else leave it out with --drop {name}."
            )


def _names(arguments, option):
    value = getattr(arguments, option)
    names = value if isinstance(value, list) else [value]
    no_columns = slicings_of(arguments) if option == "slice" else ()
    return [name for name in names if name is not None and name not in no_columns]


def slicings_of(arguments):
    """What --slice names that is no column."""
    of_values = getattr(arguments, "predicted", None) is not None
    return (*SLICINGS, "value") if of_values else SLICINGS


def _check_separator(path, separator):
    """Raise ValueError for a CSV whose columns are separated by something else."""
    path = Path(path)
    if has_types(path) or path.suffix.lower() == ".tsv" or not path.is_file():
        return
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8", errors="replace") as file:
            header = file.readline(100_000)
    except (OSError, EOFError, zlib.error):
        return  # told when the table is read
    other = next((s for s in (";", "\t", "|", ",") if s in header), None)
    if separator not in header and other is not None:
        shown = "$'\\t'" if other == "\t" else f"'{other}'"
        raise ValueError(
            f"{path} has no {separator!r} in its first line, but {other!r}: pass "
            f"--separator {shown}."
        )


def untyped(frame, name, path):
    """A column as the file has it, to name records or groups: never as floats.

    Parameters
    ----------
    frame : DataFrame

    name : str or None

    path : Path

    Returns
    -------
    values : list or None
        Text of a CSV, values of a Parquet file, "" for gaps.
    """
    if name is None:
        return None
    column = frame[name]
    if is_parquet(path) and column.dtype.kind == "f":
        # A gap made floats of integers.
        pd = check_pandas_support(_typing.PANDAS_NEEDED)
        exact = pd.read_parquet(path, columns=[name], dtype_backend="numpy_nullable")
        column = exact.reset_index()[name]
    gaps = column.isna().to_numpy()
    return ["" if gap else v for v, gap in zip(column.tolist(), gaps, strict=True)]


def keys_of_groups(frame, name, path):
    """The key of the group of each record, as the file has it.

    Raises
    ------
    ValueError
        If a record has none.
    """
    keys = untyped(frame, name, path)
    n_missing = 0 if keys is None else sum(key == "" for key in keys)
    if n_missing:
        raise ValueError(
            f"{path} has no value in the column {name!r} (--group) for {n_missing} of "
            f"{len(keys)} records; expected one for each. Give a record that belongs "
            "to no one else a key of its own, or leave it out."
        )
    return keys


# Sides


def read_sides(paths, arguments, model, classes, fitted_with=None):
    """Read members and non-members, or one table, as the model takes them.

    Parameters
    ----------
    paths : tuple of Path

    arguments : Namespace

    model : fitted classifier

    classes : ndarray of shape (n_classes,)

    fitted_with : str or None, default=None
        The version of scikit-learn that saved the model, if it is another.

    Returns
    -------
    inputs : Inputs

    Raises
    ------
    ValueError
        That names the file, the column and what to do.
    """
    options = ("label", "id", "group", "drop", "features")
    frames = [read_named(path, arguments, options) for path in paths]
    for frame, path in zip(frames, paths, strict=True):
        if len(frame) == 0:
            raise ValueError(f"{path} has columns, but no records.")
    labels = tuple(
        typed_labels(
            frame[arguments.label],
            classes,
            na_values=arguments.na_values,
            table=str(path),
        )
        for frame, path in zip(frames, paths, strict=True)
    )
    ids = tuple(untyped(f, arguments.id, p) for f, p in zip(frames, paths, strict=True))
    groups = tuple(
        keys_of_groups(f, arguments.group, p)
        for f, p in zip(frames, paths, strict=True)
    )
    aside = {
        name: [value for frame in frames for value in frame[name].tolist()]
        for name in dict.fromkeys([*arguments.drop, arguments.id])
        if name is not None
    }
    if arguments.features is not None:
        items = [items_of(f, p, arguments) for f, p in zip(frames, paths, strict=True)]
        _check_slices(arguments.slice, (), classes)
        return Inputs(in_one_kind(items), labels, groups, ids, False, aside=aside)
    names = trained_names(model)
    # An id or a group is no feature, unless the model was trained on it.
    others = {arguments.id, arguments.group} - {None} - set(names or ())
    left_out = dict.fromkeys(others, "")
    left_out |= dict.fromkeys(arguments.drop, "--drop") | {arguments.label: "--label"}
    matched = [
        _matched(model, names, frame.drop(columns=list(left_out)), path, left_out)
        for frame, path in zip(frames, paths, strict=True)
    ]
    sides = [
        _typing.Side(features, str(path), not has_types(path))
        for (features, _), path in zip(matched, paths, strict=True)
    ]
    _check_slices(arguments.slice, sides[0].frame.columns, classes)
    if names is None:
        _same_number(sides)
    known = known_columns(model, list(sides[0].frame.columns))
    columns = _typing.read_columns(sides, known, arguments.na_values)
    features = typed_as_trained(
        model, columns, sides, names is None, fitted_with, labels[0]
    )
    return Inputs(
        features=features,
        labels=labels,
        groups=groups,
        ids=ids,
        reordered=any(reordered for _, reordered in matched),
        remarks=[remark for column in columns.values() for remark in column.remarks],
        aside=aside,
    )


def _check_slices(slices, columns, classes):
    words = [w for w in SLICINGS if w != ("length" if len(columns) else "rarity")]
    if classes is None:
        words[words.index("class")] = "value"
    for name in slices:
        if name not in words and name not in columns:
            known = ", ".join([*words, *map(repr, columns)])
            raise ValueError(
                f"--slice names {name!r}, which is no feature of the model; expected "
                f"one of {known}."
            )


def _matched(model, names, features, path, left_out):
    """The features in the order of the model, and whether that was another."""
    if names is None:
        n_columns, n_trained = features.shape[1], n_trained_columns(model)
        if n_trained not in (None, n_columns):
            advice = "Leave columns out with --drop."
            if n_columns < n_trained:
                drops = "--drop" in left_out.values()
                advice = f"Put in what is missing{', or leave away --drop' * drops}."
            raise ValueError(
                f"{path} has {n_columns} feature columns, but the model was "
                f"trained on {n_trained}: {', '.join(map(repr, features.columns))}. "
                f"{advice}"
            )
        return features, False
    # LightGBM remembers the spaces of a name as underscores.
    renamed = {re.sub(r"\s", "_", str(c)): c for c in features.columns}
    names = [c if c in features.columns else renamed.get(c, c) for c in names]
    missing = [c for c in names if c not in features.columns]
    extra = [c for c in features.columns if c not in set(names)]
    found = []
    if missing:
        taken = {c: left_out[c] for c in missing if left_out.get(c)}
        advice = [
            f"leave away --drop {c}"
            if option == "--drop"
            else f"name another column with {option} than {c!r}"
            for c, option in taken.items()
        ]
        if len(taken) < len(missing):
            others = "the others" if taken else "them"
            advice.append(f"put {others} into the table as in training")
        found.append(
            f"lacks columns that the model was trained on: "
            f"{', '.join(map(repr, missing))} ({', '.join(advice)})"
        )
    if extra:
        found.append(
            "has columns that the model was not trained on: "
            f"{', '.join(map(repr, extra))} (leave each out with --drop, or name the "
            "one that identifies a record with --id, or its person with --group)"
        )
    if found:
        raise ValueError(f"{path} {' and '.join(found)}.")
    return features[names], names != list(features.columns)


def _same_number(sides):
    """Raise ValueError unless both tables have the same columns."""
    first, last = (list(sides[number].frame.columns) for number in (0, -1))
    if first != last:
        raise ValueError(
            f"{sides[0].path} and {sides[-1].path} have different columns, and the "
            f"model knows no names to match them by: {first!r} and {last!r}."
        )
