import pickle

import numpy as np
import pytest
import sklearn
from helpers.selection import (
    LOSS,
    MEMBERS,
    OTHERS,
    PERSONS,
    SCORING,
    X,
    Y,
    advantage,
    fitted,
    forest,
    tree,
)
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_mia import RMIA
from sklearn_mia.model_selection import (
    AuditableClassifier,
    CoarsenedClassifier,
    make_leakage_scorer,
)


@pytest.mark.parametrize(
    "estimator",
    [forest(3), LogisticRegression(), LinearSVC(), KNeighborsClassifier()],
    ids=lambda e: type(e).__name__,
)
def test_auditable_has_what_the_classifier_has_and_nothing_else(estimator):
    bare = clone(estimator).fit(X[MEMBERS], Y[MEMBERS])
    unfitted, model = AuditableClassifier(estimator), fitted(estimator)
    for method in ("predict_proba", "decision_function", "predict_log_proba"):
        assert hasattr(unfitted, method) == hasattr(estimator, method)
        assert hasattr(model, method) == hasattr(bare, method)
        if hasattr(bare, method) and method != "predict_log_proba":
            np.testing.assert_array_equal(
                getattr(model, method)(X), getattr(bare, method)(X)
            )
    np.testing.assert_array_equal(model.predict(X), bare.predict(X))
    assert model.score(X, Y) == bare.score(X, Y)
    for name in vars(bare):
        if name.endswith("_") and not name.startswith("_"):
            assert hasattr(model, name)
            assert not hasattr(unfitted, name)
    assert hasattr(model, "feature_importances_") == hasattr(
        bare, "feature_importances_"
    )
    assert not hasattr(model, "apply")
    assert not hasattr(model, "partial_fit")
    html = model._repr_html_()
    assert type(estimator).__name__ in html
    assert str(model.record_ids[0]) not in html


def test_tags_follow_the_classifier():
    from sklearn.utils import get_tags

    for estimator in (GaussianNB(), LogisticRegression(), forest()):
        tags, own = get_tags(AuditableClassifier(estimator)), get_tags(estimator)
        assert tags.estimator_type == "classifier"
        assert tags.input_tags == own.input_tags
        assert tags.classifier_tags.multi_class == own.classifier_tags.multi_class


def test_two_outputs_are_refused():
    with pytest.raises(ValueError, match="y must have one dimension, got shape"):
        AuditableClassifier(forest()).fit(X, np.column_stack([Y, Y]))


def test_names_and_search_parameters_pass_through():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    model = AuditableClassifier(tree()).fit(frame, Y)
    assert list(model.feature_names_in_) == list("abcdefgh")
    assert model.set_params(estimator__max_depth=2).estimator.max_depth == 2


def test_sample_weight_is_routed():
    weight = np.where(np.arange(400) < 20, 100.0, 0.01)
    bare = LogisticRegression().fit(X, Y, sample_weight=weight)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = LogisticRegression().set_fit_request(sample_weight=True)
        asking.set_score_request(sample_weight=False)
        model = AuditableClassifier(asking).fit(X, Y, sample_weight=weight)
        np.testing.assert_array_equal(model.coef_, bare.coef_)
        search = GridSearchCV(
            AuditableClassifier(asking),
            {"estimator__C": [0.1, 1.0]},
            scoring={"leakage": make_leakage_scorer(LOSS)},
            refit="leakage",
            cv=2,
        ).fit(X, Y, sample_weight=weight)
        assert np.all(np.isfinite(search.cv_results_["mean_test_leakage"]))
        with pytest.raises(ValueError, match="sample_weight"):
            AuditableClassifier(LogisticRegression()).fit(X, Y, sample_weight=weight)


def test_a_search_passes_weights_of_its_folds():
    weight = np.where(Y == 0, 10.0, 0.1)
    options = {"refit": False, "cv": 2, "error_score": "raise"}
    search = GridSearchCV(
        AuditableClassifier(LogisticRegression()),
        {"estimator__C": [1.0]},
        scoring=SCORING,
        **options,
    ).fit(X, Y, sample_weight=weight)
    plain = GridSearchCV(LogisticRegression(), {"C": [1.0]}, **options)
    plain.fit(X, Y, sample_weight=weight)
    assert (
        search.cv_results_["mean_test_accuracy"] == plain.cv_results_["mean_test_score"]
    )
    for k, (train, test) in enumerate(StratifiedKFold(2).split(X, Y)):
        model = LogisticRegression().fit(X[train], Y[train], weight[train])
        by_hand = advantage(model, X[train], Y[train], X[test], Y[test])
        found = search.cv_results_[f"split{k}_test_leakage"][0]
        assert found == pytest.approx(-by_hand, abs=1e-12)


def test_shadows_refuse_a_classifier_fitted_with_weights():
    model = AuditableClassifier(LogisticRegression())
    model.fit(X[MEMBERS], Y[MEMBERS], sample_weight=np.ones(200))
    with pytest.raises(ValueError, match="sample_weight, which the shadows of RMIA"):
        make_leakage_scorer(RMIA(n_shadows=2))(model, X[OTHERS], Y[OTHERS])


def test_a_pickle_holds_the_model_alone():
    big, labels = np.tile(X, (50, 1)) + np.arange(20_000)[:, None], np.tile(Y, 50)
    model = AuditableClassifier(LogisticRegression(max_iter=1000))
    model.fit(StandardScaler().fit_transform(big), labels)
    size = len(pickle.dumps(model))
    assert size < 5_000
    assert len(pickle.dumps(model.set_params(keep_records=True))) > 20_000 * 8 * 8


@pytest.mark.parametrize("copied", ["pickle", "copy", "deepcopy"])
def test_what_a_copy_remembers(copied):
    import copy

    def duplicate(model):
        if copied == "pickle":
            return pickle.loads(pickle.dumps(model))
        return getattr(copy, copied)(model)

    forgetful = duplicate(fitted())
    np.testing.assert_array_equal(forgetful.predict_proba(X), fitted().predict_proba(X))
    assert not hasattr(forgetful, "record_ids")
    with pytest.raises(AttributeError, match=r"left out when.*keep_records=True"):
        forgetful.was_trained_on(X, Y)
    with pytest.raises(AttributeError, match=r"left out when.*keep_records=True"):
        make_leakage_scorer()(forgetful, X[OTHERS], Y[OTHERS])
    keeper = duplicate(fitted(keep_records=True))
    assert keeper.was_trained_on(X, Y).sum() == 200
    assert make_leakage_scorer()(keeper, X[OTHERS], Y[OTHERS]) == (
        make_leakage_scorer()(fitted(), X[OTHERS], Y[OTHERS])
    )


def test_training_records_are_recognised_by_content():
    model = fitted()
    order = np.random.default_rng(0).permutation(400)
    np.testing.assert_array_equal(model.was_trained_on(X[order], Y[order]), order < 200)
    assert not model.was_trained_on(X[MEMBERS], 1 - Y[MEMBERS]).any()
    assert len(model.record_ids) == 200


def test_a_changed_training_table_is_noticed():
    data = X.copy()
    model = AuditableClassifier(forest()).fit(data[MEMBERS], Y[MEMBERS])
    data[MEMBERS] += 1
    with pytest.raises(ValueError, match="changed in place"):
        make_leakage_scorer()(model, data[OTHERS], Y[OTHERS])


def test_a_trained_model_is_declared_with_a_frozen_estimator():
    bare = forest().fit(X[MEMBERS], Y[MEMBERS])
    model = fitted(FrozenEstimator(bare))
    assert model.estimator_.estimator is bare
    assert make_leakage_scorer()(model, X[OTHERS], Y[OTHERS]) == (
        make_leakage_scorer()(fitted(), X[OTHERS], Y[OTHERS])
    )


@pytest.mark.parametrize("max_samples", [None, 20])
def test_records_of_whole_persons_can_be_looked_at_by_hand(max_samples):
    model = AuditableClassifier(LogisticRegression())
    model.fit(X[:120], Y[:120], groups=PERSONS[:120])
    records, is_member, groups = model.membership_records(
        X[OTHERS], Y[OTHERS], groups=PERSONS[OTHERS], max_samples=max_samples
    )
    known = model.was_trained_on(records[:, :-1], records[:, -1].astype(int))
    np.testing.assert_array_equal(known, is_member)
    assert len(records) == len(groups) == len(is_member)
    size = max_samples or 48
    persons = [PERSONS[np.isin(X[:, 0], records[s, 0])] for s in (known, ~known)]
    for own, side in zip(persons, (known, ~known), strict=True):
        assert len(set(own)) == len(set(groups[side])) == size
        # With all their records.
        assert np.isin(PERSONS, own).sum() == side.sum()
    again = model.membership_records(
        X[OTHERS], Y[OTHERS], groups=PERSONS[OTHERS].tolist(), max_samples=max_samples
    )
    np.testing.assert_array_equal(again[0], records)


def test_groups_reach_a_search_inside_and_no_other_classifier():
    inner = GridSearchCV(tree(), {"max_depth": [1, 2]}, cv=GroupKFold(2))
    for estimator in (inner, CoarsenedClassifier(inner, decimals=1)):
        model = AuditableClassifier(estimator)
        with pytest.raises(ValueError, match="groups"):
            model.fit(X, Y)
        model.fit(X, Y, groups=PERSONS)
        assert model._training.groups.tolist() == PERSONS.tolist()
        assert model._training.metadata == []
    bare = tree().fit(X, Y)
    model = AuditableClassifier(tree()).fit(X, Y, groups=PERSONS)
    np.testing.assert_array_equal(model.predict_proba(X), bare.predict_proba(X))
    with sklearn.config_context(enable_metadata_routing=True):
        model = AuditableClassifier(inner).fit(X, Y, groups=PERSONS)
        assert hasattr(model.estimator_, "best_params_")
    with pytest.raises(ValueError, match="groups has 2 keys for 400 records"):
        model.fit(X, Y, groups=[1, 2])


def test_a_pickle_holds_no_keys_of_persons():
    names = np.array([f"patient-{person}" for person in PERSONS])
    model = AuditableClassifier(LogisticRegression()).fit(X, Y, groups=names)
    assert b"patient-" not in pickle.dumps(model)
    kept = pickle.loads(pickle.dumps(model.set_params(keep_records=True)))
    np.testing.assert_array_equal(kept._training.groups, names)
