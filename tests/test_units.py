"""Persons as one: scores and thresholds of groups, of every attack."""

import numpy as np
import pytest
from helpers.attacks import every_attack, half, make, model_for, table, train
from numpy.testing import assert_array_equal
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import get_tags

from sklearn_mia import RMIA, LiRA, ThresholdAttack, as_records
from sklearn_mia.groups import centred_scores
from sklearn_mia.metrics import threshold_at_fpr

# The members are the first half of the table.
PERSONS = np.array([f"p{i:02d}" for i in np.repeat(np.arange(32), 5)])


def attack_on(cls, membership=None):
    X, y = table()
    attack = make(cls, train(model_for(cls), X, y))
    if get_tags(attack).target_tags.required and membership is None:
        membership = half(X)
    return attack, as_records(X, y), membership


@every_attack
def test_the_score_of_a_person_is_the_sum_of_log_ratios(cls):
    attack, records, y = attack_on(cls)
    attack.fit(records, y, groups=PERSONS)
    keys, scores = attack.score_groups(records, PERSONS)
    assert_array_equal(keys, np.unique(PERSONS))
    ratios = attack._log_ratios(attack.score_samples(records))
    np.testing.assert_allclose(scores, ratios.reshape(32, 5).sum(axis=1))
    order = np.random.default_rng(0).permutation(len(records))
    again = attack.score_groups(records[order], PERSONS[order])
    assert_array_equal(again[0], keys)
    assert_array_equal(again[1], scores)
    # A person of whom some records are at hand is scored by those.
    some = np.arange(160) % 5 < 2
    _, of_some = attack.score_groups(records[some], PERSONS[some])
    np.testing.assert_allclose(of_some, ratios.reshape(32, 5)[:, :2].sum(axis=1))


@every_attack
def test_membership_does_not_enter_the_score_of_a_person(cls):
    attack, records, y = attack_on(cls)
    if y is not None:
        pytest.skip("learns from membership")
    is_member = half(records)
    permuted = np.repeat(np.random.default_rng(0).permutation(32) < 16, 5)
    known = [attack.fit(records, m, groups=PERSONS) for m in (is_member, permuted)]
    scores = [a.score_groups(records, PERSONS)[1] for a in known]
    unknown = attack.fit(records, groups=PERSONS).score_groups(records, PERSONS)[1]
    assert_array_equal(scores[0], scores[1])
    assert_array_equal(scores[0], unknown)


@every_attack
def test_a_threshold_is_one_of_persons(cls):
    attack, records, y = attack_on(cls, half(np.empty(160)))
    attack.set_params(max_fpr=0.125).fit(records, y, groups=PERSONS)
    keys, called = attack.predict_groups(records, PERSONS)
    assert_array_equal(keys, np.unique(PERSONS))
    assert called.dtype == bool
    _, scores = attack.score_groups(records, PERSONS)
    if not get_tags(attack).target_tags.required:
        # Two of the sixteen persons who were not in the data.
        assert attack.group_offset_ == threshold_at_fpr(scores[16:], 0.125)
        assert called[16:].sum() <= 2
    assert_array_equal(called, scores > attack.group_offset_)


@every_attack
def test_who_fits_without_persons_cannot_score_them(cls):
    attack, records, _ = attack_on(cls)
    attack.fit(records, half(records))
    message = f"This {cls.__name__} was fitted without groups"
    for method in (attack.score_groups, attack.predict_groups):
        with pytest.raises(ValueError, match=message):
            method(records, PERSONS)


def test_scores_that_are_log_ratios_stay_as_they_are():
    X, y = table()
    model, records = train(KNeighborsClassifier(3), X, y), as_records(X, y)
    for attack, is_ratio in (
        (RMIA(model, n_shadows=4, random_state=0), True),
        (LiRA(model, n_shadows=4, random_state=0), True),
        (LiRA(model, n_shadows=4, random_state=0, mode="offline"), False),
        (ThresholdAttack(model), False),
    ):
        attack.fit(records, groups=PERSONS)
        scores = attack.score_samples(records)
        is_same = np.array_equal(attack._log_ratios(scores), scores)
        assert is_same == is_ratio
    # All records of the pool together say what is usual.
    assert_array_equal(attack._log_ratios(scores), centred_scores(scores))


def test_persons_on_both_sides_are_no_reference():
    X, y = table()
    attack = ThresholdAttack(train(KNeighborsClassifier(3), X, y), max_fpr=0.0)
    records, is_member = as_records(X, y), np.arange(160) % 5 < 2
    with pytest.raises(ValueError, match="No group is wholly on the side of the non"):
        attack.fit(records, is_member, groups=PERSONS)
    is_member[-5:] = False
    attack.fit(records, is_member, groups=PERSONS)
    assert attack.group_offset_ == attack.score_groups(records, PERSONS)[1][-1]


def test_stand_ins_are_whole_persons(monkeypatch):
    """More records than are enough for a threshold: persons are left out whole."""
    X, y = table()
    from sklearn_mia.base import _sides

    monkeypatch.setattr(_sides, "_MOST_REFERENCES", 80)
    attack = RMIA(train(KNeighborsClassifier(3), X, y), n_shadows=4, random_state=0)
    attack.fit(as_records(X, y), groups=PERSONS)
    members = attack.shadow_members_[::2, ::5]
    # Every second person, twice: where the shadows that play the target left them out.
    assert len(attack._group_reference[0]) == (~members[:, ::2]).sum()
    assert set(attack._group_reference[1]) == {5}


def test_missing_keys_are_refused():
    X, y = table()
    attack = ThresholdAttack(train(KNeighborsClassifier(3), X, y))
    groups = PERSONS.astype(object)
    groups[:2] = None
    with pytest.raises(ValueError, match="groups has no key for 2 of 160 records"):
        attack.fit(as_records(X, y), groups=groups)
