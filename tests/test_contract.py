"""What every attack promises, and what it refuses, as one clear error."""

import inspect
import pickle
import re
import warnings

import joblib
import numpy as np
import pytest
from helpers import all_estimators, in_turn
from helpers.attacks import (
    ATTACKS,
    ON_A_TARGET,
    every_attack,
    every_attack_on_any_model,
    fitted,
    half,
    make,
    model_for,
    plain_attack,
    refused,
    table,
    train,
)
from helpers.targets import WithoutTags
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from sklearn_mia import as_records


@every_attack
def test_an_unfitted_attack_says_that_it_is_the_attack(cls):
    X, y = table()
    attack, records = make(cls, train(model_for(cls), X, y)), as_records(X, y)
    methods = [attack.score_samples, attack.decision_function, attack.predict]
    for method in [*methods, lambda X: attack.score(X, half(X))]:
        with pytest.raises(NotFittedError, match=f"This {cls.__name__} instance is"):
            method(records)


@every_attack_on_any_model
def test_members_score_higher(cls):
    X, y = table(300, flip_y=0.4)
    target = train(KNeighborsClassifier(1), X, y)
    records, is_member = as_records(X, y), half(X)
    attack = fitted(cls, target, records)
    if get_tags(attack).target_tags.required:
        # What it learned from is no measure of it.
        score = cross_val_predict(
            make(cls, target), records, is_member, method="decision_function", cv=3
        )
    else:
        score = attack.score_samples(records)
        assert attack.score(records, is_member) == roc_auc_score(is_member, score)
    assert roc_auc_score(is_member, score) > 0.6
    assert score[is_member].mean() > score[~is_member].mean()
    assert attack.classes_.tolist() == [False, True]
    decision = attack.decision_function(records)
    assert_array_equal(decision, attack.score_samples(records) - attack.offset_)
    assert_array_equal(attack.predict(records), decision > 0)


@in_turn(("cls", "labels"), ATTACKS, [[0, 1], [-1, 1], [False, True]])
def test_the_member_is_the_last_class_in_any_coding(cls, labels):
    X, y = table()
    target, records = train(model_for(cls), X, y), as_records(X, y)
    expected = plain_attack(cls)
    y_member = np.array(labels)[half(X).astype(int)]
    attack = make(cls, target).fit(records, y_member)
    assert attack.classes_.tolist() == labels
    called = np.array(labels)[expected.predict(records).astype(int)]
    assert_array_equal(attack.predict(records), called)
    assert attack.offset_ == expected.offset_


@every_attack
def test_a_text_member_label_is_named_in_a_warning_or_given(cls):
    X, y = table()
    target, records = train(model_for(cls), X, y), as_records(X, y)
    expected = plain_attack(cls)
    message = (
        "y has the labels ['a', 'b']; 'b', which sorts last, is taken as member. Pass "
        "member_label to say which one is."
    )
    with pytest.warns(UserWarning, match=re.escape(message)) as caught:
        attack = make(cls, target).fit(records, np.where(half(X), "b", "a"))
    assert len(caught) == 1
    assert attack.classes_.tolist() == ["a", "b"]
    assert_array_equal(attack.score_samples(records), expected.score_samples(records))

    y_member = np.where(half(X), "member", "nonmember")
    sorts_first = "The member label 'member' sorts before the other one"
    with (
        pytest.warns(UserWarning, match=sorts_first),
        pytest.warns(UserWarning, match="'member' is taken as member"),
    ):
        attack = make(cls, target).fit(records, y_member)
    with pytest.warns(UserWarning, match=sorts_first) as caught:
        given = make(cls, target, member_label="member").fit(records, y_member)
    assert len(caught) == 1
    for named in (attack, given):
        assert named.classes_.tolist() == ["nonmember", "member"]
        scores = named.score_samples(records)
        assert_array_equal(scores, expected.score_samples(records))
        assert named.score(records, y_member) == expected.score(records, half(X))


def sentinels(cls):
    names = inspect.signature(cls).parameters
    values = ["text", 3, None, [1, 2], (1, 2), np.arange(3), {"a": 1}]
    return {name: values[i % len(values)] for i, name in enumerate(names)}


@pytest.mark.parametrize("cls", all_estimators())
def test_a_clone_keeps_every_parameter(cls):
    params = sentinels(cls)
    estimator = cls(**params)
    for name, value in params.items():
        assert getattr(estimator, name) is value
    cloned = clone(estimator).get_params(deep=False)
    assert set(cloned) == set(params)
    for name, value in params.items():
        assert_array_equal(cloned[name], value)
        assert type(cloned[name]) is type(value)


@in_turn(("cls", "keep_models"), ATTACKS, [False, True])
def test_a_fitted_attack_can_be_saved(cls, keep_models, tmp_path):
    X, y = table()
    records = as_records(X, y)
    attack = fitted(cls, train(model_for(cls), X, y), records, keep_models=keep_models)
    expected = attack.score_samples(records)
    joblib.dump(attack, tmp_path / "attack.joblib")
    for loaded in (
        pickle.loads(pickle.dumps(attack)),
        joblib.load(tmp_path / "attack.joblib"),
    ):
        assert_array_equal(loaded.score_samples(records), expected)
        assert loaded.offset_ == attack.offset_
        assert_array_equal(loaded.predict(records), attack.predict(records))


@every_attack
def test_one_hot_membership_is_refused(cls):
    X, y = table()
    target, records = train(model_for(cls), X, y), as_records(X, y)
    one_hot = np.eye(2)[half(X).astype(int)]
    message = "y must be 1-d labels, got shape (160, 2). If y is one-hot, pass the"
    refused(cls, target, records, ValueError, message, y=one_hot)


@every_attack
def test_records_of_one_person_stay_together(cls):
    X, y = table()
    records, persons = as_records(X, y), np.repeat(np.arange(32), 5)
    attack = make(cls, train(model_for(cls), X, y))
    attack.fit(records, half(X), groups=persons)
    if hasattr(attack, "shadow_members_"):
        members = attack.shadow_members_.reshape(-1, 32, 5)
        assert_array_equal(members.min(axis=2), members.max(axis=2))
        assert_array_equal(members.any(axis=2).sum(axis=1), 16)


@pytest.mark.parametrize("cls", all_estimators())
def test_an_estimator_can_always_be_shown(cls):
    X, y = table()
    target, records = train(model_for(cls), X, y), as_records(X, y)
    shown = [cls()]
    if cls in ON_A_TARGET:
        fitted_one = make(cls, target).fit(records, half(X))
        bad = make(cls, LogisticRegression, label_column=object())
        shown += [fitted_one, make(cls, target), make(cls, None), bad]
        shown += [make(cls, WithoutTags()), make(cls, FrozenEstimator(target))]
        shown += [make_pipeline(make(cls, target))]
    with warnings.catch_warnings():
        # Attributes with a reason to warn are not asked for their value's sake.
        warnings.simplefilter("error")
        for estimator in shown:
            assert cls.__name__ in repr(estimator)
            assert cls.__name__ in estimator._repr_html_()
            for name in dir(estimator):
                hasattr(estimator, name)
    if cls in ON_A_TARGET:
        html = fitted_one._repr_html_()
        for value in X[:3].ravel():
            assert f"{value:.6f}"[:8] not in html


@every_attack
@pytest.mark.parametrize("value", [True, False])
def test_membership_of_one_kind_only_is_refused(cls, value):
    X, y = table()
    message = (
        f"y holds only one class, {value}. Known membership needs members and "
        "non-members; leave y out if membership is unknown."
    )
    target, records = train(model_for(cls), X, y), as_records(X, y)
    one_kind = np.full(len(X), value)
    text = refused(cls, target, records, ValueError, message, y=one_kind)
    assert "\n" not in text


@every_attack
def test_membership_of_three_kinds_is_refused(cls):
    X, y = table()
    three = np.arange(len(X)) % 3
    target, records = train(model_for(cls), X, y), as_records(X, y)
    message = "y is the membership of each record, with the two values member and"
    refused(cls, target, records, ValueError, message, y=three)


@every_attack
def test_membership_of_another_length_is_refused(cls):
    X, y = table()
    target, records = train(model_for(cls), X, y), as_records(X, y)
    message = "inconsistent numbers of samples: [160, 159]"
    refused(cls, target, records, ValueError, message, y=half(X)[:-1])
