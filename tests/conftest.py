import gc
import itertools
import os
import sys
from collections import Counter, defaultdict
from functools import cache, partial, wraps
from importlib.machinery import PathFinder

import pytest

pytest.register_assert_rewrite("helpers")

# Native libraries read these once, when numpy and scikit-learn are first imported.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "agg")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    # What is imported and collected stays: looking for garbage takes a fifth of it.
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


# Their variants are few already, cheap, or each of another thing.
WHOLE = {
    *("test_common", "test_compatibility", "test_docstrings", "test_house"),
    *("test_faults", "test_reproduced", "test_unpacking", "test_equations_rows"),
    *("test_equations_rows_of_steps", "test_equations_rows_of_trees"),
    *("test_equations_rows_of_leaves", "test_equations_rows_of_boosting"),
    *("test_equations_solver_by_hand", "test_equations_parts_by_hand"),
    "test_equations_rows_of_libraries",
}
# Each variant is another error, word or setting, and takes milliseconds.
SHORT = {
    "test_a_frame_with_the_wrong_columns_is_refused",
    "test_a_time_is_told_in_words",
    "test_a_value_in_short",
    "test_a_word_has_a_plural",
    "test_an_array_with_the_wrong_columns_is_refused",
    "test_answers_that_are_no_finite_different_numbers_are_refused",
    "test_every_ensemble_of_trees_has_groups",
    "test_histogram_boosting_that_leads_astray_is_refused",
    "test_keys_that_name_no_group",
    "test_known_steps",
    "test_label_by_name_or_position_in_a_frame",
    "test_label_by_position_in_a_table_without_names",
    "test_labels_that_the_dtype_cannot_hold_leave_the_features_as_they_were",
    "test_probabilities_that_are_none_are_refused",
    "test_r3_rows_longer_or_shorter_than_the_header_are_refused",
    "test_r3_what_is_no_table_is_named_with_the_line",
    "test_seeds_that_tell_what_trees_drew_are_found_and_can_be_removed",
    "test_settings_that_remember_are_named",
    "test_sizes_and_thresholds_that_do_not_fit",
    "test_what_cannot_be_audited_is_told",
    "test_what_is_no_report_is_refused",
    "test_what_is_refused_says_why",
    "test_wrong_answers_are_refused",
    "test_wrong_attacks_are_told_early",
}
FEWEST_QUICK = 3


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Of many variants of a test a sixth is quick, evenly spaced; others are slow."""
    variants = defaultdict(list)
    for item in items:
        if not hasattr(item, "callspec"):
            continue
        is_whole = item.path.stem in WHOLE or item.originalname in SHORT
        if not is_whole and item.get_closest_marker("slow") is None:
            variants[item.path, item.originalname].append(item)
    for own in variants.values():
        n_quick = min(len(own), max(FEWEST_QUICK, -(-len(own) // 6)))
        quick = {i * len(own) // n_quick for i in range(n_quick)}
        for i, item in enumerate(own):
            if i not in quick:
                item.add_marker(pytest.mark.slow)


# Their worker processes take seconds to start, and are used again by the next.
START_WORKERS = {
    f"tests/test_{name}.py"
    for name in (
        "audit",
        "base",
        "faults",
        "hooks",
        "privacy",
        "reproduced",
        "shadows",
        "with_shadows",
    )
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    # What the tests of a file share is made by one worker instead of by all.
    from xdist.scheduler import LoadFileScheduling

    class BySharedWork(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return "workers" if file in START_WORKERS else file

    if config.getvalue("dist") == "load":
        return BySharedWork(config, log)
    return None


@pytest.fixture
def count(record_property):
    """Function that adds to what is told of the tests of a file in the end."""

    def add(**counted):
        record_property("counted", {k.replace("_", " "): n for k, n in counted.items()})

    return add


def pytest_terminal_summary(terminalreporter):
    """Print what tests counted, such as the inputs that were tried."""
    counted = defaultdict(Counter)
    for report in itertools.chain(*terminalreporter.stats.values()):
        if getattr(report, "when", "") == "call":
            for name, value in report.user_properties:
                if name == "counted":
                    counted[report.nodeid.partition("::")[0]].update(value)
    for file, counts in sorted(counted.items()):
        told = ", ".join(f"{n} {what}" for what, n in sorted(counts.items()))
        terminalreporter.write_line(f"{file}: {told}")


@pytest.fixture(scope="session", autouse=True)
def parameters_of_a_class_are_read_once():
    """The names that `get_params`, `clone` and many a check read from the signature."""
    from sklearn.base import BaseEstimator

    names = cache(BaseEstimator._get_param_names.__func__)
    with pytest.MonkeyPatch.context() as patch:
        read = classmethod(lambda cls: list(names(cls)))
        patch.setattr(BaseEstimator, "_get_param_names", read)
        yield


@pytest.fixture(scope="session", autouse=True)
def workers_end_with_the_last_test():
    """Coverage of what they ran is written as they end, and is read after that."""
    from joblib.externals.loky import reusable_executor

    yield
    if reusable_executor._executor is not None:
        reusable_executor._executor.shutdown(wait=True)


@pytest.fixture(scope="session", autouse=True)
def blind_checks_of_audits_are_cheap():
    """Audits look without the model in one turn, and at equal records once.

    The check is half of a small audit. One turn has the level of two, and what it
    says depends on nothing but its arguments.
    """
    import joblib

    from sklearn_mia.auditing import _blind, _build

    blind_auc, known = _build.blind_auc, {}

    @wraps(blind_auc)
    def remembered(*args, **params):
        key = joblib.hash((args, params))
        if key not in known:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(_blind, "_BLIND_TURNS", 1)
                known[key] = blind_auc(*args, **params)
        return known[key] and dict(known[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_build, "blind_auc", remembered)
        yield


@pytest.fixture(scope="session", autouse=True)
def bagging_of_audits_is_cheap():
    """Small forests are attacked with fewer trees than in an audit of one."""
    from sklearn_mia.auditing import _defaults

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_defaults, "_FEWEST_TREES", 20)
        yield


@pytest.fixture
def whole_bagging(monkeypatch):
    from sklearn_mia.auditing import _defaults

    monkeypatch.setattr(_defaults, "_FEWEST_TREES", 100)


@pytest.fixture
def whole_blind_checks(monkeypatch):
    from sklearn_mia.auditing import _build

    monkeypatch.setattr(_build, "blind_auc", _build.blind_auc.__wrapped__)


@pytest.fixture
def pyplot():
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.close("all")
    yield plt
    plt.close("all")


@pytest.fixture(scope="module")
def half():
    """Members and other records: X, y, X, y, 200 of each."""
    from sklearn.datasets import make_classification

    X, y = make_classification(400, 8, n_informative=5, flip_y=0.2, random_state=0)
    return X[:200], y[:200], X[200:], y[200:]


@pytest.fixture
def german_credit():
    """Features and class label ("credit_risk", last) of 1000 records, as a frame."""
    pytest.importorskip("pandas")
    from sklearn_mia.datasets import load_german_credit

    return load_german_credit(as_frame=True).frame


@pytest.fixture
def small_examples(monkeypatch):
    """A quarter of the shipped table, forests of ten trees, searches of two folds.

    For code that is run as a user would run it.
    """
    pytest.importorskip("pandas")
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GridSearchCV

    from sklearn_mia.datasets import load_german_credit

    def every_fourth_record(**params):
        X, y = load_german_credit(**params)
        return X[::4], y[::4]

    forest = partial(RandomForestClassifier, n_estimators=10)
    monkeypatch.setattr("sklearn_mia.datasets.load_german_credit", every_fourth_record)
    monkeypatch.setattr("sklearn.ensemble.RandomForestClassifier", forest)
    search = partial(GridSearchCV, cv=2)
    monkeypatch.setattr("sklearn.model_selection.GridSearchCV", search)


JOBS = ["smith", "clerk", "nurse"]


@pytest.fixture
def people():
    """Features and class of 400 people, as a pandas frame."""
    pd = pytest.importorskip("pandas")
    import numpy as np

    rng = np.random.default_rng(0)
    job = rng.choice(JOBS, 400)
    frame = pd.DataFrame(
        {
            "job": pd.Categorical(job, categories=JOBS),
            "age": rng.integers(20, 70, 400),
            "owner": rng.integers(0, 2, 400).astype(bool),
            "income": rng.integers(0, 400, 400) / 4,
        }
    )
    y = (job == "nurse") ^ (rng.random(400) < 0.4)
    return frame, y.astype(int)


@pytest.fixture(
    params=["categories", "text", "string", "numbers", "nullable", "objects"]
)
def retyped(request):
    """Function that gives the frame of people other types, and the same values."""
    pd = pytest.importorskip("pandas")
    jobs = pd.CategoricalDtype(["nurse", "king", *JOBS[:2]], ordered=True)
    types = {
        "categories": {"job": jobs},
        "text": {"job": object},
        "string": {"job": "string"},
        "numbers": {"age": "float64", "owner": "int64", "income": "float32"},
        "nullable": {"age": "Int64", "owner": "boolean", "income": "Float64"},
        "objects": {"age": object, "owner": object, "income": object},
    }[request.param]
    return lambda frame: frame.astype(types)


@pytest.fixture(params=["LightGBM", "XGBoost", "scikit-learn"])
def boosting(request):
    """Boosting that takes categories as they are."""
    if request.param == "LightGBM":
        lightgbm = pytest.importorskip("lightgbm")
        return lightgbm.LGBMClassifier(
            n_estimators=5, min_child_samples=2, n_jobs=1, verbose=-1
        )
    if request.param == "XGBoost":
        xgboost = pytest.importorskip("xgboost")
        return xgboost.XGBClassifier(n_estimators=5, enable_categorical=True, n_jobs=1)
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=5, max_depth=3)


@pytest.fixture
def enumerated(people):
    """Features and class of 400 people, as a polars frame with an enumeration."""
    pl = pytest.importorskip("polars")
    frame, y = people
    columns = {name: frame[name].to_numpy() for name in ("age", "owner", "income")}
    job = pl.Series(frame["job"].tolist(), dtype=pl.Enum(JOBS))
    return pl.DataFrame({"job": job, **columns}), y


def _hide(monkeypatch, package):
    """Make `package` look as if it were not installed."""

    def is_hidden(name):
        return name.partition(".")[0] == package

    for name in filter(is_hidden, list(sys.modules)):
        monkeypatch.delitem(sys.modules, name)

    find_spec = PathFinder.find_spec

    def find_other_spec(name, path=None, target=None):
        return None if is_hidden(name) else find_spec(name, path, target)

    monkeypatch.setattr(PathFinder, "find_spec", find_other_spec)


@pytest.fixture
def matplotlib_not_installed(monkeypatch):
    _hide(monkeypatch, "matplotlib")


@pytest.fixture
def pandas_not_installed(monkeypatch):
    _hide(monkeypatch, "pandas")


@pytest.fixture
def families(monkeypatch):
    """What is known of families of models, to which a test may add."""
    from sklearn_mia.equations import _registry

    monkeypatch.setattr(_registry, "_FAMILIES", dict(_registry._FAMILIES))
