import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC

from sklearn_mia import RMIA, LiRA, ThresholdAttack
from sklearn_mia.auditing import Finding, _circumstances, _findings, _service, audit
from sklearn_mia.auditing._blind import blind_auc, blind_table
from sklearn_mia.auditing._judging import passes
from sklearn_mia.auditing._multiplicity import MembershipPermuter
from sklearn_mia.datasets import load_german_credit


@pytest.fixture
def sides():
    return np.arange(1000) < 500


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def codes_of(model, *sides, **params):
    params = {
        "attacks": ThresholdAttack(),
        "n_permutations": 99,
        "slices": None,
        "fprs": [0.1],
        "random_state": 0,
    } | params
    report = audit(model, *sides, **params)
    for finding in report.findings:
        assert isinstance(finding, Finding)
        assert re.fullmatch(r"MIA\d{3}", finding.code)
        assert finding.severity in ("critical", "warning", "note")
        assert finding.message.endswith(".")
        assert finding.advice.endswith(".")
    return [finding.code for finding in report.findings]


def test_a_clean_audit_has_no_finding(half):
    model = LogisticRegression().fit(*half[:2])
    assert codes_of(model, *half, attacks=LiRA(n_shadows=4)) == []


def test_001_blind_baseline(sides, rng):
    table, units = rng.normal(size=(1000, 4)), np.arange(1000)
    assert _findings.check_blind(blind_auc(table, sides, units)) is None
    shifted = table + np.outer(sides, [0.5, 0, 0, 0])
    finding = _findings.check_blind(blind_auc(shifted, sides, units))
    assert finding.code == "MIA001"
    assert finding.severity == "critical"
    assert 0.5 < finding.numbers["low"] < finding.numbers["auc"]


def test_001_sees_text_and_missing_values(half):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {"a": np.where(np.arange(400) < 200, "early", None), "b": np.arange(400.0)}
    )
    frame.loc[frame["b"] % 3 == 0, "a"] = "late"
    table = blind_table(frame, np.zeros(400, dtype=int))
    finding = _findings.check_blind(
        blind_auc(table[:, :1], np.arange(400) < 200, np.arange(400))
    )
    assert finding.code == "MIA001"


def test_001_tells_that_leaving_out_equal_non_members_makes_the_sides_differ():
    rng = np.random.default_rng(0)
    # Half of the people have one of ten common records, the others one of their own.
    X = np.where(rng.random(600) < 0.5, rng.integers(10, size=600), rng.random(600))
    X, y = X[:, None], (X % 2 < 1).astype(int)
    model = LogisticRegression().fit(X[:300], y[:300])
    options = {"attacks": ThresholdAttack(), "n_permutations": 99, "random_state": 0}
    sides = X[:300], y[:300], X[300:], y[300:]
    kept = audit(model, *sides, **options)
    assert "MIA001" not in [finding.code for finding in kept.findings]
    dropped = audit(model, *sides, drop_shared=True, **options)
    (finding,) = [f for f in dropped.findings if f.code == "MIA001"]
    assert "Take equal records out of the table before it is split" in finding.advice


def test_001_makes_the_headline_not_interpretable(half):
    X_in, y_in, X_out, y_out = half
    model = RandomForestClassifier(10, random_state=0).fit(X_in, y_in)
    report = audit(
        model,
        X_in,
        y_in,
        X_out + np.eye(8)[0],
        y_out,
        attacks=ThresholdAttack(),
        n_permutations=99,
        random_state=0,
    )
    assert report.findings[0].code == "MIA001"
    assert report.verdict["level"] == "not_interpretable"
    assert report.findings[0].message in report.verdict["sentences"]


def test_002_duplicates_across_sides(sides, half):
    ids = np.arange(1000)
    assert _findings.check_duplicates(ids, sides) is None
    ids[500:530] = ids[:30]
    finding = _findings.check_duplicates(ids, sides)
    assert finding.code == "MIA002"
    assert finding.numbers == {"n_members": 30, "n_nonmembers": 30, "share": 0.06}


def test_002_dropping_them_silences_it(half):
    X_in, y_in, X_out, y_out = (a.copy() for a in half)
    X_out[:30], y_out[:30] = X_in[:30], y_in[:30]
    model = LogisticRegression().fit(X_in, y_in)
    assert "MIA002" in codes_of(model, X_in, y_in, X_out, y_out)
    report = audit(
        model,
        X_in,
        y_in,
        X_out,
        y_out,
        attacks=ThresholdAttack(),
        drop_shared=True,
        n_permutations=99,
        random_state=0,
    )
    assert "MIA002" not in [finding.code for finding in report.findings]
    assert report.to_dict()["report"]["data"]["n_dropped"] == 30
    assert len(report.to_dict(name_records=True)["records"]["id"]) == 370


def test_003_groups_across_sides(sides):
    groups = np.arange(1000) // 5
    assert _findings.check_groups(groups, sides) is None
    assert _findings.check_groups(None, sides) is None
    finding = _findings.check_groups(np.roll(groups, 2), sides)
    assert finding.code == "MIA003"
    assert finding.numbers["n_shared_groups"] == 2


def test_004_tied_scores(sides, rng):
    scores = rng.normal(size=1000)
    assert _findings.check_ties("A", sides, scores) is None
    finding = _findings.check_ties("A", sides, np.minimum(scores, 1))
    assert finding.code == "MIA004"
    assert finding.numbers["n_tied"] == np.sum(scores[~sides] >= 1)


def test_005_resolution():
    assert _findings.check_resolution(1000, [0.001]) is None
    finding = _findings.check_resolution(200, [0.001, 0.1])
    assert finding.code == "MIA005"
    assert finding.numbers["n_needed"] == 1000
    assert finding.numbers["fprs"] == [0.001]
    assert finding.numbers["highest_fpr_at_no_alarm"] == pytest.approx(0.0183, abs=1e-4)


def test_006_shadow_regime(half):
    model = RandomForestClassifier(20, random_state=0).fit(*half[:2])
    assert "MIA006" not in codes_of(model, *half, attacks=LiRA(n_shadows=8))
    assert "MIA006" not in codes_of(model, *half, attacks=RMIA(n_shadows=4))
    stump = LiRA(shadow_estimator=RandomForestClassifier(20, max_depth=1), n_shadows=8)
    assert "MIA006" in codes_of(model, *half, attacks=stump)


def test_006_sizes():
    regime = {
        "target_size": 1000,
        "shadow_size": 1000,
        "thin": False,
        "target_members": 0.9,
        "shadow_in": 0.9,
        "shadow_in_sd": 0.01,
        "target_nonmembers": 0.8,
        "shadow_out": 0.8,
        "shadow_out_sd": 0.01,
    }
    assert _circumstances.check_regime(regime) is None
    assert _circumstances.check_regime(regime | {"target_size": 5000}).code == "MIA006"


def test_007_target_among_the_shadows(sides, rng):
    independent = rng.random((16, 1000)) < 0.5
    assert _circumstances.check_twins(independent, sides) is None
    assert _circumstances.check_twins(None, sides) is None
    pairs = np.concatenate([independent, ~independent])
    assert _circumstances.check_twins(pairs, sides) is None
    # The target is one of a set in which each record is in exactly half.
    missing_one = np.concatenate([pairs, ~sides[None]])
    finding = _circumstances.check_twins(missing_one, sides)
    assert finding.code == "MIA007"
    assert finding.severity == "critical"
    assert finding.numbers["auc_of_shadow_count"] == 0
    assert finding.numbers["n_twins"] == 1


def test_008_lost_classes():
    assert _circumstances.check_lost_classes({}, 16, {}) is None
    note = _circumstances.check_lost_classes({"rare": 3}, 16, {})
    assert (note.code, note.severity) == ("MIA008", "note")
    warning = _circumstances.check_lost_classes({"rare": 16}, 16, {"LiRA": 2})
    assert warning.severity == "warning"
    assert "2 records" in warning.message


def test_008_in_an_audit():
    X, y = make_classification(400, 8, n_informative=5, random_state=0)
    y[[0, 200]] = 2
    model = LogisticRegression().fit(X[:200], y[:200])
    sides = X[:200], y[:200], X[200:], y[200:]
    assert "MIA008" in codes_of(model, *sides, attacks=LiRA(n_shadows=4))


def test_009_giveaways(sides, rng):
    noise, units = rng.normal(size=1000), np.arange(1000)
    assert _findings.check_giveaways({"x": noise}, sides, units) is None
    rows = np.arange(1000.0)
    finding = _findings.check_giveaways({"x": noise, "id": rows}, sides, units)
    assert (finding.code, finding.severity) == ("MIA009", "critical")
    assert finding.numbers["auc"] == {"id": 0.0}
    order = _findings.check_giveaways({"record order": rows}, sides, units)
    assert order.severity == "warning"
    # Eight people a side say as little as eight records.
    people = units // 125
    assert len(np.unique(people[sides])) < 10
    assert _findings.check_giveaways({"id": rows}, sides, people) is None


def names_of_rows(n, kind):
    pd = pytest.importorskip("pandas")
    if kind == "dates":
        return pd.date_range("2020-01-01", periods=n)
    return {
        "default": pd.RangeIndex(n),
        "taken": pd.Index(np.arange(n)),
        "later ones": pd.Index(np.r_[: n // 2, 1000 : 1000 + n // 2]),
        "in another order": pd.Index(np.r_[: n // 2, n - 1 : n // 2 - 1 : -1]),
    }[kind]


@pytest.mark.parametrize(
    ("kind", "tells"),
    [
        ("default", False),
        ("taken", False),
        ("later ones", True),
        ("in another order", True),
        ("dates", True),
    ],
)
def test_009_an_index_that_goes_on_is_no_order_of_the_records(half, kind, tells):
    X_in, y_in, X_out, y_out = half
    X, y, n = np.r_[X_in, X_out], np.r_[y_in, y_out], len(y_in)
    names = names_of_rows(len(X), kind)
    whole = pytest.importorskip("pandas").DataFrame(X, index=names)
    model = GaussianNB().fit(whole[:n], y_in)
    told = codes_of(model, whole[:n], y[:n], whole[n:], y[n:])
    assert ("MIA009" in told) == tells
    # Whoever says that they are ids means them.
    named = {"ids_train": names[:n], "ids_test": names[n:]}
    told = codes_of(model, X_in, y_in, X_out, y_out, **named)
    assert "MIA009" in told


def test_009_row_numbers_among_the_features(half):
    X_in, y_in, X_out, y_out = half
    X_in = np.column_stack([X_in, np.arange(200)])
    X_out = np.column_stack([X_out, np.arange(200, 400)])
    model = RandomForestClassifier(10, random_state=0).fit(X_in, y_in)
    codes = codes_of(model, X_in, y_in, X_out, y_out)
    assert {"MIA001", "MIA009"} <= set(codes)


def test_010_unequal_sides():
    assert _findings.check_balance(500, 500) is None
    finding = _findings.check_balance(900, 100)
    assert finding.code == "MIA010"
    assert finding.numbers["majority_accuracy"] == 0.9


def test_011_attack_that_came_in_fitted(half):
    model = LogisticRegression().fit(*half[:2])
    attack = ThresholdAttack(model)
    assert "MIA011" not in codes_of(model, *half, attacks=attack)
    attack.fit(np.column_stack(half[:2]))
    assert "MIA011" in codes_of(model, *half, attacks=attack)


def test_012_swapped_sides(half):
    model = RandomForestClassifier(10, random_state=0).fit(*half[:2])
    assert "MIA012" not in codes_of(model, *half)
    assert "MIA012" in codes_of(model, *half[2:], *half[:2])


def swapped(right, losses, is_member, units, **params):
    permuter = MembershipPermuter(is_member, units)
    finding = _findings.check_swapped(
        right, losses, is_member, permuter, alpha=0.005, **params
    )
    return None if finding is None else finding.message


def test_012_a_mean_loss_tells_where_errors_do_not(sides, rng):
    units, right = np.arange(1000), np.ones(1000, dtype=bool)
    losses = rng.exponential(size=1000)
    assert swapped(right, losses, sides, units) is None
    # Right about all, and less sure of its own records.
    message = swapped(right, losses + 0.3 * sides, sides, units)
    assert re.fullmatch(
        r"The model has a mean loss of [\d.]+ on the non-members but of [\d.]+ on the "
        r"members\.",
        message,
    )
    assert swapped(right, losses - 0.3 * sides, sides, units) is None
    # Four errors of 500 against none are chance: all on one side in 1 of 16 draws.
    errors = right & ~np.isin(units, [1, 2, 3, 4])
    assert swapped(errors, np.zeros(1000), sides, units) is None
    errors = right & (units >= 12)
    assert swapped(errors, np.zeros(1000), sides, units) == (
        "The model is right on 100 % of the non-members but only on 97.6 % of the "
        "members, its own training records."
    )
    # Twelve records of one person are one.
    assert swapped(errors, np.zeros(1000), sides, units // 20) is None


@pytest.mark.slow
def test_checks_of_groups_do_not_take_records_for_draws_of_their_own(
    whole_blind_checks,
):
    """No leak, 20 v 20 persons of 8 records in tight clusters: counting records, the
    sides looked different without the model in 24 of 150 audits and swapped in 5.
    """
    alarms = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        person = np.repeat(np.arange(40), 8)
        X = rng.normal(size=(40, 5))[person] + 0.1 * rng.normal(size=(320, 5))
        y = (X[:, 0] + rng.normal(size=320) > 0).astype(int)
        model = LogisticRegression().fit(rng.normal(size=(100, 5)), np.arange(100) % 2)
        halves = X[:160], y[:160], X[160:], y[160:]
        groups = {"groups_train": person[:160], "groups_test": person[160:]}
        alarms += codes_of(model, *halves, **groups)
    # More than one in 12 at a level of .01 comes up in 1 of 150 runs.
    assert alarms.count("MIA001") + alarms.count("MIA012") <= 1
    assert alarms.count("MIA020") == 0


def test_013_no_probabilities(half):
    with_proba = LogisticRegression().fit(*half[:2])
    assert "MIA013" not in codes_of(with_proba, *half)
    assert "MIA013" in codes_of(LinearSVC().fit(*half[:2]), *half)


def test_014_version():
    assert _circumstances.check_version("1.9.1", "1.9.1") is None
    assert _circumstances.check_version(None, "1.9.1") is None
    finding = _circumstances.check_version("1.2.0", "1.9.1")
    assert finding.code == "MIA014"
    assert "1.2.0" in finding.message


def test_015_column_order():
    assert _circumstances.check_column_order(False, False) is None
    assert _circumstances.check_column_order(True, False).code == "MIA015"
    assert "not their order" in _circumstances.check_column_order(False, True).message


def test_016_intervals_of_equal_records():
    assert _circumstances.check_units(np.arange(100)) is None
    finding = _circumstances.check_units(np.arange(100) // 5)
    assert finding.code == "MIA016"
    assert finding.numbers == {"n_units": 20, "n_records": 100}


def test_017_only_predictions(half):
    from sklearn_mia.auditing import audit_predictions

    model = LogisticRegression().fit(*half[:2])
    X, y = np.concatenate(half[::2]), np.concatenate(half[1::2])
    report = audit_predictions(
        model.predict_proba(X), y, np.arange(400) < 200, n_permutations=99
    )
    assert "MIA017" in [finding.code for finding in report.findings]
    assert "MIA017" not in codes_of(model, *half)


def test_each_code_belongs_to_one_check():
    modules = _findings, _circumstances, _service
    source = "\n".join(Path(m.__file__).read_text(encoding="utf-8") for m in modules)
    described = re.findall(r'"""(MIA\d{3})(?: and (MIA\d{3}))?:', source)
    described = [code for codes in described for code in codes if code]
    assert sorted(described) == [f"MIA{i:03d}" for i in range(1, 34)]
    parts = re.split(r"\ndef ", source)
    for code in described:
        assert sum(f'"{code}"' in part for part in parts) == 1


def far(values):
    return _circumstances.check_far_values(values, np.arange(len(values)) % 2 == 0)


@pytest.mark.parametrize("absurd", [1e4, -999999, 1e9])
def test_031_values_far_outside_all_others_are_counted_and_not_told(absurd, rng):
    values = rng.normal(size=1000)
    values[[1, 2, 3]] = absurd
    finding = far(values)
    assert (finding.code, finding.severity) == ("MIA031", "warning")
    assert finding.message.startswith(
        "3 of 1000 records (1 of members, 2 of non-members) have a value to predict "
    )
    assert finding.numbers == {"n_far": 3, "n_members": 1, "times": 10}
    # Two that are absurd in different ways are both counted.
    values[5] = 1e14
    assert far(values).numbers["n_far"] == 4


def test_031_skewed_values_are_none_of_them(rng):
    skewed = [
        rng.lognormal(size=5000),
        np.where(rng.random(5000) < 0.05, 20, 1) * rng.lognormal(size=5000),
        # Hours of work: half of them equal, from 1 to 99.
        np.clip(np.where(rng.random(5000) < 0.5, 40, rng.normal(40, 15, 5000)), 1, 99),
        # Claims: nearly all 0.
        np.where(rng.random(5000) < 0.03, rng.lognormal(8, 1, 5000), 0),
        np.repeat([0.0, 1000.0], [90, 10]),
        np.zeros(10),
        load_german_credit(as_frame=True).frame["credit_amount"].to_numpy(),
    ]
    assert [far(values) for values in skewed] == [None] * len(skewed)


def test_031_nothing_is_shown_to_be_safe_beside_such_values(rng):
    """Were it not for the value, all limits would be kept."""
    X, noise = rng.normal(size=(600, 3)), rng.normal(size=600)
    reports = []
    for value in (0.0, 1e9):
        y = X[:, 0] + noise
        y[303] = value
        model = Ridge().fit(X[:300], y[:300])
        reports.append(
            audit(
                model,
                *(X[:300], y[:300], X[300:], y[300:]),
                attacks=RMIA(n_shadows=4),
                release="interface",
                limits={"auc": 0.7},
                slices=None,
                n_permutations=99,
                random_state=0,
            )
        )
    clean, spoiled = reports
    assert "MIA031" not in [finding.code for finding in clean.findings]
    assert "MIA031" in [finding.code for finding in spoiled.findings]
    assert [report.limits[0]["outcome"] for report in reports] == ["kept", "kept"]
    assert [passes(report._content) for report in reports] == ["yes", "not shown"]
    assert [report.passes for report in reports] == [True, False]
    assert spoiled.verdict["title"].startswith("A leak larger than the limits could")
    assert spoiled.verdict["sentences"][0].endswith("no limit is shown to be kept.")
