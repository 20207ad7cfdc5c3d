"""One audit from files by the command line, and the same in memory."""

import json
import warnings

import joblib
import numpy as np

from sklearn_mia import audit
from sklearn_mia.__main__ import _parser, main
from sklearn_mia.auditing._case import make_case
from sklearn_mia.auditing._inputs import read_sides

N = 80  # records of a side


def parts(table):
    return table[:N], table[N : 2 * N]


def in_memory(model, X, y, **options):
    """Figures of every attack."""
    members, others = zip(*map(parts, (X, y)), strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = audit(
            model, *members, *others, **{"n_shadows": 2, "random_state": 0, **options}
        )
    return figures(report.to_dict()["report"])


def figures(content):
    return sorted(content["attacks"], key=lambda row: row["name"])


def write(frame, path):
    if path.name.endswith(".parquet"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)


def arguments_for(folder, model, X, y, *options, suffix="csv", suffixes=None):
    """Write all that the command line needs, and its arguments."""
    joblib.dump(model, folder / "model.joblib")
    whole = X.assign(y=y)
    suffixes = suffixes or (suffix, suffix)
    names = zip(("members", "others"), suffixes, strict=True)
    paths = [folder / ".".join(name) for name in names]
    for frame, path in zip(parts(whole), paths, strict=True):
        write(frame, path)
    files = [str(path) for path in (folder / "model.joblib", *paths)]
    return ["audit", *files, "--label=y", "--trust-pickle", "--n-shadows=2", *options]


def from_files(folder, model, X, y, *options, **how):
    """Content of the report that the command line makes."""
    path = folder / "report.json"
    arguments = arguments_for(folder, model, X, y, *options, **how)
    # 4: made, and not to be interpreted, as some of these small tables are.
    assert main([*arguments, f"--json={path}"]) in (0, 4)
    return json.loads(path.read_text(encoding="utf-8"))["report"]


def refusal(capsys, folder, model, X, y, *options, **how):
    """The one line on stderr of an audit that ends with exit code 2."""
    capsys.readouterr()
    assert main(arguments_for(folder, model, X, y, *options, **how)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err.removeprefix("error: ").strip()


def case_from_files(folder, model, X, y, *options, **how):
    """Both sides as the command line reads them, and what it remarks."""
    arguments = arguments_for(folder, model, X, y, *options, **how)
    arguments = _parser().parse_args(arguments)
    paths = arguments.members, arguments.nonmembers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = read_sides(paths, arguments, model, np.asarray(model.classes_))
    features, labels = read.features, read.labels
    return make_case(model, features[0], labels[0], features[1], labels[1]), read


def assert_as_in_memory(folder, model, X, y, *options, as_given=None, **how):
    """The same records by content, and the same answers: so the same attacks.

    `as_given` is the table in memory, if the files hold other cells.
    """
    case, read = case_from_files(folder, model, X, y, *options, **how)
    members, others = zip(
        *map(parts, (X if as_given is None else as_given, y)), strict=True
    )
    expected = make_case(model, *members, *others)
    assert case.content_ids.tolist() == expected.content_ids.tolist()
    answers = [model.predict_proba(c.asked).tolist() for c in (case, expected)]
    assert answers[0] == answers[1]
    return read
