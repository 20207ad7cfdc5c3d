"""No object shows the records that it carries, and pickles hold what they say."""

import inspect
import pickle
import pkgutil
import struct
import traceback
from importlib import import_module

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import sklearn_mia
from sklearn_mia import LiRA, Records, as_records, audit, audit_recipe
from sklearn_mia.__main__ import _parser
from sklearn_mia.auditing._baseline import _audited
from sklearn_mia.auditing._case import make_case
from sklearn_mia.auditing._case_of_answers import _Answers
from sklearn_mia.auditing._circumstances import Checks
from sklearn_mia.auditing._inputs import read_sides
from sklearn_mia.auditing._known import known_columns
from sklearn_mia.auditing._quality import quality_of
from sklearn_mia.auditing._run import check_attacks, run_attacks
from sklearn_mia.auditing._subjects import subjects_of
from sklearn_mia.auditing._typing import Side, read_columns
from sklearn_mia.columns import fitted_parts
from sklearn_mia.equations import linear_equations
from sklearn_mia.equations._parts import parts_of
from sklearn_mia.equations._solver import _Damped, _Factors
from sklearn_mia.models import open_model
from sklearn_mia.redaction import without_values
from sklearn_mia.shadows import ShadowFitError, ShadowWork

pd = pytest.importorskip("pandas")

TEXT, NUMBER = "SECRET-7319", 731973197.3125
SHOWN = (TEXT, "731973197", "7.3197")
STORED = (
    TEXT.encode(),
    TEXT.encode("utf-16-le"),
    str(NUMBER).encode(),
    *(struct.pack(form, NUMBER) for form in ("<d", ">d", "<f", ">f")),
)


def told(text):
    return [mark for mark in SHOWN if mark in text]


def stored(value):
    content = pickle.dumps(value)
    return [mark for mark in STORED if mark in content]


@pytest.fixture(scope="module")
def table():
    """Records of which one holds the marks, and their classes."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "note": [f"note {i}" for i in range(100)],
            "size": rng.normal(size=100).round(3),
            "width": rng.normal(size=100),
        }
    )
    X.loc[7, ["note", "size"]] = TEXT, NUMBER
    return X, rng.integers(0, 2, 100)


def numbers_to(classifier):
    """A classifier of the two numbers, trained on frames that hold the text, too."""
    return make_pipeline(
        make_column_transformer(("passthrough", ["size", "width"])), classifier
    )


def classes_of_the_package():
    for module in pkgutil.walk_packages(sklearn_mia.__path__, "sklearn_mia."):
        if not module.name.endswith("__main__"):
            for _, cls in inspect.getmembers(
                import_module(module.name), inspect.isclass
            ):
                if cls.__module__.startswith("sklearn_mia"):
                    yield cls


def found_in(value, seen):
    """Instances of classes of the package, inside one another."""
    if id(value) in seen or isinstance(value, (type, str, bytes, np.ndarray)):
        return
    seen[id(value)] = value
    if type(value).__module__.startswith("sklearn_mia"):
        yield value
    inside = vars(value).values() if hasattr(value, "__dict__") else ()
    if isinstance(value, dict):
        inside = value.values()
    elif isinstance(value, (list, tuple)):
        inside = value
    for part in inside:
        yield from found_in(part, seen)


# Numbers about all records, settings, or what a class of the user fills.
WITHOUT_RECORDS = {
    "AttainedRate",
    "AucStatistic",
    "_AucsOfEqualRecords",
    "Claim",
    "Comparison",
    "Correction",
    "Each",
    "EpsilonBound",
    "ExposedMembers",
    "Finding",
    "GaussianBound",
    "Guesses",
    "Interval",
    "Kind",
    "LabelCanaries",
    "LeastLeakageWithin",
    "Masses",
    "MembershipCheck",
    "MembershipPermuter",
    "MembershipRocDisplay",
    "MembershipScorer",
    "Maybe",
    "MeanGapStatistic",
    "Measured",
    "ModelError",
    "MostAccurateWithin",
    "Nouns",
    "PrivacyUtilityDisplay",
    "RecordRiskDisplay",
    "ReportChanges",
    "RiskySetting",
    "Progress",
    "Ruled",
    "Stage",
    "ScoreDistributionDisplay",
    "Settings",
    "ShadowCounter",
    "SizeRates",
    "SizeThresholds",
    "SliceDifferences",
    "SlicePermuter",
    "Solution",
    "ShadowFitError",
    "Stopped",
    "StructuralFinding",
    "TprStatistic",
    "TooLarge",
    "UnknownValuesError",
    "_ChosenByTypeError",
    "_Folds",
    "_LeakageScorer",
    "_NoContext",
    "_ObjectBits",
    "_Shelf",
    "SignalSet",
    "ValueResponder",
    "_SingleThreads",
    "_InStoreOfRay",
}


@pytest.fixture(scope="module")
def instances(table, tmp_path_factory):
    """Fitted, filled or made of the records: one or more of each class."""
    X, y = table
    records, is_member = as_records(X, y), np.arange(100) < 50
    tree, forest, boosting = (
        numbers_to(c).fit(X[:50], y[:50])
        for c in (
            DecisionTreeClassifier(random_state=0),
            RandomForestClassifier(5, random_state=0),
            GradientBoostingClassifier(n_estimators=5, random_state=0),
        )
    )
    roots = []
    for cls in set(classes_of_the_package()):
        name = cls.__name__
        if not issubclass(cls, BaseEstimator) or name.startswith(("Base", "_")):
            continue
        if name in ("AuditableClassifier", "CoarsenedClassifier"):
            model = cls(numbers_to(DecisionTreeClassifier()))
            roots.append(model.fit(X[:50], y[:50]))
            if name == "AuditableClassifier":
                others = X[50:], y[50:], None, None, 0
                roots.append(model._membership_sides(*others))
            continue
        if name == "TrainedBeside":
            model = cls(numbers_to(DecisionTreeClassifier()), X[:50], y[:50])
            roots.append(model.fit(X[50:], y[50:]))
            continue
        if name == "BlackBoxRegressor":
            roots.append(cls(predict=tree.predict))
            roots[-1].predict(X)
            continue
        if name == "BlackBoxClassifier":
            roots.append(cls(predict_proba=tree.predict_proba, classes=[0, 1]))
            roots[-1].predict_proba(X)
            continue
        target = {"BaggingAttack": forest, "TrajectoryAttack": boosting}.get(name, tree)
        params = {"n_shadows": 2, "n_trees": 8, "n_queries": 3, "random_state": 0}
        known = inspect.signature(cls).parameters
        attack = cls(target, **{k: v for k, v in params.items() if k in known})
        roots.append(attack.fit(records, is_member))
        if name in ("LabelOnlyAttack", "TrajectoryAttack"):
            without = cls(target, n_shadows=0, random_state=0)
            roots += [without.fit(records), without._reader()]
        elif hasattr(attack, "_reader"):
            roots.append(attack._reader())
        if hasattr(attack, "_ask_target"):
            roots.append(attack._ask_target(records))
        if hasattr(attack, "shadow_evidence"):
            roots.append(attack.shadow_evidence())
    sides = X[:50], y[:50], X[50:], y[50:]
    people = [np.arange(50) // 5, 10 + np.arange(50) // 5]
    case = make_case(
        tree, *sides, ids=([f"id {i}" for i in range(50)],) * 2, groups=people
    )
    attacks, _ = check_attacks(LiRA(n_shadows=2), tree)
    scored = run_attacks(attacks, case, seed=0)
    lira = next(a for a in roots if isinstance(a, LiRA))
    work = {"features": X, "codes": y, "classes": np.array([0, 1])}
    encoded = make_pipeline(OneHotEncoder(), DecisionTreeClassifier()).fit(X, y)
    path = tmp_path_factory.mktemp("tables") / "table.csv"
    X.assign(y=y).to_csv(path, index=False)
    options = _parser().parse_args(["audit", "--label=y"])
    side = Side(X.astype(str), str(path), is_text=True)
    known = known_columns(encoded, list(X))
    roots += [
        read_sides((path, path), options, encoded, np.array([0, 1])),
        known,
        read_columns([side, side], known),
        list(fitted_parts(encoded, list(X), X)),
    ]
    slopes = numbers_to(RidgeClassifier(solver="lsqr")).fit(X, y)
    system = linear_equations(slopes, X, y)
    roots += [system, system.blocks[-1].matrix.T, *parts_of(slopes, X, y)]
    ones = np.ones(len(system.b)), 0.5, np.ones(system.n_records)
    damped = _Damped(system, *ones, max_iter=10, most_direct=1000, tol=1e-6)
    roots += [damped, _Factors(system, damped.weights, damped.spread)]
    numbers, forest = X[["size", "width"]].to_numpy(), forest[-1]
    report = audit(tree, *sides, attacks=attacks, n_permutations=99, random_state=0)
    roots += [
        case,
        Checks(case),
        scored,
        subjects_of(case, scored),
        report,
        _audited(report, "LiRA"),
        audit_recipe(tree, X, y, n_targets=2, attacks=LiRA(n_shadows=2)),
        open_model(tree, X),
        ShadowWork(
            recipe=tree, reader=lira._reader(), seed=0, keep_models=True, **work
        ),
        _Answers(numbers, np.array([0, 1])),
        sklearn_mia.leave_one_out_risk(forest, numbers[:50], y[:50]),
        sklearn_mia.structural_risk(forest, numbers[:50], y[:50]),
    ]
    notes = Records(X["note"].tolist(), y)
    words = make_pipeline(HashingVectorizer(n_features=8), LogisticRegression())
    reader = LiRA(words.fit(notes.features, y), n_shadows=2, random_state=0)
    values = LiRA(
        DecisionTreeRegressor(min_samples_leaf=20).fit(numbers, X["size"]),
        n_shadows=2,
        random_state=0,
    )
    right = case.codes == 0
    roots += [
        notes,
        reader.fit(notes),
        values.fit(as_records(numbers, X["size"].to_numpy())),
        quality_of(case, np.log(np.full((100, 2), 0.5)), right),
    ]
    seen = {}
    return [value for root in roots for value in found_in(root, seen)]


def test_every_class_is_looked_at(instances):
    looked_at = {type(value).__name__ for value in instances}
    abstract = {
        c.__name__
        for c in set(classes_of_the_package())
        if inspect.isabstract(c) or c.__name__.startswith("Base") or "Mixin" in str(c)
    }
    every = {c.__name__ for c in set(classes_of_the_package())}
    assert every - abstract - WITHOUT_RECORDS - looked_at == set()


def test_r2_no_object_shows_the_records_that_it_carries(instances):
    for value in instances:
        for show in (repr, str, lambda v: getattr(v, "_repr_html_", str)()):
            assert told(show(value) or "") == [], type(value)


def test_r14_a_pickle_holds_no_record_unless_the_class_says_so(instances):
    said = 0
    for value in instances:
        says = "A pickle of" in (type(value).__doc__ or "")
        said += says
        if not says:
            assert stored(value) == [], type(value)
    assert said > 8


def test_r14_pickled_attacks_keep_what_scoring_needs_and_no_more(table):
    X, y = table
    rng = np.random.default_rng(1)
    X = X.assign(size=rng.normal(size=100) * 1e6, width=rng.normal(size=100) * 1e6)
    model = numbers_to(DecisionTreeClassifier(random_state=0)).fit(X[:50], y[:50])
    records = as_records(X, y)
    for name in ("LabelOnlyAttack", "QuantileRegressionAttack"):
        attack = getattr(sklearn_mia, name)(model, random_state=0).fit(records)
        content = pickle.dumps(attack)
        kept = {
            c: sum(struct.pack("<d", v) in content for v in X[c])
            for c in ("size", "width")
        }
        # The smallest and the largest, where noise stays within the bounds.
        most = 2 if name == "LabelOnlyAttack" else 0
        assert max(kept.values()) <= most, kept
        again = pickle.loads(content).score_samples(records[::-1])
        np.testing.assert_array_equal(again, attack.score_samples(records)[::-1])


def test_r14_bins_of_a_regression_are_forgotten():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 2)), rng.integers(0, 2, 300)
    model = LogisticRegression().fit(X[:150], y[:150])
    attack = sklearn_mia.QuantileRegressionAttack(model, random_state=0)
    attack.fit(as_records(X, y))
    for regressor, _ in attack.estimators_:
        splits = np.concatenate(
            [tree.nodes["num_threshold"] for (tree,) in regressor._predictors]
        )
        content = pickle.dumps(regressor)
        kept = [v for v in X.ravel() if struct.pack("<d", v) in content]
        assert set(kept) <= set(splits)


# What joblib prints, and what failing shadows say.


@pytest.mark.parametrize("damage", [None, "truncated"])
def test_r2_a_cache_that_tells_all_tells_no_record(
    table, tmp_path, capfd, caplog, damage
):
    X, y = table
    model = numbers_to(DecisionTreeClassifier(random_state=0)).fit(X, y)
    memory = joblib.Memory(tmp_path, verbose=50)
    attack = LiRA(model, n_shadows=2, memory=memory, random_state=0)
    attack.fit(as_records(X, y))
    if damage:
        for entry in tmp_path.rglob("output.pkl"):
            entry.write_bytes(entry.read_bytes()[:-30])
        with pytest.warns(UserWarning, match="^What memory held of shadow 0, 1 was"):
            attack.fit(as_records(X, y))
    printed = "".join(capfd.readouterr()) + caplog.text
    assert "of_shadow" in printed
    assert "Traceback" not in printed
    assert told(printed) == []
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert [mark for mark in STORED if mark in file.read_bytes()] == []


class Tells(ClassifierMixin, BaseEstimator):
    """Quotes its records when it fails."""

    def __init__(self, how="", when="fit"):
        self.how = how
        self.when = when

    def _fail(self, X):
        rows = np.asarray(X, dtype=object)
        row = rows[[TEXT in r for r in rows]]
        if not len(row):
            return
        text, number = row[0][:2]
        raise {
            "repr": ValueError(f"cannot use {row[0]!r}"),
            "text": ValueError(f"could not convert string to float: {text!r}"),
            "bare": RuntimeError(f"odd value {text} in column 0\n{text}"),
            "key": KeyError(text),
            "number": ValueError(f"{number} is too large"),
            "rounded": ValueError(f"range ({number:.5g}, {number:.8e})"),
            "array": ValueError(f"{np.array([number, 1.5])} in {pd.Series([text])}"),
            "long": ValueError("x" * 10**6 + text),
        }[self.how]

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        if self.when == "fit" and len(X) < 100:
            self._fail(X)
        self.n_seen_ = len(X)
        return self

    def predict_proba(self, X):
        if self.when == "answer" and self.n_seen_ < 100:
            self._fail(X)
        return np.full((len(X), 2), 0.5)

    def predict(self, X):
        return self.classes_[np.zeros(len(X), dtype=int)]


@pytest.mark.parametrize("when", ["fit", "answer"])
@pytest.mark.parametrize(
    "how", ["repr", "text", "bare", "key", "number", "rounded", "array", "long"]
)
def test_r2_a_failing_shadow_does_not_quote_records(table, how, when):
    X, y = table
    attack = LiRA(Tells(how, when).fit(X, y), n_shadows=2, random_state=0)
    with pytest.raises(ShadowFitError, match=r"^Shadow [01] ") as caught:
        attack.fit(as_records(X, y))
    assert told("".join(traceback.format_exception(caught.value))) == []
    assert len(str(caught.value)) < 1500


def test_r2_a_shadow_that_fails_in_a_worker_does_not_quote_records(table):
    X, y = table
    attack = LiRA(Tells("repr").fit(X, y), n_shadows=2, n_jobs=2, random_state=0)
    with pytest.raises(ShadowFitError, match=r"^Shadow [01] ") as caught:
        attack.fit(as_records(X, y))
    assert told("".join(traceback.format_exception(caught.value))) == []
    message = str(caught.value)
    assert "\n" not in message
    assert " could not be trained: " in message
    assert "It saw 50 records, by class {0: " in message


def test_r10_an_unknown_category_is_not_named(table):
    X, y = table
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["note"]), remainder="passthrough"),
        DecisionTreeClassifier(random_state=0),
    ).fit(X, y)
    with pytest.raises(ShadowFitError, match="unknown categories") as caught:
        LiRA(model, n_shadows=2, random_state=0).fit(as_records(X, y))
    assert "note 1" not in str(caught.value)
    assert "in column 0" in str(caught.value)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("value 'ab' in column 'age'", "value '…' in column 'age'"),
        ("about tables", "about tables"),
        ("John Doe is unknown", "… is unknown"),
        ("learning_rate=0.1 and 12 rows", "learning_rate=0.1 and 12 rows"),
        ("got 1234.5678", "got …"),
        ("got 1234.568 and 1.2346e+03", "got … and …"),
        ("got 1299.5678", "got 1299.5678"),
    ],
)
def test_r10_cells_are_hidden_and_the_rest_of_a_message_is_not(message, expected):
    frame = pd.DataFrame({"who": ["ab", "John Doe"], "x": [1234.5678, 12.0]})
    assert without_values(message, frame) == expected
    assert without_values(message, frame.to_numpy(dtype=object)) in (message, expected)
    assert without_values(message) == message


def test_what_somebody_typed_is_shown_and_what_a_record_holds_is_not():
    frame = pd.DataFrame({"x": [0.25, 7.5], "who": ["--delta 0.5", "Jane"]})
    message = "--delta 0.25 is too large, not 0.25 nor --epsilon 7.5, --delta 0.2"
    told = without_values(message, frame, shown=["--delta 0.25", "--note Jane"])
    assert told == "--delta 0.25 is too large, not … nor --epsilon …, --delta 0.2"
    # Characters of private use stand for nothing by themselves.
    assert without_values("\ue000 and 0.25", frame, shown=["--x 0.25"]) == "… and …"


def test_r10_cells_of_a_sparse_table_are_hidden():
    table = sp.csr_array([[0.0, 31.25], [7.5, 0.0]])
    assert without_values("got 31.25 and 42.75", table) == "got … and 42.75"
