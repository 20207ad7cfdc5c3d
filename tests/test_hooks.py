"""What users hand in is checked once: signals, hooks, readers, wrappers, attacks."""

import re
import traceback
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeRegressor

from sklearn_mia import (
    RMIA,
    BaggingAttack,
    CoarsenedClassifier,
    DifficultyCalibrationAttack,
    LabelOnlyAttack,
    LiRA,
    MembershipSignals,
    QuantileRegressionAttack,
    SupervisedAttack,
    ThresholdAttack,
    TrajectoryAttack,
    as_records,
    audit,
    leave_one_out_risk,
    structural_risk,
)
from sklearn_mia.base import BaseAttack, BaseShadowAttack, Reader, side_mean
from sklearn_mia.hooks import callable_name, cause_of, check_returned, frozen, shown
from sklearn_mia.models import open_model
from sklearn_mia.shadows import ShadowFitError
from sklearn_mia.signals import SIGNALS, as_signal, logit, loss, margin

X, Y = make_classification(240, 6, n_informative=4, flip_y=0.3, random_state=0)
RECORDS, IS_MEMBER = as_records(X, Y), np.arange(240) < 120
SIDES = X[:120], Y[:120], X[120:], Y[120:]
MODEL = RandomForestClassifier(8, random_state=0).fit(X[:120], Y[:120])
DIFFICULTY = DifficultyCalibrationAttack(MODEL, n_shadows=2, random_state=0)

# What a function may return by mistake, and how it is told.
WRONG = {
    "None": (lambda v: None, "None"),
    "one number": (lambda v: 0.5, "float"),
    "short": (lambda v: v[1:], r"ndarray of shape \(239,\) and dtype float64"),
    "column": (lambda v: v[:, None], r"ndarray of shape \(240, 1\) and dtype float64"),
    "table": (lambda v: np.c_[v, v], r"ndarray of shape \(240, 2\) and dtype float64"),
    "complex": (lambda v: v + 0j, r"ndarray of shape \(240,\) and dtype complex128"),
    "objects": (lambda v: v.astype(object), r"ndarray of shape \(240,\) and dtype obj"),
    "text": (lambda v: v.astype(str), r"ndarray of shape \(240,\) and dtype <U32"),
    "list of text": (lambda v: ["a"] * 240, "a list of length 240"),
    "ragged": (lambda v: [[1, 2], [3]] * 120, "a list of length 240"),
}
every_mistake = pytest.mark.parametrize("mistake", WRONG)


def returned(what, mistake, n="240"):
    described = WRONG[mistake][1]
    return rf"^{what} returned {described}.*; expected real numbers of shape \({n},\), "


# Signals


def halves(mistake):
    """A signal that makes a mistake."""
    wrong = WRONG[mistake][0]

    def surprise(log_proba, labels):
        return wrong(log_proba[:, 0] * (1 + labels))

    return surprise


@every_mistake
@pytest.mark.parametrize(
    "attack",
    [
        ThresholdAttack(MODEL),
        ThresholdAttack(MODEL, per_class=True),
        QuantileRegressionAttack(MODEL, random_state=0),
        DIFFICULTY,
    ],
    ids=["threshold", "per class", "quantile", "difficulty"],
)
def test_a_signal_that_is_not_one_number_a_record_is_named(attack, mistake):
    attack = clone(attack).set_params(signal=halves(mistake))
    with pytest.raises(ValueError, match=returned("The signal 'surprise'", mistake)):
        attack.fit(RECORDS)


@every_mistake
@pytest.mark.parametrize("cls", [SupervisedAttack, MembershipSignals])
def test_each_of_several_signals_is_named(cls, mistake):
    several = cls(MODEL, signals=["loss", halves(mistake)])
    with pytest.raises(ValueError, match=returned("The signal 'surprise'", mistake)):
        several.fit(RECORDS, IS_MEMBER).transform(RECORDS)


@pytest.mark.parametrize(
    "convert",
    [
        list,
        tuple,
        np.float32,
        lambda v: np.ma.masked_array(v, np.zeros(240, dtype=bool)),
        lambda v: v.astype(np.longdouble),
    ],
    ids=["list", "tuple", "float32", "masked", "long"],
)
def test_numbers_in_another_container_are_the_same_scores(convert):
    plain = ThresholdAttack(MODEL, signal=margin).fit_score(RECORDS)
    converted = ThresholdAttack(MODEL, signal=lambda p, y: convert(margin(p, y)))
    scores = converted.fit_score(RECORDS)
    assert_array_equal(scores, convert(plain))
    assert scores.dtype == np.float64


def test_what_is_masked_has_no_score():
    masked = ThresholdAttack(
        MODEL, signal=lambda p, y: np.ma.masked_array(margin(p, y), np.arange(240) < 3)
    )
    with pytest.warns(UserWarning, match="3 of 240 records of the pool could not be"):
        masked.fit(RECORDS)
    assert masked.n_unscored_ == 3


def test_integers_and_booleans_are_numbers():
    assert_array_equal(check_returned([True, False], 2, "f"), [1.0, 0.0])
    assert_array_equal(check_returned(np.array([3, 4]), 2, "f"), [3.0, 4.0])


def test_an_error_of_a_signal_holds_no_values():
    secret = RECORDS[:5, :1]
    with pytest.raises(ValueError, match="returned ndarray") as caught:
        ThresholdAttack(MODEL, signal=lambda p, y: secret).fit(RECORDS)
    assert f"{secret[0, 0]:.3f}" not in str(caught.value)
    assert "0x" not in str(caught.value)


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["log_proba", "labels"])
def test_a_signal_cannot_write_to_what_others_read(name, n_jobs):
    def writes(log_proba, labels):
        {"log_proba": log_proba, "labels": labels}[name][:] = 0
        return margin(log_proba, labels)

    attacks = [
        ThresholdAttack(MODEL, signal=writes),
        SupervisedAttack(MODEL, signals=[writes, "loss"]),
        clone(DIFFICULTY).set_params(signal=writes, n_jobs=n_jobs),
    ]
    for attack in attacks:
        with pytest.raises(ValueError, match="is read-only"):
            attack.fit(RECORDS, IS_MEMBER)


def test_a_built_in_function_stays_what_it_is():
    assert as_signal(loss) is loss
    assert as_signal("logit") is logit
    own = as_signal(lambda log_proba, labels: labels)
    assert as_signal(own) is own


def surprise(log_proba, labels):
    return log_proba[:, 0] * (1 + labels)


@pytest.mark.slow
def test_a_name_is_looked_up_once_and_sent_to_workers(monkeypatch):
    monkeypatch.setitem(SIGNALS, "surprise", surprise)
    attacks = [
        ThresholdAttack(MODEL, signal="surprise"),
        QuantileRegressionAttack(
            MODEL, signal="surprise", estimator=DecisionTreeRegressor(max_depth=3)
        ),
        SupervisedAttack(MODEL, signals=["surprise"], estimator=LogisticRegression()),
        clone(DIFFICULTY).set_params(signal="surprise", n_jobs=2),
    ]
    outside = as_records(X + 0.01, Y)
    for attack in attacks:
        attack.fit(RECORDS, IS_MEMBER)
    before = [attack.score_samples(outside) for attack in attacks]
    monkeypatch.delitem(SIGNALS, "surprise")
    for attack, scores in zip(attacks, before, strict=True):
        assert_array_equal(attack.score_samples(outside), scores)


def test_a_worker_that_fits_the_attack_says_that_it_needs_the_function(monkeypatch):
    monkeypatch.setitem(SIGNALS, "surprise", surprise)
    search = GridSearchCV(ThresholdAttack(MODEL), {"signal": ["surprise"]}, cv=2)
    search.set_params(n_jobs=2)
    message = (
        r"A worker process does not know a name that was added to SIGNALS in another "
        r"one: pass the callable itself."
    )
    with pytest.raises(ValueError, match=message):
        search.fit(RECORDS, IS_MEMBER)
    by_function = clone(search).set_params(param_grid={"signal": [surprise]})
    by_function.fit(RECORDS, IS_MEMBER)
    assert np.isfinite(by_function.cv_results_["mean_test_score"]).all()


# A record that cannot be scored


def nan_for(rows, signal=margin):
    """A signal that knows nothing of some records, found by their answers."""
    known = signal(np.log(MODEL.predict_proba(X).clip(1e-3)), Y)

    def partly(log_proba, labels):
        values = np.array(signal(log_proba, labels))
        if len(values) == len(known):
            values[rows] = np.nan
        return values

    return partly


ONE = [7]


def test_a_record_without_a_signal_moves_no_other_by_class():
    rest = np.delete(np.arange(240), ONE)
    attack = ThresholdAttack(MODEL, signal=nan_for(ONE), per_class=True)
    with pytest.warns(UserWarning, match="1 of 240"):
        scores = attack.fit_score(RECORDS)
    signal = ThresholdAttack(MODEL, signal=margin).fit_score(RECORDS)
    for label in (0, 1):
        own = rest[Y[rest] == label]
        expected = (signal[own] - signal[own].mean()) / signal[own].std()
        np.testing.assert_allclose(scores[own], expected, rtol=1e-12)
    assert scores[7] == np.median(scores[rest])


def test_a_record_without_a_signal_teaches_a_regression_nothing():
    attack = QuantileRegressionAttack(MODEL, signal=nan_for(ONE), random_state=0)
    with pytest.warns(UserWarning, match="1 of 240"):
        scores = attack.fit_score(RECORDS)
    assert attack.n_unscored_ == 1
    assert np.isfinite(scores).all()
    with pytest.raises(ValueError, match="only 5 different records with a finite"):
        attack.set_params(signal=nan_for(np.arange(5, 240))).fit(RECORDS)


def test_a_missing_signal_goes_to_an_estimator_that_takes_it():
    attack = SupervisedAttack(MODEL, signals=["loss", nan_for(ONE)], random_state=0)
    assert np.isfinite(attack.fit_score(RECORDS, IS_MEMBER)).all()
    attack.set_params(estimator=LogisticRegression())
    message = (
        "The signal 'partly' is NaN or infinite for 1 of 240 records, which "
        "LogisticRegression does not take."
    )
    with pytest.raises(ValueError, match=message):
        attack.fit(RECORDS, IS_MEMBER)


def warning_of(attack, X=RECORDS):
    with pytest.warns(UserWarning, match="could not be scored") as caught:
        attack.fit(X)
    return str(caught[0].message)


def test_only_shadows_that_lost_a_class_are_blamed():
    own = (
        "5 of 240 records of the pool could not be scored, because the signal or the "
        "formula gives no finite number for them. They get the median score of the "
        "pool. Look at what it returns."
    )
    rows = np.arange(5)
    attacks = [
        ThresholdAttack(MODEL),
        QuantileRegressionAttack(MODEL, random_state=0),
        DIFFICULTY,
    ]
    for attack in attacks:
        assert warning_of(clone(attack).set_params(signal=nan_for(rows))) == own
    labels = Y.copy()
    labels[[0, 120]] = 2
    model = LogisticRegression().fit(X[:120], labels[:120])
    attack = DifficultyCalibrationAttack(model, n_shadows=2, random_state=1)
    text = warning_of(attack, as_records(X, labels))
    assert "because no shadow that trained without them (or with them)" in text
    assert text.endswith("Train more shadows, or leave out the rarest classes.")


def test_the_finding_tells_each_kind_of_attack_apart():
    most = nan_for(np.arange(10, 240))
    attacks = {"own": ThresholdAttack(signal=most), "lira": LiRA(n_shadows=2)}
    report = audit(MODEL, *SIDES, attacks=attacks, n_permutations=99, random_state=0)
    (found,) = (f for f in report.findings if f.code == "MIA008")
    assert found.severity == "warning"
    assert found.title == "Records without a score"
    assert found.message == (
        "Records for which the signal or the formula of an attack gave no finite "
        "number count as average: own (230)."
    )
    assert "shadow" not in found.message + found.advice
    assert found.numbers == {"missing_by_class": {}, "n_unscored": {"own": 230}}


# Hooks of an attack


class Own(BaseAttack):
    """The attack of a user, whose hooks may go wrong."""

    def __init__(self, target_estimator=None, *, hook=None, wrong=None):
        super().__init__(target_estimator)
        self.hook, self.wrong = hook, wrong

    def _given(self, hook, values):
        return self.wrong(values) if self.hook == hook else values

    def _score_queries(self, queries):
        return self._given("_score_queries", queries.log_proba[:, 0])

    def _fit_scores(self, pool, is_member):
        return self._given("_fit_scores", super()._fit_scores(pool, is_member))

    def _null_scores(self, pool, scores, is_member):
        return self._given("_null_scores", scores)


class OwnWithShadows(BaseShadowAttack):
    """The same with shadow models."""

    def __init__(self, target_estimator=None, *, hook=None, wrong=None):
        super().__init__(target_estimator, n_shadows=2, random_state=0)
        self.hook, self.wrong = hook, wrong

    def _score(self, target, signals, members, in_pool):
        return self.wrong(target - side_mean(signals, members & in_pool, False))


@every_mistake
@pytest.mark.parametrize("hook", ["_score_queries", "_fit_scores"])
def test_scores_that_are_not_one_number_a_record_name_the_hook(hook, mistake):
    attack = Own(MODEL, hook=hook, wrong=WRONG[mistake][0])
    with pytest.raises(ValueError, match=returned(f"Own.{hook}", mistake)):
        attack.fit(RECORDS)


@every_mistake
def test_a_formula_that_gives_something_else_is_named(mistake):
    attack = OwnWithShadows(MODEL, wrong=WRONG[mistake][0])
    with pytest.raises(ValueError, match=returned("OwnWithShadows._score", mistake)):
        attack.fit(RECORDS)


@pytest.mark.parametrize("mistake", [m for m in WRONG if m not in ("short",)])
def test_null_scores_are_a_vector_of_any_length_but_none(mistake):
    attack = Own(MODEL, hook="_null_scores", wrong=WRONG[mistake][0])
    with pytest.raises(ValueError, match=returned("Own._null_scores", mistake, "n")):
        attack.fit(RECORDS)
    attack.set_params(wrong=lambda scores: [])
    with pytest.raises(ValueError, match="_null_scores returned a list of length 0"):
        attack.fit(RECORDS)
    attack.set_params(wrong=lambda scores: [0, 1, 2]).fit(RECORDS)
    assert attack.offset_ == 2


def test_a_formula_outside_the_pool_is_checked_too():
    attack = Own(MODEL).fit(RECORDS)
    attack.hook, attack.wrong = "_score_queries", WRONG["table"][0]
    with pytest.raises(ValueError, match=returned("Own._score_queries", "table")):
        attack.score_samples(RECORDS)


@pytest.mark.parametrize("name", ["target", "signals", "members", "in_pool"])
def test_a_formula_cannot_write_to_what_it_gets(name):
    class Writes(BaseShadowAttack):
        def _score(self, target, signals, members, in_pool):
            locals()[name][:] = 0
            return target

    with pytest.raises(ValueError, match="is read-only"):
        Writes(MODEL, n_shadows=2, random_state=0).fit(RECORDS)


@pytest.mark.parametrize("name", ["features", "labels", "codes", "ids", "log_proba"])
def test_queries_cannot_be_written_to(name):
    class Writes(BaseAttack):
        def _score_queries(self, queries):
            getattr(queries, name)[:] = 0
            return queries.log_proba[:, 0]

    before = RECORDS.copy()
    with pytest.raises(ValueError, match="is read-only"):
        Writes(MODEL).fit(RECORDS)
    assert_array_equal(RECORDS, before)


@pytest.mark.parametrize("hook", ["_calibrate", "_null_scores"])
def test_other_hooks_cannot_write_either(hook):
    class Writes(OwnWithShadows):
        pass

    def write(self, pool, values, more):
        values[:] = 0

    setattr(Writes, hook, write)
    with pytest.raises(ValueError, match="is read-only"):
        Writes(MODEL, wrong=lambda scores: scores).fit(RECORDS)


# Readers


class ProbaReader(Reader):
    """Probability of the label."""

    name = "probability"

    def __init__(self, wrong=None):
        self.wrong = wrong

    def ask(self, model, seen, features, codes, members):
        return model.predict_proba(features)

    def read(self, answer, seen, codes):
        own = codes[:, None] == seen
        values = np.where(own.any(axis=1), (answer * own).sum(axis=1), np.nan)
        return values if self.wrong is None else self.wrong(values)


class SquareReader(ProbaReader):
    def ask(self, model, seen, features, codes, members):
        return model.predict_proba(features) ** 2


class ByReader(BaseShadowAttack):
    """The target above the shadows that did not see a record."""

    def __init__(self, target_estimator=None, *, reader=None, memory=None):
        super().__init__(
            target_estimator,
            n_shadows=4,
            memory=memory,
            keep_models=memory is None,
            random_state=0,
        )
        self.reader = reader

    def _reader(self):
        return self.reader

    def _score(self, target, signals, members, in_pool):
        return target - side_mean(signals, members & in_pool, False)


def proba(model, X=X):
    return model.predict_proba(X)[np.arange(len(X)), Y]


@pytest.mark.parametrize("outside", [0.0, 0.5])
def test_the_target_is_read_by_the_reader_of_the_shadows(outside):
    attack = ByReader(MODEL, reader=ProbaReader()).fit(RECORDS)
    shifted = X + outside
    scores = attack.score_samples(as_records(shifted, Y))
    shadows = np.array([proba(shadow, shifted) for shadow, _ in attack.models_])
    members = attack.shadow_members_ & (outside == 0)
    mean = np.ma.masked_array(shadows, members).mean(axis=0)
    np.testing.assert_allclose(scores, proba(MODEL, shifted) - mean, atol=1e-12)


def test_values_of_a_reader_of_ones_own_are_not_taken_for_log_odds():
    attack = ByReader(MODEL, reader=ProbaReader()).fit(RECORDS)
    assert attack.shadow_evidence().log_proba is None


def test_readers_of_one_name_do_not_share_answers(tmp_path):
    def fitted(reader):
        return ByReader(MODEL, reader=reader, memory=str(tmp_path)).fit(RECORDS)

    plain, square = fitted(ProbaReader()), fitted(SquareReader())
    assert plain.reader.name == square.reader.name
    np.testing.assert_allclose(square.shadow_signals_, plain.shadow_signals_**2)
    assert len(list(tmp_path.rglob("output.pkl"))) == 8
    fitted(ProbaReader())
    assert len(list(tmp_path.rglob("output.pkl"))) == 8


@pytest.mark.parametrize(("name", "got"), [("", "str"), (None, "NoneType"), (3, "int")])
def test_a_reader_without_a_name_is_refused(name, got):
    reader = ProbaReader()
    reader.name = name
    message = rf"ProbaReader.name is {got}; expected a text that is not empty"
    with pytest.raises(TypeError, match=message):
        ByReader(MODEL, reader=reader).fit(RECORDS)


def test_what_is_no_reader_is_refused():
    message = "ByReader._reader returned function; expected an instance of a subclass"
    with pytest.raises(TypeError, match=message):
        ByReader(MODEL, reader=margin).fit(RECORDS)


@pytest.mark.parametrize("mistake", [m for m in WRONG if m not in ("column", "table")])
def test_a_reader_that_reads_something_else_is_named(mistake):
    reader = ProbaReader(WRONG[mistake][0])
    described = WRONG[mistake][1]
    with pytest.raises(ValueError, match=f"^ProbaReader.read returned {described}"):
        ByReader(MODEL, reader=reader).fit(RECORDS)


def test_a_reader_must_read_one_shape_from_all_shadows():
    class AsAnswered(ProbaReader):
        def read(self, answer, seen, codes):
            return answer

    labels = Y.copy()
    labels[0] = 2
    model = LogisticRegression().fit(X[:120], labels[:120])
    with pytest.raises(ValueError, match=r"AsAnswered read values of shape .* one s"):
        ByReader(model, reader=AsAnswered()).fit(as_records(X, labels))


@pytest.mark.parametrize("name", ["features", "codes", "members", "answer"])
def test_a_reader_cannot_write_to_what_others_read(name):
    class Writes(ProbaReader):
        def ask(self, model, seen, features, codes, members):
            if name in locals():
                locals()[name][:] = 0
            return super().ask(model, seen, features, codes, members)

        def read(self, answer, seen, codes):
            if name == "answer":
                answer[:] = 0
            return super().read(answer, seen, codes)

    with pytest.raises(ValueError, match="is read-only"):
        ByReader(MODEL, reader=Writes()).fit(RECORDS)


# Wrappers


class Wrapper(ClassifierMixin, BaseEstimator):
    """A wrapper of someone else, which says what it is told to say."""

    def __init__(self, base=None, says=None, temperature=1.0):
        self.base, self.says, self.temperature = base, says, temperature

    def __sklearn_mia_inside__(self):
        inner = getattr(self, "base_", self.base)
        return self.says(self, inner) if self.says else ("base", inner, True)

    def fit(self, X, y):
        self.base_ = clone(self.base).fit(X, y)
        self.classes_ = self.base_.classes_
        return self

    def predict(self, X):
        return self.base_.predict(X)

    def predict_proba(self, X):
        powers = self.base_.predict_proba(X) ** (1 / self.temperature)
        return powers / powers.sum(axis=1, keepdims=True)


FOREST = RandomForestClassifier(8, random_state=0)


BREAKS_THE_PROTOCOL = [
    (lambda w, m: m, "RandomForestClassifier"),
    (lambda w, m: ["base", m, True], "list"),
    (lambda w, m: ("base", m), "a tuple of 2"),
    (lambda w, m: (m, "base", True), "RandomForestClassifier as the name"),
    (lambda w, m: ("inner", m, True), "the name 'inner', which is no parameter"),
    (lambda w, m: ("base", w, True), "the wrapper itself"),
    (lambda w, m: ("base", None, True), "NoneType as the classifier"),
    (lambda w, m: ("base", type(m), True), "RandomForestClassifier as the class"),
    (lambda w, m: ("base", m, "no"), "str in the third place"),
    (lambda w, m: ("base", m, None), "NoneType in the third place"),
    (lambda w, m: ("base", w.base, True), "RandomForestClassifier, which is not f"),
]


def test_a_wrapper_that_breaks_the_protocol_is_named():
    wrapper = Wrapper(FOREST).fit(X[:120], Y[:120])
    for wrapper.says, got in BREAKS_THE_PROTOCOL:
        message = (
            rf"^Wrapper.__sklearn_mia_inside__ returned {re.escape(got)}.*; expected a "
            "tuple of the name of the parameter that holds the wrapped classifier, the "
        )
        with pytest.raises(ValueError, match=message):
            open_model(wrapper)
        with pytest.raises(ValueError, match=message):
            LiRA(wrapper, n_shadows=2).fit(RECORDS)


def test_a_wrapper_with_other_classes_does_not_answer_as_the_model_inside():
    wrapper = Wrapper(FOREST).fit(X[:120], Y[:120])
    assert open_model(wrapper).classifier is wrapper.base_
    wrapper.classes_ = np.array([1, 0])
    message = "True for RandomForestClassifier, whose classes_ are not those of the wr"
    with pytest.raises(ValueError, match=message):
        open_model(wrapper)
    for classes in (np.array(["no", "yes"]), [np.array([0, 1]), np.array([0, 1, 2])]):
        wrapper.classes_ = classes
        assert open_model(wrapper).classifier is wrapper.base_


def test_a_claim_of_the_same_answers_is_tried_on_a_few_records():
    tempered = Wrapper(FOREST, temperature=3.0).fit(X[:120], Y[:120])
    message = (
        "Wrapper.__sklearn_mia_inside__ says that the probabilities of the wrapper are "
        "those of RandomForestClassifier, but on the first records they differ; return "
        "False in the third place."
    )
    with pytest.raises(ValueError, match=message):
        BaggingAttack(tempered, n_trees=16, random_state=0).fit(RECORDS)
    honest = tempered.set_params(says=lambda w, m: ("base", m, False))
    assert not BaggingAttack.handles(honest)
    labels_alone = Wrapper(LinearSVC()).fit(X[:120], Y[:120])
    opened = open_model(labels_alone, X, same_answers=True)
    assert opened.classifier is labels_alone.base_
    plain = Wrapper(FOREST).fit(X[:120], Y[:120])
    attack = BaggingAttack(plain, n_trees=16, random_state=0)
    bare = BaggingAttack(plain.base_, n_trees=16, random_state=0)
    assert_array_equal(attack.fit_score(RECORDS), bare.fit_score(RECORDS))


# Label-only signals


def test_a_label_only_signal_gets_the_label_and_the_share():
    given = []

    def seen(correct, share):
        given.append((correct, share))
        return correct * share

    attack = LabelOnlyAttack(MODEL, signal=seen, n_queries=4, random_state=0)
    scores = attack.fit_score(RECORDS)
    correct, share = given[-1]
    assert_array_equal(correct, MODEL.predict(X) == Y)
    assert set(np.unique(4 * share)) <= set(range(5))
    assert_array_equal(scores, correct * share)


@pytest.mark.parametrize("signal", [margin, lambda log_proba, labels: log_proba[:, 0]])
def test_a_signal_of_probabilities_is_no_signal_of_labels(signal):
    attack = LabelOnlyAttack(MODEL, signal=signal, n_queries=4, random_state=0)
    name = "margin" if signal is margin else "<lambda>"
    message = (
        rf"The signal '{name}' of LabelOnlyAttack failed .* signal\(correct, share"
    )
    with pytest.raises(ValueError, match=message):
        attack.fit(RECORDS)


@pytest.mark.parametrize("n_shadows", [0, 2])
def test_a_label_only_signal_is_checked_as_any_other(n_shadows):
    attack = LabelOnlyAttack(MODEL, n_queries=4, n_shadows=n_shadows, random_state=0)
    attack.set_params(signal=lambda correct, share: np.c_[correct, share])
    with pytest.raises(
        ValueError, match=r"'<lambda>' .*returned ndarray of shape \(2, 2"
    ):
        attack.fit(RECORDS)


# Models that an attack is not made for


class ForForests(ThresholdAttack):
    @classmethod
    def handles(cls, model):
        return isinstance(model, RandomForestClassifier)


LOGISTIC = LogisticRegression().fit(X[:120], Y[:120])
REFUSED = (
    "ForForests is not made for the target LogisticRegression: its `handles` says no. "
    "Use an attack on any model, such as RMIA."
)


def test_an_attack_is_refused_for_a_model_that_it_does_not_handle():
    for call in ("fit", "fit_score"):
        with pytest.raises(TypeError, match=REFUSED):
            getattr(ForForests(LOGISTIC), call)(RECORDS)
    plain = ThresholdAttack(MODEL).fit_score(RECORDS)
    assert_array_equal(ForForests(MODEL).fit_score(RECORDS), plain)


def test_an_audit_refuses_it_before_anything_is_trained():
    class Untouched(ThresholdAttack):
        def fit_score(self, X, y=None, **params):
            raise AssertionError("trained")

    for attack, message in (
        (ForForests(), REFUSED),
        (TrajectoryAttack(), "TrajectoryAttack got a target LogisticRegression, whose"),
        (BaggingAttack(), "BaggingAttack needs a target whose trees vote"),
    ):
        with pytest.raises(TypeError, match=message):
            audit(LOGISTIC, *SIDES, attacks=[Untouched(), attack])


# Failures of shadow models


class Fails(LogisticRegression):
    """Raises in every shadow, with a text that names a record."""

    text = "{}"

    def fit(self, X, y):
        if len(X) != 240:
            cell = float(X[0, 0])
            raise ValueError(self.text.format(cell, f"{cell:.5g}", [cell]))
        return super().fit(X, y)


@pytest.mark.parametrize(
    ("text", "told", "hint"),
    [
        ("the solver gave up", "the solver gave up", False),
        ("cannot convert {0} to int", "cannot convert … to int", False),
        ("a cell of {1} with tol=0.25", "a cell of … with tol=0.25", False),
        ("unknown categories {2} found", "unknown categories […] found", True),
    ],
)
def test_a_failed_shadow_tells_cause_and_place_without_values(text, told, hint):
    target = type("Fails", (Fails,), {"text": text})().fit(X, Y)
    with pytest.raises(ShadowFitError) as caught:
        LiRA(target, n_shadows=2, random_state=0).fit(RECORDS)
    message = str(caught.value)
    start = f"Shadow 0 could not be trained: ValueError: {told} (in fit, line "
    assert message.startswith(start)
    assert "of test_hooks.py). It saw 120 records, by class {0: " in message
    assert ("If a rare class or category is the cause" in message) is hint
    assert str(caught.value.__context__).startswith(text[:3])


def test_the_text_of_a_key_error_is_a_value():
    try:
        {}["nurse Joy"]
    except KeyError as error:
        told, line = (
            cause_of(error),
            traceback.extract_tb(error.__traceback__)[0].lineno,
        )
    function = "test_the_text_of_a_key_error_is_a_value"
    assert told == f"KeyError (in {function}, line {line} of test_hooks.py)."


# Names


class Callable:
    def __call__(self, log_proba, labels):
        return margin(log_proba, labels)


@pytest.mark.parametrize(
    ("signal", "name"),
    [
        (margin, "margin"),
        (surprise, "surprise"),
        (lambda log_proba, labels: margin(log_proba, labels), "<lambda>"),
        (partial(partial(surprise)), "surprise"),
        (Callable(), "Callable"),
    ],
)
def test_names_hold_no_address(signal, name):
    assert callable_name(signal) == name
    for attack in (
        ThresholdAttack(MODEL, signal=signal),
        SupervisedAttack(MODEL, signals=["loss", signal]),
        RMIA(
            MODEL,
            shadow_estimator=make_pipeline(FunctionTransformer(signal)),
            random_state=np.random.RandomState(0),
        ),
    ):
        assert "0x" not in attack.describe()
        assert name in attack.describe()
    table = MembershipSignals(MODEL, signals=[signal]).fit(RECORDS)
    assert table.get_feature_names_out().tolist() == [name]


def test_a_description_tells_a_function_by_its_name():
    attack = SupervisedAttack(MODEL, signals=["loss", surprise])
    assert attack.describe() == "SupervisedAttack(signals=['loss', surprise])"
    assert shown((partial(surprise), 2)) == "(surprise, 2)"


def test_a_report_holds_no_address():
    signals = MembershipSignals(MODEL, signals=[surprise, margin])
    model = make_pipeline(FunctionTransformer(np.asarray), FOREST).fit(*SIDES[:2])
    attacks = [
        ThresholdAttack(signal=lambda p, y: margin(p, y)),
        make_pipeline(signals.set_params(target_estimator=model), FOREST),
    ]
    report = audit(model, *SIDES, attacks=attacks, n_permutations=99, random_state=0)
    assert " at 0x" not in report.to_json()
    assert "ThresholdAttack(signal=&lt;lambda&gt;)" in report.to_html()


def test_only_arrays_are_frozen():
    given = np.zeros(3)
    view = frozen(given)
    given[0] = 1.0
    assert view[0] == 1.0
    assert not view.flags.writeable
    assert given.flags.writeable
    assert frozen(None) is None


# What looks through a defence


@pytest.mark.parametrize(
    "defence", [{"temperature": 5.0}, {"label_only": True}, {"top_k": 1}], ids=str
)
def test_stages_and_risks_are_those_of_the_model_behind_a_defence(defence):
    def behind(model):
        defended = CoarsenedClassifier(model, **defence).fit(X[:120], Y[:120])
        return defended, defended.estimator_

    defended, inner = behind(GradientBoostingClassifier(n_estimators=5, random_state=0))
    scores = TrajectoryAttack(defended).fit_score(RECORDS)
    assert_array_equal(scores, TrajectoryAttack(inner).fit_score(RECORDS))
    defended, inner = behind(FOREST)
    by_defended, by_inner = (
        leave_one_out_risk(model, X[:120], Y[:120]) for model in (defended, inner)
    )
    assert_array_equal(by_defended.risk, by_inner.risk)
    by_defended, by_inner = (
        structural_risk(model, X[:120], Y[:120]) for model in (defended, inner)
    )
    assert str(by_defended) == str(by_inner)
