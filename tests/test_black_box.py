"""A model behind a real HTTP service on this machine, attacked through questions."""

import json
import pickle
import threading
from functools import partial
from itertools import permutations

import joblib
import numpy as np
import pytest
from helpers.service import Service, ask
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import (
    RMIA,
    AuditReport,
    BlackBoxClassifier,
    DifficultyCalibrationAttack,
    LabelOnlyAttack,
    LiRA,
    QuantileRegressionAttack,
    ShadowModelAttack,
    SupervisedAttack,
    ThresholdAttack,
    as_records,
    asking,
    audit,
    audit_predictions,
    default_attacks,
)
from sklearn_mia.response import predicted_codes
from sklearn_mia.signals import SIGNALS

RECIPE = DecisionTreeClassifier(max_depth=4)
SHADOWS = {"shadow_estimator": RECIPE, "n_shadows": 4, "random_state": 0}
IS_MEMBER = np.arange(400) < 200


@pytest.fixture(scope="module")
def model(half):
    forest = RandomForestClassifier(10, max_depth=8, random_state=0)
    return forest.fit(*half[:2])


@pytest.fixture
def service(model):
    service = Service(model)
    yield service
    service.stop()


@pytest.fixture(scope="module")
def records(half):
    return as_records(np.vstack(half[::2]), np.concatenate(half[1::2]))


@pytest.fixture
def asked(service):
    return partial(
        BlackBoxClassifier,
        predict_proba=partial(ask, service.url),
        classes=[0, 1],
        batch_size=50,
        backoff=0,
    )


ATTACKS = [
    ThresholdAttack(signal="modified_entropy"),
    ThresholdAttack(signal="correctness", per_class=True),
    QuantileRegressionAttack(estimator=DecisionTreeClassifier(), random_state=0),
    SupervisedAttack(estimator=DecisionTreeClassifier(random_state=0)),
    RMIA(**SHADOWS),
    LiRA(**SHADOWS),
    ShadowModelAttack(attack_estimator=DecisionTreeClassifier(), **SHADOWS),
    DifficultyCalibrationAttack(method="rank", **SHADOWS),
    LabelOnlyAttack(n_queries=3, random_state=0),
    LabelOnlyAttack(n_queries=3, **SHADOWS),
]
ATTACKS[2].set_params(estimator=None, n_folds=2)


def known(attack):
    return IS_MEMBER if isinstance(attack, SupervisedAttack) else None


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: type(a).__name__)
def test_scores_are_those_of_the_model_itself(attack, asked, service, model, records):
    service.fails_often = True
    target = asked(batch_size=400)
    own = clone(attack).set_params(target_estimator=target)
    direct = clone(attack).set_params(target_estimator=model)
    scores = own.fit_score(records, known(attack))
    assert np.array_equal(scores, direct.fit_score(records, known(attack)))
    assert np.array_equal(own.score_samples(records), scores)
    assert set(service.seen.values()) == {1}
    assert target.n_queries_ == len(service.seen)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: type(a).__name__)
def test_scores_do_not_depend_on_the_order_of_the_columns(attack, model, records):
    scores = []
    for order in ([0, 1], [1, 0]):
        service = BlackBoxClassifier(
            predict_proba=lambda X, order=order: model.predict_proba(X)[:, order],
            classes=order,
        )
        own = clone(attack).set_params(target_estimator=service)
        own.fit(records, known(attack))
        scores.append(own.score_samples(records))
    assert np.array_equal(*scores)


@pytest.mark.parametrize("names", [[0, 1, 2], ["a", "b", "c"], [-1.5, 0.0, 3.0]])
def test_columns_are_those_of_the_classes_in_ascending_order(names, tmp_path):
    X = np.arange(30.0).reshape(10, 3)
    labels = np.array(names)[np.arange(10) % 3]
    table = np.random.default_rng(0).dirichlet([1, 1, 1], 10).round(2)
    table[0] = 0.33
    names, given = np.array(names), []
    for order in permutations(range(3)):
        order = list(order)
        service = BlackBoxClassifier(
            predict_proba=lambda X, order=order: table[:, order],
            classes=names[order],
            memory=tmp_path,
            name="service",
        )
        assert np.array_equal(service.classes_, names)
        given.append(service.predict_proba(X))
        assert np.array_equal(service.predict(X), names[given[0].argmax(axis=1)])
        # What is kept has the columns of the service.
        assert service.n_calls_ == 1
        again = BlackBoxClassifier(**{**service.get_params(), "predict_proba": len})
        assert np.array_equal(again.predict_proba(X), given[0])
        alone = BlackBoxClassifier(predict=lambda X: labels, classes=names[order])
        assert np.array_equal(alone.predict(X), labels)
    for proba in given:
        assert np.array_equal(proba, given[0])
    assert np.allclose(given[0], table / table.sum(axis=1)[:, None])


@pytest.mark.parametrize("names", [[0, 2, 10], ["a", "b", "c"]])
def test_answers_alone_do_not_depend_on_the_order_of_the_columns(names):
    rng, names = np.random.default_rng(0), np.array(names)
    proba = rng.dirichlet([1, 1, 1], 120).round(2)
    proba[::7] = [0.4, 0.4, 0.2]
    proba /= proba.sum(axis=1, keepdims=True)
    labels, is_member = names[rng.integers(0, 3, 120)], np.arange(120) < 60
    told = []
    for order in ([0, 1, 2], [2, 0, 1]):
        given = {"classes": names[order], "slices": ("class",), **FEW}
        report = audit_predictions(proba[:, order], labels, is_member, **given)
        told.append((str(report), report.records.to_dict()))
    assert told[0] == told[1]


def test_requests_are_counted_one_by_one(asked, service, records):
    service.fails_often = True
    target = asked()
    twice = np.vstack([records, records[::-1]])
    ThresholdAttack(target).fit(twice)
    # Eight batches of 50, and the failures 3, 6 and 9.
    assert (service.n_requests, target.n_calls_, target.n_queries_) == (11, 11, 400)
    RMIA(make_pipeline(FunctionTransformer(), FrozenEstimator(target)), **SHADOWS).fit(
        records
    )
    assert service.n_requests == 11


def test_a_service_that_stays_away_is_told_with_what_was_got(asked, service, records):
    service.fails_from = 3
    target = asked(retries=2)
    with pytest.raises(
        ConnectionError,
        match=r"predict_proba=ask failed 3 times, one after the other, for a batch of "
        r"50 records, at last with HTTPError: HTTP Error 503.* 300 records are still",
    ):
        target.predict_proba(records[:, :-1])
    assert (target.n_queries_, target.n_calls_, service.n_requests) == (100, 5, 5)
    service.fails_from = np.inf
    target.predict_proba(records[:, :-1])
    assert (target.n_queries_, service.n_requests) == (400, 11)


def test_waits_double(monkeypatch):
    waits = []
    monkeypatch.setattr(asking.time, "sleep", waits.append)
    target = BlackBoxClassifier(predict=lambda X: 1 / 0, classes=[0, 1], retries=3)
    with pytest.raises(ConnectionError, match="ZeroDivisionError"):
        target.predict([[1.0]])
    assert waits == [0.5, 1.0, 2.0]


def test_the_budget_is_kept_whatever_the_order_of_the_records(asked, service, records):
    X = records[:, :-1]
    target = asked(max_queries=130)
    with pytest.warns(UserWarning, match="270 of 400 records were not asked about"):
        proba = target.predict_proba(X)
    answered = ~np.isnan(proba).any(axis=1)
    assert len(service.seen) == answered.sum() == target.n_queries_ == 130
    assert target.n_unasked_ == 270
    labels = target.predict(X)
    assert [label is None for label in labels] == (~answered).tolist()
    assert np.array_equal(predicted_codes(target, X) < 0, ~answered)
    other = asked(max_queries=130)
    with pytest.warns(UserWarning, match="not asked"):
        assert np.array_equal(other.predict_proba(X[::-1])[::-1], proba, equal_nan=True)
    # Neither side is asked first.
    assert 50 <= answered[IS_MEMBER].sum() <= 80


@pytest.mark.parametrize("attack", ATTACKS[:8], ids=lambda a: type(a).__name__)
def test_records_without_an_answer_have_the_neutral_score(
    attack, asked, records, model
):
    target = asked(max_queries=250, batch_size=400)
    own = clone(attack).set_params(target_estimator=target)
    with (
        pytest.warns(UserWarning, match="150 of 400 records were not asked about"),
        pytest.warns(UserWarning, match="max_queries of the target is used up"),
    ):
        scores = own.fit_score(records, known(attack))
    lacking = np.isnan(target.predict_proba(records[:, :-1])[:, 0])
    assert own.n_unscored_ == lacking.sum() == 150
    neutral = np.median(scores[~lacking])
    assert np.array_equal(scores[lacking], np.full(150, neutral))
    with pytest.warns(UserWarning, match="150 of 400 records of the call"):
        assert np.array_equal(own.score_samples(records), scores)
    if isinstance(attack, (ThresholdAttack, SupervisedAttack)):
        # Nothing is learned from them.
        some = clone(attack).set_params(target_estimator=model)
        is_member = known(attack)
        is_member = None if is_member is None else is_member[~lacking]
        alone = some.fit_score(records[~lacking], is_member)
        assert np.array_equal(scores[~lacking], alone)
        assert own.offset_ == some.offset_


@pytest.mark.parametrize("name", SIGNALS)
def test_no_signal_is_made_up(name):
    log_proba = np.log([[0.5, 0.3, 0.2], [np.nan, np.nan, np.nan]])
    signal = SIGNALS[name](log_proba, np.array([0, 0]))
    assert np.isnan(signal).tolist() == [False, True]


def test_changed_copies_share_what_is_left_of_the_budget(asked, records, model):
    target = asked(max_queries=1300, batch_size=400)
    attack = LabelOnlyAttack(target, n_queries=5, batch_size=400, random_state=0)
    with pytest.warns(UserWarning, match="not asked about"):
        scores = attack.fit_score(records)
    assert target.n_queries_ == 1300
    assert attack.n_unscored_ == 0
    # Two copies of each and, of 100 records, a third.
    direct = [
        LabelOnlyAttack(model, n_queries=n, random_state=0).fit_score(records)
        for n in (2, 3)
    ]
    as_direct = [np.isclose(scores, values) for values in direct]
    assert np.all(as_direct[0] | as_direct[1])
    assert as_direct[0].sum() >= 300


def test_records_without_label_need_an_answer(asked, records):
    with (
        pytest.warns(UserWarning, match="not asked"),
        pytest.raises(ValueError, match="for 300 of them there is no answer"),
    ):
        ThresholdAttack(asked(max_queries=100), label_column=None).fit(records[:, :-1])


def test_a_stopped_run_goes_on_and_a_finished_one_asks_nothing(
    asked, service, records, tmp_path
):
    X, folder = records[:, :-1], tmp_path / "answers"
    service.fails_from = 4
    with pytest.raises(ConnectionError, match="kept in memory"):
        asked(memory=folder, retries=0).predict_proba(X)
    service.fails_from = np.inf
    target = asked(memory=joblib.Memory(str(folder), verbose=0))
    proba = target.predict_proba(X)
    assert set(service.seen.values()) == {1}
    # Three batches before, one failure, five batches after it.
    assert (target.n_queries_, target.n_calls_, service.n_requests) == (400, 5, 9)
    again = asked(memory=folder, batch_size=7)
    assert np.array_equal(again.predict_proba(X), proba)
    assert (again.n_queries_, again.n_calls_) == (400, 0)
    files = [path for path in folder.rglob("*") if path.is_file()]
    private = [p.stat().st_mode & 0o77 for p in files if p.suffix == ".pkl"]
    assert private == [0] * 8


def test_the_budget_counts_what_an_earlier_run_asked(asked, records, tmp_path):
    X = records[:, :-1]
    whole = asked(max_queries=200)
    with pytest.warns(UserWarning, match="not asked"):
        expected = whole.predict_proba(X)
    with pytest.warns(UserWarning, match="not asked"):
        asked(max_queries=120, memory=tmp_path).predict_proba(X)
    second = asked(max_queries=200, memory=tmp_path)
    with pytest.warns(UserWarning, match="not asked"):
        assert np.array_equal(second.predict_proba(X), expected, equal_nan=True)
    assert (second.n_queries_, second.n_calls_) == (200, 2)


def test_memory_is_of_one_service_and_survives_a_damaged_batch(
    asked, service, records, tmp_path
):
    X = records[:, :-1]
    asked(memory=tmp_path).predict_proba(X)
    other = asked(memory=tmp_path, name="version 2")
    other.predict_proba(X)
    assert service.seen.total() == 800
    # Batches of another service, or of two runs at once, are no harm.
    first = sorted(tmp_path.rglob("output.pkl"))[0]
    first.write_bytes(b"damaged")
    asked(memory=tmp_path).predict_proba(X)
    asked(memory=tmp_path, name="version 2").predict_proba(X)
    assert service.seen.total() == 850
    asked(memory=tmp_path).predict_proba(X)
    asked(memory=tmp_path, name="version 2").predict_proba(X)
    assert service.seen.total() == 850

    class Client:
        lock = threading.Lock()

        def ask(self, X):
            return [[0.5, 0.5]] * len(X)

        def __getstate__(self):
            return {"lock": self.lock}

    target = BlackBoxClassifier(
        predict_proba=Client().ask, classes=[0, 1], memory=tmp_path
    )
    with pytest.raises(ValueError, match=r"predict_proba=ask cannot be told .* name="):
        target.predict_proba(X)
    assert np.all(target.set_params(name="a").predict_proba(X) == 0.5)


def test_two_runs_at_once_take_over_each_others_answers(asked, records, tmp_path):
    X = records[:, :-1]
    one, other = asked(memory=tmp_path), asked(memory=tmp_path)
    for target in (one, other):
        target.predict_proba(X[:1])
    one.predict_proba(X[:200])
    other.predict_proba(X[200:])
    third = asked(memory=tmp_path)
    third.predict_proba(X)
    assert third.n_calls_ == 0


ANSWERS = [
    ([[0.5, 0.5]], r"shape \(1, 2\); expected \(2, 2\)"),
    ([0.5, 0.5], r"np.column_stack\(\[1 - p, p\]\)"),
    ([[0.5, 0.5], [np.nan, 1]], "1 probabilities that are missing"),
    ([[0.5, 0.5], [-0.5, 1.5]], "values from -0.5 to 1.5"),
    ([[50, 50], [1, 99]], "has percent"),
    ([[0.5, 0.5], [0.4, 0.5]], "sums from 0.9 to 1"),
    ([[0.5, 0.5], [0.501, 0.503]], "sums from 1 to 1.004"),
    ({"error": "busy"}, "returned dict, which is no table of numbers"),
]


@pytest.mark.parametrize(("answer", "message"), ANSWERS)
def test_wrong_answers_are_refused(answer, message):
    target = BlackBoxClassifier(predict_proba=lambda X: answer, classes=[0, 1])
    if message.startswith("sums from 0.9"):
        # One decimal of two classes explains a sum of .9.
        assert target.predict_proba([[0.0], [1.0]]).sum() == pytest.approx(2)
        return
    with pytest.raises(ValueError, match=message):
        target.predict_proba([[0.0], [1.0]])
    assert target.n_queries_ == 0


def test_rounded_rows_sum_to_one_and_exact_ones_stay():
    rounded = np.array([[0.33, 0.33, 0.33], [0.2, 0.3, 0.5]])
    exact = np.array([[0.1234567, 0.8, 0.0765433], [1 / 3, 1 / 3, 1 / 3]])
    for table in (rounded, exact):
        target = BlackBoxClassifier(
            predict_proba=lambda X, table=table: table.tolist(), classes=[0, 1, 2]
        )
        proba = target.predict_proba([[0.0], [1.0]])
        assert np.allclose(proba.sum(axis=1), 1, rtol=0, atol=1e-12)
        assert np.array_equal(proba[1], table[1])


def test_single_precision_may_leave_the_ends_and_no_more():
    table = np.array([[-1e-7, 1 + 1e-7], [1e-9, 1 - 1e-9]])
    target = BlackBoxClassifier(predict_proba=lambda X: table, classes=[0, 1])
    proba = target.predict_proba([[0.0], [1.0]])
    assert np.array_equal(proba, [[0, 1], [1e-9, 1 - 1e-9]])


def test_labels_alone(records, model):
    X = records[:, :-1]
    names = np.array(["no", "yes"])
    target = BlackBoxClassifier(
        predict=lambda X: names[model.predict(X)].tolist(), classes=names
    )
    assert not hasattr(target, "predict_proba")
    assert np.array_equal(target.predict(X), names[model.predict(X)])
    with pytest.raises(ValueError, match="2 of 2 answers of predict have a class"):
        target.set_params(predict=lambda X: ["maybe"] * len(X)).predict(X[:2])


def test_what_is_missing_is_told():
    with pytest.raises(ValueError, match="got no function; expected one of"):
        ThresholdAttack(BlackBoxClassifier(classes=[0, 1])).fit([[1.0, 0]])
    both = BlackBoxClassifier(predict=len, predict_proba=len, classes=[0, 1])
    with pytest.raises(ValueError, match="got predict_proba and predict; expected"):
        both.predict([[1.0]])
    with pytest.raises(ValueError, match="'classes' parameter"):
        BlackBoxClassifier(predict=len).predict([[1.0]])
    with pytest.raises(ValueError, match="2 different values"):
        BlackBoxClassifier(predict=len, classes=[0, 1, 1]).predict([[1.0]])


def test_it_is_cloned_and_pickled_with_its_answers(asked, service, records):
    X, target = records[:, :-1], asked()
    proba = target.predict_proba(X)
    assert clone(target) is target
    assert clone(RMIA(target, **SHADOWS)).target_estimator is target
    copied = pickle.loads(pickle.dumps(target))
    assert np.array_equal(copied.predict_proba(X), proba)
    assert copied.n_queries_ == 400
    assert service.n_requests == 8
    with pytest.raises(TypeError, match="cannot be trained"):
        target.fit(X, None)


class Client:
    def __init__(self, key):
        self.key = key

    def __repr__(self):
        return f"Client({self.key})"

    def __call__(self, X):
        return [[0.5, 0.5]] * len(X)


def test_the_key_of_a_service_is_not_shown():
    for function in (Client("secret"), Client("secret").__call__):
        for given in (function, partial(function, key="secret")):
            target = BlackBoxClassifier(
                predict_proba=given, classes=[0, 1], memory="secret"
            )
            assert "secret" not in repr(target)
            assert "classes=[0, 1]" in repr(target)


def test_a_worker_process_does_not_ask(asked, service, records, monkeypatch):
    X, target = records[:, :-1], asked()
    target.predict_proba(X[:200])
    copied = pickle.loads(pickle.dumps(target))
    home = copied._home
    monkeypatch.setattr(asking.os, "getpid", lambda: home + 1)
    monkeypatch.setattr(asking.os, "getppid", lambda: home)
    assert np.isfinite(copied.predict_proba(X[:200])).all()
    with pytest.raises(ValueError, match="200 new records in a worker process"):
        copied.predict_proba(X)
    assert service.n_requests == 4


@pytest.mark.slow
def test_workers_ask_nothing_again(asked, service, records):
    target = asked()
    attack = ThresholdAttack(target)
    with pytest.raises(ValueError, match="in a worker process"):
        cross_val_score(attack, records, IS_MEMBER, cv=2, n_jobs=2, error_score="raise")
    assert service.n_requests == 0
    target.predict_proba(records[:, :-1])
    aucs = cross_val_score(attack, records, IS_MEMBER, cv=2, n_jobs=2)
    assert np.isfinite(aucs).all()
    parallel = RMIA(target, **SHADOWS, n_jobs=2).fit_score(records)
    assert np.array_equal(parallel, RMIA(target, **SHADOWS).fit_score(records))
    assert service.n_requests == 8


def test_threads_ask_once(asked, service, records):
    X, target = records[:, :-1], asked()
    joblib.Parallel(4, backend="threading")(
        joblib.delayed(target.predict_proba)(X) for _ in range(8)
    )
    assert service.n_requests == 8


@pytest.mark.parametrize("attack", [RMIA, LiRA, ShadowModelAttack])
def test_shadows_without_a_recipe_are_refused_before_anything_is_asked(
    attack, asked, service, records
):
    message = r"cannot be cloned.* Pass shadow_estimator="
    target = asked()
    for given in (target, make_pipeline(FunctionTransformer(), target)):
        with pytest.raises(ValueError, match=message):
            attack(given).fit(records)
        with pytest.raises(ValueError, match=message):
            attack(given, shadow_estimator=target).fit(records)
    assert service.n_requests == 0


def test_default_attacks_without_a_recipe_need_no_shadows(asked):
    assert list(default_attacks(asked())) == [
        "ThresholdAttack",
        "QuantileRegressionAttack",
    ]
    with_recipe = default_attacks(asked(), shadow_estimator=RECIPE)
    assert list(with_recipe) == ["ThresholdAttack", "RMIA", "LiRA"]
    assert with_recipe["LiRA"].shadow_estimator is RECIPE


FEW = {"n_permutations": 99, "random_state": 0}


def test_an_audit_within_a_budget(asked, service, half, tmp_path):
    target = asked(max_queries=300, batch_size=400)
    with pytest.warns(UserWarning, match="100 of 400 records were not asked about"):
        report = audit(target, *half, shadow_estimator=RECIPE, n_shadows=4, **FEW)
    assert len(service.seen) == 300
    content = json.loads(report.to_json())["report"]
    queries = content["model"]["queries"]
    assert queries["n_queries"] == queries["max_queries"] == 300
    assert queries["n_members_unasked"] + queries["n_nonmembers_unasked"] == 100
    data = content["data"]
    assert data["n_members"] == 200 - queries["n_members_unasked"]
    assert data["n_nonmembers"] == 200 - queries["n_nonmembers_unasked"]
    assert "MIA029" in [finding.code for finding in report.findings]
    assert "MIA030" not in [finding.code for finding in report.findings]
    assert content["access"] == "interface"
    assert "were never asked about" in " ".join(report.appendix["Data"])
    assert "asked about 300 different records" in " ".join(str(report).split())
    pytest.importorskip("jinja2")
    report.to_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "asked about 300 different records" in page
    assert len(report.records["id"]) == 300
    path = tmp_path / "report.json"
    report.to_json(path)
    assert str(AuditReport.from_json(path)) == str(report)


def test_an_audit_is_that_of_the_records_answered(asked, half, model):
    given = {"attacks": ThresholdAttack(signal="loss"), "slices": None, **FEW}
    target = asked(max_queries=300, batch_size=400)
    with pytest.warns(UserWarning, match="not asked"):
        report = audit(target, *half, **given)
    answered = [~np.isnan(target.predict_proba(X)[:, 0]) for X in half[::2]]
    by_table = np.repeat(np.array(answered), 2, axis=0)
    sides = [table[rows] for table, rows in zip(half, by_table, strict=True)]
    direct = audit(model, *sides, release="interface", **given)
    for key in ("headline", "limits", "exposed"):
        assert report.to_dict()["report"][key] == direct.to_dict()["report"][key]


def test_what_was_not_tried_is_not_shown_to_be_safe(asked, half):
    target = asked(batch_size=400)
    limits = {"auc": 0.99}
    report = audit(target, *half, attacks="ThresholdAttack", limits=limits, **FEW)
    assert [f.code for f in report.findings if f.code > "MIA028"] == ["MIA030"]
    assert report.verdict["level"] in ("at_limits", "nothing_found")
    assert "not shown to be within all limits" in " ".join(str(report).split())
    assert "No attack trained models like this one" in str(report)
    assert "but trains no models like it" in " ".join(str(report).split())
    assert "and train models like it" not in " ".join(str(report).split())
    assert "MIA030" in " ".join(report.appendix["Not tested"])


def test_an_attack_without_queries_is_left_out_of_the_audit(asked, half):
    target = asked(max_queries=400, batch_size=400)
    given = [ThresholdAttack(), LabelOnlyAttack(n_queries=2)]
    with pytest.warns(UserWarning, match="not asked"):
        report = audit(target, *half, attacks=given, **FEW)
    assert [row["name"] for row in report.attacks] == ["ThresholdAttack"]
    found = {f.code: f.message for f in report.findings}
    assert "LabelOnlyAttack could score none." in found["MIA029"]


def test_an_audit_needs_both_sides_and_no_file(asked, half):
    with (
        pytest.warns(UserWarning, match="not asked"),
        pytest.raises(ValueError, match=r"0 of 200 members|1 of 200|2 of 200"),
    ):
        audit(asked(max_queries=1), *half, **FEW)
    with pytest.raises(ValueError, match="its file is not at hand"):
        audit(asked(), *half, release="file", **FEW)
    with pytest.raises(ValueError, match="cannot be cloned"):
        audit(asked(), *half, attacks="RMIA", **FEW)


def of_code(report, code):
    return [finding for finding in report.findings if finding.code == code]


def test_one_answer_for_all_records_is_no_good_news(half):
    one, given = [[0.25, 0.75]], {"attacks": ThresholdAttack(), **FEW}
    constant = BlackBoxClassifier(
        predict_proba=lambda X: one * len(X), classes=[0, 1], max_queries=350
    )
    with pytest.warns(UserWarning, match="not asked"):
        report = audit(constant, *half, **given)
    (finding,) = of_code(report, "MIA032")
    assert (finding.severity, finding.numbers) == ("critical", {"n_records": 350})
    assert finding.message == (
        "The model gave the same probabilities for all 350 records: its answers tell "
        "nothing of a single one, and there is nothing in them to attack."
    )
    assert report.verdict["level"] == "not_interpretable"
    # Of labels most may be one, and of a model at hand the answers are known.
    labels = BlackBoxClassifier(predict=lambda X: [1] * len(X), classes=[0, 1])
    (finding,) = of_code(audit(labels, *half, **given), "MIA032")
    assert finding.severity == "warning"
    assert finding.message.startswith("The model gave the same label for all 400 rec")
    at_hand = DummyClassifier().fit(*half[:2])
    (finding,) = of_code(audit(at_hand, *half, **given), "MIA032")
    assert finding.severity == "warning"


def test_columns_in_another_order_than_the_classes_are_thought_of(half, model):
    given = {"attacks": ThresholdAttack(), **FEW}
    turned = BlackBoxClassifier(
        predict_proba=lambda X: model.predict_proba(X)[:, ::-1], classes=[0, 1]
    )
    (finding,) = of_code(audit(turned, *half, **given), "MIA012")
    assert finding.advice.endswith(
        "both tables were prepared alike. Or the columns are not in the order of "
        "classes: it does worse than always the commonest class would."
    )
    service = BlackBoxClassifier(predict_proba=model.predict_proba, classes=[0, 1])
    (finding,) = of_code(audit(service, *half[2:], *half[:2], **given), "MIA012")
    assert finding.advice.endswith("both tables were prepared alike.")
    assert not of_code(audit(service, *half, **given), "MIA032")
