"""Right is what the plain numpy, integer-label, one-worker run gives."""

import re

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from helpers import in_turn
from helpers.attacks import (
    ATTACKS,
    ON_A_TARGET,
    encoder,
    every_attack,
    every_attack_on_any_model,
    everything_on_a_target,
    everything_on_any_model,
    fitted,
    frame_of,
    half,
    make,
    model_for,
    on_any_model,
    people,
    plain_attack,
    plain_scores,
    refused,
    scores,
    table,
    train,
)
from numpy.testing import assert_array_equal
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import DataConversionWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import get_tags

from sklearn_mia import as_records

NAMES = {
    "text": (["high", "low", "mid"], np.asarray),
    "text in a frame": (["high", "low", "mid"], frame_of),
    "from 1": ([1, 2, 3], np.asarray),
    "negative": ([-1, 1, 7], np.asarray),
}


@in_turn(("cls", "kind"), ATTACKS, NAMES)
def test_a_label_is_no_column_number(cls, kind):
    names, container = NAMES[kind]
    X, y = table(n_classes=3)
    X, named = container(X), np.asarray(names)[y]
    target = train(model_for(cls), X, named)
    found = scores(cls, target, as_records(X, named))
    assert_array_equal(found, plain_scores(cls, n_classes=3))


@in_turn(("cls", "names"), ATTACKS, [[False, True], [-1, 1], ["no", "yes"]])
def test_names_of_two_labels_change_no_score(cls, names):
    X, y = table()
    named = np.asarray(names)[y]
    target = train(model_for(cls), X, named)
    assert_array_equal(scores(cls, target, as_records(X, named)), plain_scores(cls))


INDEXES = {
    "shuffled": lambda n: np.random.default_rng(0).permutation(n),
    "all equal": lambda n: np.full(n, 7),
    "text": lambda n: [f"r{i}" for i in range(n)][::-1],
    "dates": lambda n: pytest.importorskip("pandas").date_range("2024", periods=n),
}


@in_turn(("cls", "index"), ATTACKS, INDEXES)
def test_rows_are_not_picked_by_the_index_of_a_frame(cls, index):
    pd = pytest.importorskip("pandas")
    X, y = table()
    expected = plain_scores(cls)
    frame = frame_of(X, index=INDEXES[index](len(X)))
    target = train(model_for(cls), frame, y)
    # The labels have another index: rows belong together by position.
    records = as_records(frame, pd.Series(y))
    assert_array_equal(records.index, frame.index)
    attack = fitted(cls, target, records)
    assert_array_equal(attack.score_samples(records), expected)
    some = np.random.default_rng(1).permutation(len(X))[:50]
    assert_array_equal(attack.score_samples(records.iloc[some]), expected[some])


@in_turn(("cls", "module"), on_any_model(ON_A_TARGET), ["pandas", "polars"])
def test_column_names_reach_the_target_without_a_warning(cls, module):
    if module == "polars":
        pytest.importorskip("sklearn", "1.8", reason="no columns of polars by name")
    columns, y = people()
    frame = pytest.importorskip(module).DataFrame(columns)
    model = make_pipeline(encoder(handle_unknown="ignore"), LogisticRegression())
    target = model.fit(frame[:80], y[:80])
    records = as_records(frame, y, label_name="rich")
    attack = make(cls, target)
    attack.fit(records, half(records))
    assert attack.feature_names_in_.tolist() == ["age [years]", "job", "rich"]
    assert attack.label_column_ == "rich"
    if hasattr(attack, "score_samples"):
        assert np.isfinite(attack.score_samples(records)).all()


def nan_targets():
    yield HistGradientBoostingClassifier(max_iter=5)
    yield make_pipeline(SimpleImputer(), LogisticRegression())
    try:
        from xgboost import XGBClassifier
    except ImportError:
        return
    yield XGBClassifier(n_estimators=3, n_jobs=1)


def with_gaps():
    X, y = table()
    X = X.copy()
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    return X, y


@everything_on_any_model
def test_missing_values_are_for_the_target_to_refuse(cls):
    X, y = with_gaps()
    for model in nan_targets():
        target = train(model, X, y)
        attack = make(cls, target)
        tags = get_tags(attack).input_tags, get_tags(target).input_tags
        assert tags[0].allow_nan == tags[1].allow_nan
        attack.fit(as_records(X, y), half(X))
        if hasattr(attack, "score_samples"):
            assert np.isfinite(attack.score_samples(as_records(X, y))).all()


@everything_on_any_model
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_target_refuses_missing_values_in_its_own_words(cls, value):
    X, y = table()
    target = train(LogisticRegression(), X, y)
    X = X.copy()
    X[3, 2] = value
    assert not get_tags(make(cls, target)).input_tags.allow_nan
    own = "Input X contains NaN" if np.isnan(value) else "Input X contains infinity"
    records = as_records(X, y)
    text = refused(cls, target, records, ValueError, own, y=half(X))
    with pytest.raises(ValueError, match=own) as caught:
        target.predict_proba(X)
    assert text == str(caught.value)


def doubled(X):
    X *= 2
    return X


@every_attack_on_any_model
def test_a_target_that_writes_into_its_features_leaves_the_records_as_they_are(cls):
    X, y = table()
    found = []
    for step in (FunctionTransformer(doubled), FunctionTransformer(lambda X: 2 * X)):
        model = make_pipeline(step, GaussianNB()).fit(X[:80].copy(), y[:80])
        records = as_records(X, y)
        found.append(scores(cls, model, records))
        assert_array_equal(records, as_records(X, y))
    assert_array_equal(*found)


@every_attack_on_any_model
def test_read_only_records_give_the_same_scores(cls, tmp_path):
    X, y = table()
    target = train(make_pipeline(StandardScaler(), GaussianNB()), X, y)
    records = as_records(X, y)
    expected = scores(cls, target, records)
    np.save(tmp_path / "records.npy", records)
    mapped = np.load(tmp_path / "records.npy", mmap_mode="r")
    records.flags.writeable = False
    for read_only in (records, mapped):
        assert_array_equal(scores(cls, target, read_only), expected)
    in_place = make_pipeline(StandardScaler(copy=False), GaussianNB())
    target = train(in_place, X.copy(), y)
    expected = scores(cls, target, records.copy())
    for given in (records, mapped, records.copy()):
        before = np.array(given)
        assert_array_equal(scores(cls, target, given), expected)
        assert_array_equal(given, before)


FORMS = {
    "list": list,
    "tuple": tuple,
    "objects": lambda y: y.astype(object),
    "pandas": lambda y: pytest.importorskip("pandas").Series(y),
    "polars": lambda y: pytest.importorskip("polars").Series(y),
}
COLUMNS = {
    "array": lambda y: y[:, None],
    "pandas": lambda y: pytest.importorskip("pandas").DataFrame({"y": y}),
    "polars": lambda y: pytest.importorskip("polars").DataFrame({"y": y}),
}


@in_turn(("cls", "form"), ATTACKS, FORMS, n_quick=2)
def test_labels_and_membership_in_any_one_dimensional_form(cls, form):
    X, y = table()
    target, is_member = train(model_for(cls), X, y), half(X).astype(int)
    attack = plain_attack(cls)
    records = as_records(X, FORMS[form](y))
    other = make(cls, target).fit(records, FORMS[form](is_member))
    assert_array_equal(
        other.score_samples(records), attack.score_samples(as_records(X, y))
    )
    assert other.offset_ == attack.offset_


@in_turn(("cls", "column"), ATTACKS, COLUMNS)
def test_labels_and_membership_in_a_column_of_a_table(cls, column):
    X, y = table()
    target, is_member = train(model_for(cls), X, y), half(X).astype(int)
    attack = plain_attack(cls)
    with pytest.warns(DataConversionWarning) as caught:
        records = as_records(X, COLUMNS[column](y))
    assert len(caught) == 1
    with pytest.warns(DataConversionWarning) as caught:
        other = make(cls, target).fit(records, COLUMNS[column](is_member))
    assert len(caught) == 1
    assert_array_equal(
        other.score_samples(records), attack.score_samples(as_records(X, y))
    )
    assert other.offset_ == attack.offset_


@everything_on_any_model
def test_polars_gives_what_pandas_gives(cls):
    pytest.importorskip("sklearn", "1.8", reason="no columns of polars by name")
    pl, pd = pytest.importorskip("polars"), pytest.importorskip("pandas")
    columns, y = people()
    results = []
    for module in (pd, pl):
        frame = module.DataFrame(columns)
        model = make_pipeline(encoder(handle_unknown="ignore"), GaussianNB())
        target = model.fit(frame[:80], y[:80])
        records = as_records(frame, module.Series("rich", y) if module is pl else y)
        with joblib.parallel_config("threading"):
            attack = make(cls, target, n_jobs=2)
            attack.fit(records, half(records))
        ask = getattr(attack, "score_samples", None) or attack.transform
        results.append(ask(records))
    assert_array_equal(*results)
    lazy = records.lazy()
    message = "X is a LazyFrame, which holds no rows yet. Pass X.collect()."
    with pytest.raises(TypeError, match=re.escape(message)):
        make(cls, target).fit(lazy, half(records))
    with pytest.raises(TypeError, match=re.escape(message)):
        ask(lazy)


@every_attack
def test_a_record_on_both_sides_has_one_score(cls):
    X, y = table()
    # Thirty non-members are copies of members, labels too.
    X[-30:], y[-30:] = X[:30], y[:30]
    attack = fitted(cls, train(model_for(cls), X, y), as_records(X, y))
    score = attack.score_samples(as_records(X, y))
    assert_array_equal(score[-30:], score[:30])
    if hasattr(attack, "shadow_members_"):
        members = attack.shadow_members_
        assert_array_equal(members[:, -30:], members[:, :30])
        assert_array_equal(members[::2], ~members[1::2])


def frame_records(X, y):
    return as_records(frame_of(X), y, label_name="truth")


@everything_on_a_target
def test_records_without_their_label_are_refused(cls):
    X, y = table()
    target = train(model_for(cls), X, y)
    message = "The records have 8 columns, as many as the target has features: the"
    text = refused(cls, target, X, ValueError, message, y=half(X))
    assert "\n" not in text
    frame = frame_of(X)
    target = train(model_for(cls), frame, y)
    message = (
        "The records hold only the columns that the target was trained on, not the "
        "class label. Add it with as_records(X, y), or set label_column=None"
    )
    text = refused(cls, target, frame, ValueError, message, y=half(X))
    assert "\n" not in text


@everything_on_a_target
def test_a_label_that_the_target_does_not_know_is_refused(cls):
    X, y = table()
    target = train(model_for(cls), X, y)
    y = y.copy()
    y[[3, 7]] = 2
    message = (
        f"2 of {len(y)} records have a class label that the target does not know. Its "
        "classes are 0, 1. Check label_column, encode the labels as for its "
        "training, or drop these records."
    )
    text = refused(cls, target, as_records(X, y), ValueError, message, y=half(X))
    assert "\n" not in text


@everything_on_a_target
def test_a_label_column_that_does_not_exist_is_refused(cls):
    X, y = table()
    frame = frame_of(X)
    target = train(model_for(cls), frame, y)
    message = "label_column='income' is not a column of the records, which have 'x0'"
    text = refused(
        cls,
        target,
        frame_records(X, y),
        ValueError,
        message,
        y=half(X),
        label_column="income",
    )
    assert "\n" not in text


@every_attack
def test_records_of_another_width_are_refused_when_they_are_scored(cls):
    X, y = table()
    attack = fitted(cls, train(model_for(cls), X, y), as_records(X, y))
    message = f"X has 8 features, but {cls.__name__} is expecting 9 features as input"
    with pytest.raises(ValueError, match=re.escape(message)):
        attack.score_samples(X)


@everything_on_a_target
def test_a_sparse_table_is_for_the_target_to_refuse(cls):
    X, y = table()
    X = np.where(np.abs(X) < 0.5, 0, X)
    target = train(model_for(cls), sp.csr_array(X), y)
    results = []
    if not get_tags(make(cls, target)).input_tags.sparse:
        with pytest.raises(TypeError, match="sparse"):
            make(cls, target).fit(as_records(sp.csr_array(X), y), half(X))
        return
    for container in (np.asarray, sp.csr_array, sp.csc_array):
        records = as_records(container(X), y)
        attack = make(cls, target).fit(records, half(X))
        ask = getattr(attack, "score_samples", None) or attack.transform
        results.append(ask(records))
    assert_array_equal(results[1], results[2])
    if cls.__name__ != "TrajectoryAttack":
        # Boosting draws the columns of a sparse table in another order.
        assert_array_equal(results[0], results[1])


@everything_on_any_model
def test_a_target_that_takes_no_sparse_table_gets_none(cls):
    X, y = table()
    target = train(HistGradientBoostingClassifier(max_iter=2), X, y)
    assert not get_tags(make(cls, target)).input_tags.sparse
    records = as_records(sp.csr_array(X), y)
    refused(cls, target, records, TypeError, "parse", y=half(X))
