"""Tools of scikit-learn that take a classifier, each as numbers to be compared."""

import pickle
from copy import deepcopy
from tempfile import TemporaryDirectory

import joblib
import numpy as np
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import DetCurveDisplay, RocCurveDisplay, get_scorer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    train_test_split,
    validation_curve,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import _safe_indexing, check_consistent_length, indexable, resample
from sklearn.utils import shuffle as shuffled
from sklearn.utils.validation import _num_samples

FOLDS = StratifiedKFold(2, shuffle=True, random_state=0)
# Which of them start processes of their own, or fit many times.
SLOW = {
    "HalvingGridSearchCV",
    "TunedThresholdClassifierCV",
    "learning_curve",
    "permutation_test_score",
    "validation_curve",
    "cross_validate",
    "GridSearchCV",
    "cross_val_predict",
    "StackingClassifier",
    "CalibratedClassifierCV isotonic",
    "Parallel with memmaps",
}
TOOLS = {}


def tool(name):
    def decorator(function):
        TOOLS[name] = function
        return function

    return decorator


def _groups(m):
    return np.arange(len(m)) // 3


@tool("score")
def _(attack, X, m):
    return attack.fit(X, m).score(X, m)


@tool("methods")
def _(attack, X, m):
    attack.fit(X, m)
    asked = attack.score_samples, attack.decision_function, attack.predict
    return [method(X) for method in asked]


@tool("get_scorer")
def _(attack, X, m):
    attack.fit(X, m)
    return [get_scorer(name)(attack, X, m) for name in ("roc_auc", "balanced_accuracy")]


@tool("clone")
def _(attack, X, m):
    return clone(attack.fit(X, m)).fit(X, m).score_samples(X)


@tool("FrozenEstimator")
def _(attack, X, m):
    return FrozenEstimator(attack.fit(X, m)).score_samples(X)


@tool("pickle and deepcopy")
def _(attack, X, m):
    attack.fit(X, m)
    copies = pickle.loads(pickle.dumps((attack, X))), deepcopy((attack, X))
    return [copied.score_samples(own) for copied, own in copies]


@tool("joblib.dump")
def _(attack, X, m):
    with TemporaryDirectory() as folder:
        joblib.dump((attack.fit(X, m), X), f"{folder}/a.joblib")
        copied, own = joblib.load(f"{folder}/a.joblib")
        return copied.score_samples(own)


@tool("joblib.load with memmaps")
def _(attack, X, m):
    with TemporaryDirectory() as folder:
        joblib.dump((attack, X), f"{folder}/a.joblib")
        copied, own = joblib.load(f"{folder}/a.joblib", mmap_mode="r")
        return copied.fit(own, m).score_samples(own)


@tool("joblib.hash")
def _(attack, X, m):
    copied = pickle.loads(pickle.dumps(X))
    return [joblib.hash(X) == joblib.hash(copied), joblib.hash(X) == joblib.hash(X[1:])]


@tool("Parallel with memmaps")
def _(attack, X, m):
    run = joblib.Parallel(n_jobs=2, max_nbytes=1000)
    return run(joblib.delayed(_fit_score)(attack, X, m) for _ in range(2))


def _fit_score(attack, X, m):
    return attack.fit(X, m).score_samples(X)


@tool("cross_val_score")
def _(attack, X, m):
    return cross_val_score(attack, X, m, cv=FOLDS)


@tool("cross_validate")
def _(attack, X, m):
    found = cross_validate(
        attack,
        X,
        m,
        cv=FOLDS,
        n_jobs=2,
        return_train_score=True,
        return_indices=True,
    )
    return [found["test_score"], found["train_score"], *found["indices"]["test"]]


@tool("cross_val_predict")
def _(attack, X, m):
    return cross_val_predict(attack, X, m, cv=FOLDS, method="decision_function")


@tool("permutation_test_score")
def _(attack, X, m):
    found = permutation_test_score(
        attack, X, m, cv=FOLDS, n_permutations=5, random_state=0
    )
    return [found[0], found[1], found[2]]


@tool("learning_curve")
def _(attack, X, m):
    return learning_curve(attack, X, m, cv=FOLDS, train_sizes=[0.5, 1.0])[1:]


@tool("validation_curve")
def _(attack, X, m):
    return validation_curve(
        attack, X, m, param_name="max_fpr", param_range=[0.1, 0.4], cv=FOLDS
    )


def _grid(attack, **params):
    grid = {"max_fpr": [0.1, 0.4]}
    return GridSearchCV(attack, grid, scoring="balanced_accuracy", cv=FOLDS, **params)


@tool("GridSearchCV")
def _(attack, X, m):
    search = _grid(attack, n_jobs=2).fit(X, m)
    return [search.cv_results_["mean_test_score"], search.decision_function(X)]


@tool("HalvingGridSearchCV")
def _(attack, X, m):
    search = HalvingGridSearchCV(
        attack,
        {"max_fpr": [0.1, 0.2, 0.4]},
        scoring="balanced_accuracy",
        cv=FOLDS,
        min_resources=30,
        random_state=0,
    ).fit(X, m)
    return [search.cv_results_["mean_test_score"], search.decision_function(X)]


@tool("Pipeline passthrough")
def _(attack, X, m):
    model = Pipeline([("nothing", "passthrough"), ("attack", attack)])
    return cross_val_score(model, X, m, cv=FOLDS)


@tool("Pipeline FunctionTransformer")
def _(attack, X, m):
    return cross_val_score(make_pipeline(FunctionTransformer(), attack), X, m, cv=FOLDS)


@tool("Pipeline with memory")
def _(attack, X, m):
    with TemporaryDirectory() as folder:
        model = make_pipeline(FunctionTransformer(), attack, memory=folder)
        return [model.fit(X, m).score_samples(X) for _ in range(2)]


@tool("Pipeline set_output")
def _(attack, X, m):
    model = make_pipeline("passthrough", attack).set_output(transform="default")
    return cross_val_score(model, X, m, cv=FOLDS)


def _final():
    return LogisticRegression()


@tool("StackingClassifier")
def _(attack, X, m):
    model = StackingClassifier([("attack", attack)], _final(), cv=FOLDS, n_jobs=2)
    return model.fit(X, m).predict_proba(X)


@tool("StackingClassifier prefit")
def _(attack, X, m):
    model = StackingClassifier([("attack", attack.fit(X, m))], _final(), cv="prefit")
    return model.fit(X, m).predict_proba(X)


@tool("VotingClassifier")
def _(attack, X, m):
    model = VotingClassifier([("a", attack), ("b", clone(attack))])
    return model.fit(X, m).predict(X)


@tool("CalibratedClassifierCV sigmoid")
def _(attack, X, m):
    model = CalibratedClassifierCV(attack, cv=FOLDS)
    return model.fit(X, m).predict_proba(X)


@tool("CalibratedClassifierCV isotonic")
def _(attack, X, m):
    model = CalibratedClassifierCV(
        attack, method="isotonic", cv=FOLDS, ensemble=False, n_jobs=2
    )
    return model.fit(X, m).predict_proba(X)


@tool("CalibratedClassifierCV frozen")
def _(attack, X, m):
    model = CalibratedClassifierCV(FrozenEstimator(attack.fit(X, m)))
    return model.fit(X, m).predict_proba(X)


@tool("TunedThresholdClassifierCV")
def _(attack, X, m):
    model = TunedThresholdClassifierCV(attack, cv=FOLDS).fit(X, m)
    return [model.best_threshold_, model.predict(X)]


@tool("FixedThresholdClassifier")
def _(attack, X, m):
    return FixedThresholdClassifier(attack, threshold=0.0).fit(X, m).predict(X)


def _shown(display):
    """A display whose figure is closed again."""
    from matplotlib import pyplot

    pyplot.close(display.figure_)
    return display


@tool("RocCurveDisplay")
def _(attack, X, m):
    return _shown(RocCurveDisplay.from_estimator(attack.fit(X, m), X, m)).roc_auc


@tool("RocCurveDisplay.from_cv_results")
def _(attack, X, m):
    found = cross_validate(
        attack, X, m, cv=FOLDS, return_estimator=True, return_indices=True
    )
    return _shown(RocCurveDisplay.from_cv_results(found, X, m)).roc_auc


@tool("DetCurveDisplay")
def _(attack, X, m):
    return _shown(DetCurveDisplay.from_estimator(attack.fit(X, m), X, m)).fnr


@tool("train_test_split stratified")
def _(attack, X, m):
    a, b, p, q = train_test_split(X, m, stratify=m, random_state=0)
    return attack.fit(a, p).score(b, q)


@tool("train_test_split in order")
def _(attack, X, m):
    a, b = train_test_split(X, shuffle=False)
    p, q = train_test_split(m, shuffle=False)
    return [attack.fit(a, p).score_samples(b), q]


@tool("shuffle")
def _(attack, X, m):
    own, p = shuffled(X, m, random_state=0)
    return attack.fit(own, p).score_samples(own)


@tool("resample")
def _(attack, X, m):
    own, p = resample(X, m, random_state=0)
    return attack.fit(own, p).score_samples(own)


@tool("indexable")
def _(attack, X, m):
    own, p = indexable(X, m)
    check_consistent_length(own, p)
    return [_num_samples(own), len(own), *attack.fit(own, p).score_samples(own)]


@tool("_safe_indexing")
def _(attack, X, m):
    n = len(m)
    attack.fit(X, m)
    keys = (
        slice(3, 20),
        slice(None),
        [5, 2, 2],
        np.array([-1, 0]),
        np.arange(n) % 3 == 0,
        (np.arange(n) % 2 == 0).tolist(),
        np.array([7], dtype=np.int32),
        (0, 1, 2),
        slice(None, None, -2),
    )
    return np.concatenate([attack.score_samples(_safe_indexing(X, k)) for k in keys])


@tool("no records")
def _(attack, X, m):
    return [_num_samples(_safe_indexing(X, k)) for k in ([], slice(0, 0), m & ~m)]


@tool("GroupKFold")
def _(attack, X, m):
    return cross_val_score(attack, X, m, groups=_groups(m), cv=GroupKFold(2))


@tool("routing in cross_validate")
def _(attack, X, m):
    with sklearn.config_context(enable_metadata_routing=True):
        found = cross_validate(
            attack.set_fit_request(groups=False),
            X,
            m,
            params={"groups": _groups(m)},
            cv=GroupKFold(2),
        )
    return found["test_score"]


@tool("routing in GridSearchCV")
def _(attack, X, m):
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            attack.set_fit_request(groups=True),
            {"max_fpr": [0.1, 0.4]},
            cv=GroupKFold(2),
        ).fit(X, m, groups=_groups(m))
        return search.cv_results_["mean_test_score"]


@tool("routing in StackingClassifier")
def _(attack, X, m):
    with sklearn.config_context(enable_metadata_routing=True):
        model = StackingClassifier([("attack", attack)], _final(), cv=FOLDS)
        return model.fit(X, m).predict_proba(X)
