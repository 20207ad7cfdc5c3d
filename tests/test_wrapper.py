import numpy as np
import pytest
from helpers.common_checks import scikit_learn_checks
from helpers.selection import X, Y, forest, tree
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_mia.model_selection import AuditableClassifier, CoarsenedClassifier


@scikit_learn_checks(
    [
        AuditableClassifier(make_pipeline(StandardScaler(), LinearSVC())),
        CoarsenedClassifier(tree(), label_only=True),
        AuditableClassifier(CoarsenedClassifier(tree(), decimals=1)),
    ],
    slow=[
        AuditableClassifier(tree()),
        AuditableClassifier(forest(3), keep_records=True),
        CoarsenedClassifier(tree(), decimals=1, top_k=2, temperature=2.0),
    ],
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("wrapper", [AuditableClassifier, CoarsenedClassifier])
def test_sample_weight_reaches_the_classifier(wrapper):
    weight = np.where(np.arange(400) < 20, 100.0, 0.01)
    bare = LogisticRegression().fit(X, Y, sample_weight=weight)
    model = wrapper(LogisticRegression()).fit(X, Y, sample_weight=weight)
    np.testing.assert_array_equal(model.estimator_.coef_, bare.coef_)
    inside = wrapper(make_pipeline(StandardScaler(), LogisticRegression()))
    inside.fit(X, Y, logisticregression__sample_weight=weight)
    unweighted = clone(inside).fit(X, Y)
    assert not np.allclose(inside.predict_proba(X), unweighted.predict_proba(X))
    with pytest.raises(TypeError, match="sample_weight"):
        wrapper(KNeighborsClassifier()).fit(X, Y, sample_weight=weight)


class Recorder:
    """A callback that notes which estimators report a fit."""

    max_propagation_depth = None

    def __init__(self):
        self.names = []

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **kwargs):
        self.names.append(type(estimator).__name__)

    def on_fit_task_end(self, estimator, context, **kwargs):
        pass

    def teardown(self, estimator, context):
        pass


@pytest.mark.parametrize("wrapper", [AuditableClassifier, CoarsenedClassifier])
def test_callbacks_reach_the_classifier(wrapper):
    pytest.importorskip("sklearn", "1.9", reason="no callbacks")
    recorder = Recorder()
    wrapper(LogisticRegression()).set_callbacks(recorder).fit(X, Y)
    assert {wrapper.__name__, "LogisticRegression"} <= set(recorder.names)
