"""Options that several commands have, each with one text."""

from sklearn_mia.auditing import _files, _writing
from sklearn_mia.auditing._options import folder, gibibytes, note, seconds, words

MODEL_FILES = ".skops, .joblib, .pkl or .pickle"


def add_column_options(command):
    """Add the options that name columns, and return their group."""
    group = command.add_argument_group("columns")
    group.add_argument("--id", metavar="COLUMN", help="names the records")
    group.add_argument(
        "--group",
        metavar="COLUMN",
        help="the person, or other group, of a record: the report is then about them, "
        "each with all records; no feature, unless the model was trained on it",
    )
    group.add_argument(
        "--group-name",
        type=words,
        metavar="WORD",
        help="what the report calls one of them: patient, or child/children",
    )
    group.add_argument(
        "--features",
        metavar="COLUMN",
        help="the one column that holds the records, each a text, for a model of "
        "documents; of Parquet also a list each, and of a .npz file the array of them, "
        "images say. An empty cell of a CSV is a gap, and gaps are refused. The other "
        "columns are no features",
    )
    group.add_argument(
        "--files",
        type=folder,
        metavar="FOLDER",
        help="the column of --features names a file of this folder for each record: an "
        "image (its pixels as the file has them, with Pillow), .npy, .wav or .txt",
    )
    group.add_argument(
        "--drop", action="append", default=[], metavar="COLUMN", help="leave out"
    )
    return group


def add_json_option(group):
    """Add the option for the report as JSON."""
    group.add_argument(
        "--json",
        type=_writing.destination,
        metavar="FILE",
        help="report as JSON; - is stdout, and the report then goes to stderr",
    )


def add_note_option(group):
    """Add the option for fields of the caller's own."""
    group.add_argument(
        "--note",
        type=note,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a field of your own in the report, such as project=heart; may be "
        "repeated",
    )


def add_cost_options(group, n_shadows=None):
    """Add the options on how long the attacks take, and where their work is kept."""
    default = "by --effort" if n_shadows is None else "%(default)s"
    group.add_argument(
        "--n-shadows",
        type=int,
        default=n_shadows,
        help=f"cost of the attacks, in fits of the model, even; default: {default}",
    )
    group.add_argument(
        "--memory",
        type=folder,
        metavar="FOLDER",
        help="keep each part of the work here as soon as it is done: the same command, "
        "after a stop, does what is missing. It tells who was in the training data",
    )
    group.add_argument(
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="stop if one shadow model takes longer; needs --n-jobs of 2 or more",
    )


def add_loading_options(command):
    """Add the options on how files are read."""
    group = command.add_argument_group("loading")
    group.add_argument(
        "--trust-pickle",
        action="store_true",
        help="load a .joblib, .pkl or .pickle file. A pickle, and a joblib file is "
        "one, runs whatever code its author put in it; a .skops file needs no such "
        "trust",
    )
    group.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="TYPE",
        help="a type that a .skops file may hold beside those of scikit-learn, NumPy "
        "and SciPy that run no code of others: its code may run. An error prints the "
        "options to add",
    )
    group.add_argument(
        "--na-values",
        action="append",
        default=[],
        metavar="TEXT",
        help="read this text as a missing value, as an empty cell is; NA and None are "
        "values of a text column otherwise",
    )
    group.add_argument("--separator", default=",", help="of a CSV; default: comma")
    group.add_argument(
        "--max-size",
        type=gibibytes,
        default=_files.MOST_BYTES,
        metavar="GIB",
        help="most that a file may hold once it is unpacked; default: 4",
    )
