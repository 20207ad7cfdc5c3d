"""What a .skops file may hold: ordinary models load, and nothing else runs."""

import importlib
import json
import shlex
import sys
import types
from functools import partial

import numpy as np
import pytest
from helpers.files import packed, parts_of
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import (
    SelectFromModel,
    SelectKBest,
    chi2,
    mutual_info_classif,
)
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import (
    LogisticRegression,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
)
from sklearn.metrics import fbeta_score, make_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    ShuffleSplit,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB
from sklearn.neighbors import (
    KernelDensity,
    KNeighborsClassifier,
    RadiusNeighborsClassifier,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from sklearn_mia import (
    AuditableClassifier,
    CoarsenedClassifier,
    MostAccurateWithin,
    ThresholdAttack,
    make_leakage_scorer,
)
from sklearn_mia.__main__ import main
from sklearn_mia.auditing._loading import load_model
from sklearn_mia.auditing._trusted import TRUSTED, is_hostile

skops = pytest.importorskip("skops.io")

LINEAR = LogisticRegression()
TREE = DecisionTreeClassifier(max_depth=2, random_state=0)
RNG = np.random.default_rng(0)
X = np.abs(RNG.normal(size=(40, 4)))
Y = np.arange(40) % 2
THREE = np.arange(40) % 3


def people():
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(
        {
            "age": X[:, 0],
            "income": X[:, 1],
            "job": RNG.choice(["clerk", "nurse", "none"], 40),
            "note": RNG.choice(["long stay", "short stay", "no stay at all"], 40),
        }
    )


def encoded(*, remainder="drop", **steps):
    """A linear model over the columns that each step is given."""
    parts = [(name, *step) for name, step in steps.items()]
    return make_pipeline(ColumnTransformer(parts, remainder=remainder), LINEAR)


GRID = {"C": np.array([0.1, 1.0])}
HALVES = ShuffleSplit(2, test_size=0.5, random_state=0)
BOOSTING = HistGradientBoostingClassifier(max_iter=2, random_state=0)
ORDINARY = {
    "tree": TREE,
    "extra tree": ExtraTreeClassifier(random_state=0),
    "forest": RandomForestClassifier(3, random_state=0),
    "forest of a generator": RandomForestClassifier(
        3, random_state=np.random.RandomState(0)
    ),
    "extra trees": ExtraTreesClassifier(3, random_state=0),
    "bagging": BaggingClassifier(TREE, 3, max_features=2, random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=2, random_state=0),
    "exponential": GradientBoostingClassifier(
        loss="exponential", init="zero", n_estimators=2, random_state=0
    ),
    "boosting from": GradientBoostingClassifier(
        init=LINEAR, n_estimators=2, random_state=0
    ),
    "histogram": BOOSTING,
    "ada": AdaBoostClassifier(n_estimators=2, random_state=0),
    "logistic": LINEAR,
    "cross-validated": RidgeClassifierCV(scoring="accuracy"),
    "ridge": RidgeClassifier(),
    "hinge": SGDClassifier(random_state=0),
    "huber": SGDClassifier(loss="modified_huber", average=True, random_state=0),
    "svc": SVC(),
    "linear svc": LinearSVC(),
    "neighbours": KNeighborsClassifier(),
    "kd tree": KNeighborsClassifier(algorithm="kd_tree", p=1.5),
    "ball tree": RadiusNeighborsClassifier(9, algorithm="ball_tree", metric="canberra"),
    "gaussian": GaussianNB(),
    "bernoulli": BernoulliNB(),
    "network": MLPClassifier((2,), max_iter=1000, tol=1.0, random_state=0),
    "network by sgd": MLPClassifier((2,), solver="sgd", tol=1.0, random_state=0),
    "lda": LinearDiscriminantAnalysis(),
    "qda": QuadraticDiscriminantAnalysis(),
    "process": GaussianProcessClassifier(),
    "sigmoid": CalibratedClassifierCV(TREE, cv=2),
    "isotonic": CalibratedClassifierCV(TREE, cv=2, method="isotonic"),
    "frozen": CalibratedClassifierCV(FrozenEstimator(TREE.fit(X, Y))),
    "vote": VotingClassifier([("a", LINEAR), ("b", TREE)], voting="soft"),
    "stack": StackingClassifier([("a", LINEAR), ("b", TREE)], cv=2),
    "search": GridSearchCV(LINEAR, GRID, cv=2),
    "search by auc": GridSearchCV(LINEAR, GRID, cv=HALVES, scoring="roc_auc"),
    "search by two": GridSearchCV(
        LINEAR,
        {"C": range(1, 3)},
        cv=2,
        scoring={"f2": make_scorer(fbeta_score, beta=2), "loss": "neg_log_loss"},
        refit="loss",
    ),
    "search of steps": GridSearchCV(
        Pipeline([("scale", StandardScaler()), ("model", LINEAR)]),
        {"scale": ["passthrough", MinMaxScaler()], "model": [LINEAR, TREE]},
        cv=2,
    ),
    "random search": RandomizedSearchCV(
        LINEAR, {"C": [0.1, 1, 2]}, n_iter=2, cv=2, random_state=0
    ),
    "threshold": FixedThresholdClassifier(TREE, threshold=0.3),
    "tuned threshold": TunedThresholdClassifierCV(LINEAR, cv=2),
    "one against the rest": OneVsRestClassifier(TREE),
    "one against one": OneVsOneClassifier(LINEAR),
    "scaled": make_pipeline(
        SimpleImputer(), RobustScaler(), PowerTransformer(), PolynomialFeatures(), TREE
    ),
    "chosen": make_pipeline(SelectKBest(chi2, k=2), SelectFromModel(TREE), LINEAR),
    "chosen by information": make_pipeline(
        SelectKBest(partial(mutual_info_classif, random_state=0), k=2), LINEAR
    ),
    "united": make_pipeline(
        make_union(PCA(2), Nystroem(n_components=3, random_state=0)), LINEAR
    ),
    "spline": make_pipeline(KNNImputer(), SplineTransformer(n_knots=3), LINEAR),
    "logarithm": make_pipeline(FunctionTransformer(np.log1p), LINEAR),
    "auditable": AuditableClassifier(TREE),
    "coarsened": CoarsenedClassifier(TREE),
    "least leakage": GridSearchCV(
        AuditableClassifier(TREE),
        {"estimator__max_depth": [1, 2]},
        cv=2,
        scoring={
            "accuracy": "accuracy",
            "leakage": make_leakage_scorer(ThresholdAttack(signal="loss")),
        },
        refit=MostAccurateWithin(max_leakage=1.0),
    ),
}
OF_PEOPLE = {
    "mixed": encoded(
        scale=(make_pipeline(SimpleImputer(), StandardScaler()), ["age"]),
        bins=(KBinsDiscretizer(3, subsample=None), ["income"]),
        jobs=(OneHotEncoder(handle_unknown="ignore"), ["job"]),
        words=(TfidfVectorizer(stop_words="english", dtype=np.float32), "note"),
    ),
    "rest": encoded(jobs=(OneHotEncoder(), ["job", "note"]), remainder=SimpleImputer()),
    "by kind": encoded(
        jobs=(OneHotEncoder(), make_column_selector(dtype_exclude=np.number)),
        others=(StandardScaler(), make_column_selector("age")),
    ),
    "target": encoded(
        jobs=(TargetEncoder(cv=2), ["job"]),
        rank=(QuantileTransformer(n_quantiles=5), ["age"]),
    ),
    "ordinal": encoded(jobs=(OrdinalEncoder(dtype=np.float32), ["job", "note"])),
    "words": make_pipeline(
        ColumnTransformer([("w", CountVectorizer(ngram_range=(1, 2)), "note")]),
        MultinomialNB(),
    ),
    "histogram of categories": HistGradientBoostingClassifier(
        max_iter=2, categorical_features=[2, 3], min_samples_leaf=2
    ),
}


def saved(model, path):
    skops.dump(model, path)
    return path


@pytest.mark.parametrize("name", [*ORDINARY, *OF_PEOPLE])
def test_an_ordinary_model_loads_without_naming_types(name, tmp_path):
    table = X if name in ORDINARY else people()
    model = {**ORDINARY, **OF_PEOPLE}[name].fit(table, Y)
    loaded, fitted_with = load_model(saved(model, tmp_path / "m.skops"))
    assert fitted_with is None
    for method in ("predict_proba", "decision_function", "predict"):
        if hasattr(model, method):
            ask = getattr(model, method), getattr(loaded, method)
            np.testing.assert_array_equal(*(answer(table) for answer in ask))


@pytest.mark.parametrize("name", ["boosting", "histogram", "one against the rest"])
def test_an_ordinary_model_of_three_classes_loads(name, tmp_path):
    model = ORDINARY[name].fit(X, THREE)
    loaded, _ = load_model(saved(model, tmp_path / "m.skops"))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


# Of the versions of scikit-learn and SciPy, each has most of these.
OF_SOME_VERSIONS = {
    "scipy._external.array_api_compat.numpy._aliases.asarray",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.metrics._classification.d2_brier_score",
    "sklearn.metrics._classification.d2_log_loss_score",
}


@pytest.mark.parametrize("name", sorted(TRUSTED))
def test_what_is_trusted_is_there_and_no_module(name):
    module, _, last = name.rpartition(".")
    assert not is_hostile(name)
    try:
        found = getattr(importlib.import_module(module), last)
    except (ImportError, AttributeError):
        assert name in OF_SOME_VERSIONS
    else:
        assert callable(found)


# What stays out


def crafted(path, name, loader):
    """A file of a model with one attribute that names something else."""
    module, _, last = name.rpartition(".")
    parts = parts_of(skops.dumps(LogisticRegression().fit(X, Y)))
    schema = json.loads(parts["schema.json"])
    text = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode"}
    arguments = {
        "__class__": "tuple",
        "__module__": "builtins",
        "__loader__": "TupleNode",
        "content": [{**text, "content": '"true"', "is_json": True}],
    }
    schema["content"]["content"]["C"] = {
        "__class__": last,
        "__module__": module,
        "__loader__": loader,
        "content": arguments,
        "attrs": arguments,
    }
    packed(path, parts | {"schema.json": json.dumps(schema).encode()})
    return path


@pytest.fixture
def never_loaded(monkeypatch):
    monkeypatch.setattr("skops.io.load", lambda *args, **kwargs: pytest.fail("loaded"))


def refusal(path):
    with pytest.raises(ValueError, match=r"trust|no model needs") as caught:
        load_model(path)
    message = str(caught.value)
    assert repr(str(path)) in message
    assert "\n" not in message
    return message


LOADERS = ["FunctionNode", "TypeNode", "ObjectNode", "ConstructorFromReduceNode"]


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    "name", ["os.system", "posix.system", "builtins.eval", "subprocess.Popen"]
)
def test_a_file_that_would_run_a_command_is_refused(
    name, loader, tmp_path, never_loaded
):
    path = crafted(tmp_path / "m.skops", name, loader)
    message = refusal(path)
    assert message.startswith(f"{str(path)!r} would run {name}, which no model needs")
    assert "--trust" not in message


@pytest.mark.parametrize(
    "name",
    [
        "joblib.memory.Memory",
        "lightgbm.sklearn.LGBMClassifier",
        "numpy.load",
        "operator.attrgetter",
        "operator.methodcaller",
        "scipy.stats._distn_infrastructure.rv_continuous_frozen",
        "sklearn.datasets._base.load_files",
        "sklearn.metrics._dist_metrics.PyFuncDistance64",
        "xgboost.sklearn.XGBClassifier",
    ],
)
def test_what_could_run_other_code_is_named_with_the_option(
    name, tmp_path, never_loaded
):
    loader = "OperatorFuncNode" if name.startswith("operator") else "ObjectNode"
    message = refusal(crafted(tmp_path / "m.skops", name, loader))
    assert "holds a type not known to be harmless. To trust a type means" in message
    assert message.endswith(f"add: --trust {name}")


def test_a_method_is_refused_by_its_name(tmp_path):
    model = make_pipeline(FunctionTransformer(np.log1p), LINEAR).fit(X, Y)
    model[0].func = StandardScaler().fit(X).transform
    message = refusal(saved(model, tmp_path / "m.skops"))
    assert "StandardScaler.transform" in message


@pytest.fixture
def module_of_a_user(monkeypatch):
    module = types.ModuleType("train_it's")
    exec(
        "def double(X):\n    return 2 * X\ndef halve(X):\n    return X / 2\n",
        vars(module),
    )
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_the_options_in_the_error_can_be_pasted(tmp_path, capsys, module_of_a_user):
    pytest.importorskip("pandas")
    double, halve = module_of_a_user.double, module_of_a_user.halve
    model = make_pipeline(FunctionTransformer(double, halve), TREE).fit(X, Y)
    path = saved(model, tmp_path / "m.skops")
    table = tmp_path / "t.csv"
    np.savetxt(table, np.c_[X, Y], "%.3f", ",", header="a,b,c,d,y", comments="")
    command = ["audit", str(path), str(table), str(table), "--label=y"]
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "holds 2 types not known to be harmless" in err
    options = shlex.split(err[err.index("add: ") + len("add: ") :])
    names = ["train_it's.double", "train_it's.halve"]
    assert options == ["--trust", names[0], "--trust", names[1]]
    # Both sides are one table.
    assert main([*command, *options, "--n-shadows=2"]) == 4
    assert "cannot be read as leakage" in capsys.readouterr().out


def test_an_error_of_many_types_is_short(tmp_path):
    parts = parts_of(skops.dumps(LogisticRegression().fit(X, Y)))
    schema = json.loads(parts["schema.json"])
    for number in range(500):
        schema["content"]["content"][f"a{number}"] = {
            "__class__": f"Kind{number:03}",
            "__module__": "package.of.somebody",
            "__loader__": "TypeNode",
        }
    path = tmp_path / "m.skops"
    packed(path, parts | {"schema.json": json.dumps(schema).encode()})
    message = refusal(path)
    assert len(message) < 1600 + len(str(path))
    shown = message.count("--trust")
    assert shown > 20
    assert message.endswith(f" (and {500 - shown} more)")


# Numbers that compiled code follows


def lead_beyond(tree):
    tree.children_left[0] = tree.node_count


def lead_in_a_circle(tree):
    tree.children_right[0] = 0


def ask_a_missing_feature(tree):
    tree.feature[0] = 4


def ask_a_feature_before_the_first(tree):
    tree.feature[0] = -7


def half_a_leaf(tree):
    tree.children_right[0] = -1


@pytest.mark.parametrize("name", ["tree", "forest", "boosting", "ada", "scaled"])
@pytest.mark.parametrize(
    "damage",
    [
        lead_beyond,
        lead_in_a_circle,
        ask_a_missing_feature,
        ask_a_feature_before_the_first,
        half_a_leaf,
    ],
)
def test_a_tree_that_leads_astray_is_refused(name, damage, tmp_path):
    model = ORDINARY[name].fit(X, Y)
    holder = model[-1] if name == "scaled" else model
    trees = np.ravel(getattr(holder, "estimators_", [holder]))
    damage(trees[-1].tree_)
    if damage is ask_a_missing_feature:
        trees[-1].tree_.feature[0] = trees[-1].n_features_in_
    path = saved(model, tmp_path / "m.skops")
    with pytest.raises(ValueError, match="nodes that lead out of their arrays"):
        load_model(path)


def test_a_tree_of_other_features_than_its_forest_is_refused(tmp_path):
    model = RandomForestClassifier(2, random_state=0).fit(X, Y)
    model.n_features_in_ = 3
    path = saved(model, tmp_path / "m.skops")
    with pytest.raises(ValueError, match="lead out of their arrays"):
        load_model(path)


def test_boosting_with_trees_of_another_class_is_refused(tmp_path):
    model = GradientBoostingClassifier(n_estimators=2, random_state=0).fit(X, Y)
    model.estimators_ = np.column_stack([model.estimators_] * 3)
    path = saved(model, tmp_path / "m.skops")
    with pytest.raises(ValueError, match="trees of an unknown class"):
        load_model(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("left", 9999),
        ("right", 0),
        ("feature_idx", 4),
        ("is_categorical", 1),
        ("bitset_idx", 7),
    ],
)
def test_histogram_boosting_that_leads_astray_is_refused(field, value, tmp_path):
    model = HistGradientBoostingClassifier(
        max_iter=1,
        min_samples_leaf=2,
        categorical_features=[0] if field == "bitset_idx" else None,
    ).fit(np.c_[THREE, X[:, 1:]], THREE == 1)
    nodes = model._predictors[0][0].nodes
    if field == "bitset_idx":
        assert nodes["is_categorical"][0] == 1
    nodes[field][0] = value
    path = saved(model, tmp_path / "m.skops")
    with pytest.raises(ValueError, match="lead out of their arrays"):
        load_model(path)


def test_categories_that_another_step_takes_out_are_refused(tmp_path):
    model = OF_PEOPLE["histogram of categories"].fit(people(), Y)
    model._preprocessor.transformers_[1] = ("numerical", PCA(1), [0, 1])
    path = saved(model, tmp_path / "m.skops")
    with pytest.raises(ValueError, match="an unknown encoder"):
        load_model(path)


def test_a_search_tree_is_built_anew(tmp_path):
    model = KNeighborsClassifier(algorithm="kd_tree", leaf_size=5).fit(X, Y)
    expected = model.kneighbors(X)
    other = KNeighborsClassifier(algorithm="kd_tree").fit(X[:3] * 9, Y[:3])
    model._tree = other._tree
    loaded, _ = load_model(saved(model, tmp_path / "m.skops"))
    np.testing.assert_array_equal(loaded.kneighbors(X), expected)


def test_a_search_tree_elsewhere_needs_to_be_trusted(tmp_path):
    model = make_pipeline(StandardScaler(), LINEAR).fit(X, Y)
    model[0].density = KernelDensity(algorithm="kd_tree").fit(X)
    path = saved(model, tmp_path / "m.skops")
    name = "sklearn.neighbors._kd_tree.KDTree"
    with pytest.raises(ValueError, match=f"where none belongs; .*: --trust {name}"):
        load_model(path)
    assert load_model(path, trusted=[name])[0].predict(X).shape == (40,)


def test_a_spline_that_leads_astray_is_refused(tmp_path):
    model = ORDINARY["spline"].fit(X, Y)
    model[1].bsplines_[0].k = 40
    path = saved(model, tmp_path / "m.skops")
    with pytest.raises(ValueError, match="cannot be used as a skops file"):
        load_model(path)


def test_a_folder_of_pickles_is_forgotten(tmp_path):
    memory = str(tmp_path / "cache")
    model = Pipeline([("a", StandardScaler()), ("b", LINEAR)], memory=memory).fit(X, Y)
    loaded, _ = load_model(saved(model, tmp_path / "m.skops"))
    assert model.memory == memory
    assert loaded.memory is None
