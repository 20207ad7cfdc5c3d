"""The change since a baseline: what is compared, and how sure that is."""

import itertools
import json
import math

import joblib
import numpy as np
import pytest
from scipy.special import ndtri
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from sklearn_mia import RMIA, ThresholdAttack, audit
from sklearn_mia.__main__ import main
from sklearn_mia.auditing import (
    AuditReport,
    audit_predictions,
    compare_reports,
    compare_with_baseline,
)
from sklearn_mia.auditing._baseline import stretched
from sklearn_mia.auditing._command import exit_code
from sklearn_mia.auditing._evaluation import plain_interval
from sklearn_mia.metrics import (
    compare_attacks,
    roc_auc_interval,
    tpr_at_fpr_interval,
    tpr_at_fpr_score,
)
from sklearn_mia.metrics._difference import (
    auc_correlation,
    auc_influence,
    difference_interval,
    tpr_correlation,
    tpr_influence,
)
from sklearn_mia.metrics._intervals import Interval, wilson_interval

ALL = np.s_[:]


def two_audits(n, correlation, shift, generator, more=0.0):
    """Membership, and the scores of two models on the same records."""
    is_member = np.arange(2 * n) < n
    common, first, second = generator.normal(size=(3, 2 * n))
    own = math.sqrt(1 - correlation)
    common = math.sqrt(correlation) * common + shift * is_member
    return is_member, common + own * first + more * is_member, common + own * second


def auc_change(new, old, rows, tail):
    intervals = [
        roc_auc_interval(*audit, confidence=1 - 2 * tail) for audit in (new, old)
    ]
    correlation = auc_correlation(new, old, *rows) if rows else 0.0
    sizes = [np.count_nonzero(side) for m, _ in (new, old) for side in (m, ~m)]
    return difference_interval(*intervals, correlation=correlation, n_fewest=min(sizes))


# The formulas


def test_newcombe_as_published():
    # Table II of Newcombe (1998): 56/70 and 48/80, method 10.
    rates = []
    for k, n in ((56, 70), (48, 80)):
        low, high = wilson_interval(k / n, n, ndtri(0.975))
        rates.append(Interval(k / n, low, high, 0.95, "Wilson"))
    found = difference_interval(*rates)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_the_difference_of_influences_has_the_variance_of_the_paired_delong_test():
    generator = np.random.default_rng(0)
    is_member, new, old = two_audits(150, 0.7, 0.5, generator)
    joint = auc_influence(is_member, new) - auc_influence(is_member, old)
    half = ndtri(0.975) * math.sqrt(joint @ joint)
    expected = compare_attacks(is_member, new, old).difference
    assert half == pytest.approx((expected.high - expected.low) / 2)
    found = auc_change((is_member, new), (is_member, old), (ALL, ALL), 0.025)
    assert found.estimate == pytest.approx(expected.estimate)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.03)


def test_the_order_of_the_records_does_not_matter():
    generator = np.random.default_rng(1)
    is_member, new, old = two_audits(1200, 0.7, 0.5, generator)
    order = generator.permutation(2400)
    back = np.argsort(order)
    for correlation in (auc_correlation, lambda *a: tpr_correlation(*a, 0.01)):
        expected = correlation((is_member, new), (is_member, old), ALL, ALL)
        shuffled = is_member[order], new[order]
        assert correlation(shuffled, (is_member, old), back, ALL) == pytest.approx(
            expected
        )
        assert 0.05 < expected < 1


@pytest.mark.parametrize("swapped", [False, True])
def test_influences_tell_how_two_values_vary_together(swapped):
    # Who is a member here and not there pulls the values apart.
    generator, found, stated = np.random.default_rng(2), [], []
    for _ in range(100):
        is_member, new, old = two_audits(200, 0.8, 0.0, generator)
        audits = (is_member, new), (is_member ^ swapped, old)
        influences = [
            (auc_influence(*audit), tpr_influence(*audit, 0.1)) for audit in audits
        ]
        stated.append(
            [
                a @ b / math.sqrt((a @ a) * (b @ b))
                for a, b in zip(*influences, strict=True)
            ]
        )
        found.append(
            [
                (
                    roc_auc_score(m, s),
                    tpr_at_fpr_score(m, s, max_fpr=0.1),
                )
                for m, s in audits
            ]
        )
    found = np.array(found)
    for metric, mean in enumerate(np.mean(stated, axis=0)):
        correlation = np.corrcoef(found[:, 0, metric], found[:, 1, metric])[0, 1]
        assert correlation == pytest.approx(mean, abs=0.2)
        assert mean < -0.2 if swapped else mean > 0.2


def test_a_rate_of_few_false_alarms_gains_nothing_from_pairs():
    is_member, new, old = two_audits(500, 0.95, 1.0, np.random.default_rng(3))
    audits = (is_member, new), (is_member, old)
    assert tpr_correlation(*audits, ALL, ALL, 0.02) > 0.5
    assert tpr_correlation(*audits, ALL, ALL, 0.018) == 0
    swapped = (is_member, new), (~is_member, old - 2 * is_member)
    assert tpr_correlation(*swapped, ALL, ALL, 0.018) < 0


def test_equal_scores_leave_what_so_many_records_allow():
    is_member, scores, _ = two_audits(100, 0.5, 1.0, np.random.default_rng(4))
    audited = is_member, scores
    found = auc_change(audited, audited, (ALL, ALL), 0.005)
    exact = compare_attacks(is_member, scores, scores, confidence=0.99).difference
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=0.01)


def test_an_interval_that_is_stretched_is_not_too_narrow():
    generator = np.random.default_rng(5)
    for n, shift in ((100, 0.0), (300, 0.5), (1000, 2.0)):
        is_member, scores, _ = two_audits(n, 0.0, shift, generator)
        for measure in (
            roc_auc_interval,
            lambda *a, **k: tpr_at_fpr_interval(*a, max_fpr=0.1, **k),
        ):
            own = measure(is_member, scores, confidence=0.99)
            wider = stretched(plain_interval(own), 0.9983)
            exact = measure(is_member, scores, confidence=0.9983)
            assert wider.low <= exact.low + 0.003
            assert wider.high >= exact.high - 0.003
            assert stretched(plain_interval(own), 0.99).low == pytest.approx(own.low)


def rate_of_more(n, correlation, shift, tail, n_audits, seed=0, fpr=0.02):
    """Share of equal pairs of models in which an increase is seen, by value."""
    generator, seen = np.random.default_rng(seed), np.zeros((2, 2))
    for _ in range(n_audits):
        is_member, new, old = two_audits(n, correlation, shift, generator)
        audits = (is_member, new), (is_member, old)
        rates = [
            tpr_at_fpr_interval(*audit, max_fpr=fpr, confidence=1 - 2 * tail)
            for audit in audits
        ]
        for i, rows in enumerate([(ALL, ALL), None]):
            seen[i, 0] += auc_change(*audits, rows, tail).low > 0
            r = tpr_correlation(*audits, *rows, fpr) if rows else 0.0
            found = difference_interval(*rates, correlation=r, n_fewest=n)
            seen[i, 1] += found.low > 0
    return seen / n_audits


def most(share, n):
    """What a share this large may come to in `n` draws."""
    return share + 3 * math.sqrt(share * (1 - share) / n)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
@pytest.mark.filterwarnings("ignore:max_fpr")
def test_equal_models_rarely_seem_to_differ(correlation):
    paired, unpaired = rate_of_more(150, correlation, 0.5, 0.05, 60, fpr=0.1)
    assert max(paired) <= most(0.05, 60)
    assert max(unpaired) <= most(0.05, 60)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:max_fpr")
@pytest.mark.parametrize("tail", [0.05, 0.005, 0.001])
@pytest.mark.parametrize(
    ("n", "correlation", "shift", "fpr"),
    [
        (100, 0.0, 0.0, 0.1),
        (100, 0.95, 0.8, 0.1),
        (100, 0.95, 0.8, 0.01),
        (200, 0.95, 1.5, 0.01),
        (500, 0.5, 0.5, 0.02),
        (500, 0.95, 1.5, 0.02),
        (500, 0.8, 2.5, 0.02),
        (1000, 0.999, 0.3, 0.01),
    ],
)
def test_equal_models_seem_to_differ_no_more_often_than_stated(
    n, correlation, shift, fpr, tail
):
    paired, unpaired = rate_of_more(n, correlation, shift, tail, 2000, fpr=fpr)
    print(f"{n} {correlation} {shift} {fpr} {tail}: {paired}, unpaired {unpaired}")
    assert max(paired) <= most(tail, 2000)
    assert max(unpaired) <= most(tail, 2000)


# Reports


NAMES = [f"p{i}" for i in range(600)]


@pytest.fixture(scope="module")
def made():
    """A report whose records can be exchanged."""
    X, y = make_classification(600, 8, n_informative=5, flip_y=0.2, random_state=0)
    model = LogisticRegression().fit(X[:300], y[:300])
    is_member = np.arange(600) < 300
    return audit_predictions(
        model.predict_proba(X), y, is_member, ids=NAMES, n_permutations=99
    )


def with_scores(report, is_member, *scores, names=None):
    """A report of the attacks "loss" and "entropy" that gave these scores."""
    n_members = int(np.count_nonzero(is_member))
    sizes = {"n_members": n_members, "n_nonmembers": len(is_member) - n_members}
    attacks = [row | sizes for row in report.attacks]
    columns = {"score_loss": scores[0], "score_entropy": scores[1]}
    names = NAMES if names is None else names
    rest = {name: report._records[name][: len(names)] for name in report._records}
    columns |= {"id": names, "member": is_member}
    return AuditReport(report._content | {"attacks": attacks}, rest | columns)


def pair(made, correlation=0.9, more=0.0, seed=0):
    generator = np.random.default_rng(seed)
    first = two_audits(300, correlation, 0.3, generator, more)
    second = two_audits(300, correlation, 0.3, generator)
    return (
        with_scores(made, first[0], first[1], second[1]),
        with_scores(made, first[0], first[2], second[2]),
    )


def auc_of(report, attack="loss"):
    return next(
        row
        for row in report.baseline["changes"]
        if (row["attack"], row["metric"]) == (attack, "auc")
    )


def width(change):
    return change["difference"]["high"] - change["difference"]["low"]


def test_a_paired_comparison_is_sharper(made):
    new, old = pair(made, more=0.25)
    paired = compare_with_baseline(new, old)
    unpaired = compare_with_baseline(new, old, join_ids=False)
    assert width(auc_of(paired)) < 0.45 * width(auc_of(unpaired))
    assert (paired.baseline["outcome"], paired.baseline["paired"]) == ("more", True)
    assert unpaired.baseline["outcome"] == "not_shown"
    assert auc_of(unpaired)["outcome"] == "open"
    assert auc_of(paired)["now"] == auc_of(unpaired)["now"]
    assert (exit_code(paired), exit_code(paired, gated=False)) == (3, 3)
    assert exit_code(unpaired) == exit_code(new)
    less = compare_with_baseline(old, new)
    assert (auc_of(less)["outcome"], less.baseline["outcome"]) == ("less", "not_shown")
    assert "The comparison is paired by id: 600 records are in both" in str(paired)
    assert "no increase was shown, and one of 0." in str(unpaired).replace("\n ", "")


def test_one_error_is_shared_by_all_that_is_compared(made):
    baseline = compare_with_baseline(*pair(made)).baseline
    assert len(baseline["changes"]) == 4
    assert baseline["confidence"] == pytest.approx(0.9975)
    confidences = [row["difference"]["confidence"] for row in baseline["changes"]]
    assert confidences == pytest.approx([1 - 0.0025 / 4] * 4)


def test_what_changed_is_in_every_form_of_the_report(made):
    pytest.importorskip("jinja2")
    new, old = pair(made, more=0.25)
    report = compare_with_baseline(new, old)
    again = AuditReport.from_json(report.to_json())
    assert again.baseline == report.baseline
    title = "The model leaks more than the baseline (the model, "
    assert report.baseline["title"].startswith(title)
    assert title in str(again)
    assert title in again.to_html()
    assert "What changed since the baseline" not in new.to_html()
    content = new.to_dict()
    content["report"]["baseline"] = None
    assert AuditReport.from_json(json.dumps(content)).baseline is None


def test_records_of_one_audit_alone_count_in_its_value(made):
    new, old = pair(made, more=0.4)
    kept = np.r_[0:200, 300:500]
    part = with_scores(
        made,
        *(
            np.asarray(old._records[c])[kept]
            for c in ("member", "score_loss", "score_entropy")
        ),
        names=[NAMES[i] for i in kept],
    )
    report = compare_with_baseline(new, part)
    assert report.baseline["n_joined"] == 400
    assert "400 records are in both, of 600 in this audit and 400" in " ".join(
        report.baseline["sentences"]
    )
    own = roc_auc_interval(new._records["member"], new._records["score_loss"])
    assert auc_of(report)["now"] == own.estimate
    whole = width(auc_of(compare_with_baseline(new, old)))
    apart = width(auc_of(compare_with_baseline(new, part, join_ids=False)))
    assert whole < width(auc_of(report)) < apart


def test_membership_may_have_changed(made):
    new, old = pair(made)
    moved = ~np.asarray(old._records["member"])
    scores = [
        np.asarray(old._records[c]) + 0.6 * moved - 0.3
        for c in ("score_loss", "score_entropy")
    ]
    report = compare_with_baseline(new, with_scores(made, moved, *scores))
    assert "600 of them are members in one alone" in " ".join(
        report.baseline["sentences"]
    )
    apart = compare_with_baseline(
        new, with_scores(made, moved, *scores), join_ids=False
    )
    assert width(auc_of(report)) > width(auc_of(apart))


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (list(range(600)), "no id of this audit is one of the baseline"),
        ([*range(300), *range(300)], "ids repeat among the records of the baseline"),
        ([""] * 600, "no id of this audit is one of the baseline"),
        ([f"q{i}" for i in range(600)], "no id of this audit is one of the baseline"),
        (None, "the baseline holds nothing per record"),
        ("none here", "this audit holds nothing per record"),
    ],
)
def test_what_cannot_be_joined_is_unpaired_and_says_so(made, names, why):
    new, old = pair(made)
    if names is None:
        old = AuditReport(old._content, None)
    elif names == "none here":
        new = AuditReport(new._content, None)
    else:
        old._records["id"] = names
    report = compare_with_baseline(new, old)
    assert report.baseline["paired"] is False
    assert report.baseline["n_joined"] == 0
    told = " ".join(report.baseline["sentences"])
    assert f"The comparison is unpaired, since {why}" in told
    assert "less sharp" in told


def test_positions_in_a_file_of_predictions_name_nothing(made):
    new, old = (
        AuditReport(r._content, r._records | {"id": list(range(600))})
        for r in pair(made)
    )
    assert compare_with_baseline(new, old).baseline["paired"] is False


def test_ids_are_joined_as_text(made):
    new, old = pair(made)
    new._records["id"] = [str(7 * i) for i in range(600)]
    old._records["id"] = [7 * i for i in range(600)]
    assert compare_with_baseline(new, old).baseline["n_joined"] == 600


def test_reports_without_records_are_compared_by_their_tables(made):
    new, old = made, AuditReport(made._content, None)
    exact = compare_with_baseline(new, made, join_ids=False)
    from_tables = compare_with_baseline(old, old, join_ids=False)
    for one, other in zip(
        exact.baseline["changes"], from_tables.baseline["changes"], strict=True
    ):
        assert other["now"] == one["now"]
        assert 1 <= width(other) / width(one) < 1.4


def test_a_rate_that_ties_hide_is_that_of_lots(made):
    new, old = pair(made)
    tied = np.where(np.asarray(new._records["score_loss"]) > 0, 1.0, 0.0)
    new._records["score_loss"] = tied
    report = compare_with_baseline(new, old)
    rate = report.baseline["changes"][1]
    assert (rate["metric"], rate["outcome"]) == ("tpr@fpr=0.01", "open")
    assert rate["difference"]["method"] == "Newcombe, unpaired"
    assert (
        "loss at 1 % false alarms (in this audit, picking among equals by lot): "
        in (" ".join(str(report).split()))
    )
    # Reports of 0.1.0 do not hold that rate.
    rows = [
        row | {"tpr_at_fpr": [rate | {"by_lot": None, "resolvable": False}]}
        for row in made.attacks
        for rate in row["tpr_at_fpr"][1:2]
    ]
    before = AuditReport(made._content | {"attacks": rows}, None)
    report = compare_with_baseline(new, before)
    rate = report.baseline["changes"][1]
    assert rate["outcome"] == "unknown"
    assert rate["difference"] is rate["now"] is rate["then"] is None
    assert "the change cannot be told: in " in " ".join(str(report).split())
    assert AuditReport.from_json(report.to_json()).baseline == report.baseline


def test_a_reversed_ranking_is_read_the_other_way_round(made):
    plain, old = pair(made)
    is_member = np.asarray(plain._records["member"])
    weak, strong = (
        with_scores(
            made, is_member, *(old._records["score_entropy"] - shift * is_member,) * 2
        )
        for shift in (0.6, 1.5)
    )
    for report in (weak, strong):
        for row in report.attacks:
            own = roc_auc_interval(is_member, report._records["score_loss"])
            row["auc"] = plain_interval(own)
            assert own.high < 0.5
    more = compare_with_baseline(strong, weak)
    assert auc_of(more)["outcome"] == "more"
    assert auc_of(more)["now"] > auc_of(more)["then"] > 0.5
    assert "(in this audit, read the other way round; in the baseline, read" in (
        " ".join(str(more).split())
    )
    less = compare_with_baseline(weak, strong)
    assert auc_of(less)["outcome"] == "less"
    # From the table it is the same.
    table = compare_with_baseline(AuditReport(strong._content, None), weak)
    assert auc_of(table)["now"] == pytest.approx(auc_of(more)["now"])
    assert auc_of(compare_with_baseline(strong, plain))["outcome"] == "more"
    assert auc_of(compare_with_baseline(plain, strong))["outcome"] == "less"


def test_numbers_that_cannot_be_read_as_a_leak_show_no_increase(made):
    new, old = pair(made, more=0.4)
    verdict = new.verdict | {"level": "not_interpretable"}
    new = AuditReport(new._content | {"verdict": verdict}, new._records)
    report = compare_with_baseline(new, old)
    assert report.baseline["outcome"] == "not_interpretable"
    assert "cannot be read" in report.baseline["title"]
    assert exit_code(report) == exit_code(report, gated=False) == 4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:max_fpr")
@pytest.mark.parametrize("join_ids", [True, False])
@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_an_increase_is_seen_in_no_more_than_a_quarter_percent_of_equal_models(
    made, correlation, join_ids
):
    n = 1500
    seen = sum(
        compare_with_baseline(
            *pair(made, correlation, seed=seed), join_ids=join_ids
        ).baseline["outcome"]
        == "more"
        for seed in range(n)
    )
    print(f"{correlation} {join_ids}: {seen / n}")
    assert seen / n <= most(0.0025, n)


@pytest.mark.slow
def test_another_seed_of_audit_or_model_is_no_increase():
    X, y = make_classification(800, 8, n_informative=5, flip_y=0.2, random_state=0)

    def audited(model_seed, audit_seed):
        model = RandomForestClassifier(
            30, min_samples_leaf=5, random_state=model_seed
        ).fit(X[:400], y[:400])
        return audit(
            model,
            *(X[:400], y[:400], X[400:], y[400:]),
            **{"n_shadows": 4, "n_permutations": 99, "slices": None},
            **{"ids_train": NAMES[:400], "ids_test": [f"q{i}" for i in range(400)]},
            random_state=audit_seed,
        )

    for seeds in ([(0, i) for i in range(12)], [(i, 0) for i in range(12)]):
        reports = [audited(*pair) for pair in seeds]
        seen, widths = 0, []
        for new, old in itertools.permutations(reports, 2):
            both = [compare_with_baseline(new, old, join_ids=j) for j in (True, False)]
            seen += both[0].baseline["outcome"] == "more"
            widths.append([width(auc_of(report, "RMIA")) for report in both])
            assert both[1].baseline["outcome"] == "not_shown"
        paired, unpaired = np.median(widths, axis=0)
        print(f"{seeds[1]}: {seen} of 132, width {paired:.3f}, unpaired {unpaired:.3f}")
        assert seen <= 4
        assert paired < 0.8 * unpaired


# What is refused


def refused(new, old):
    with pytest.raises(ValueError, match=r"\S") as caught:
        compare_with_baseline(new, old)
    return str(caught.value)


def changed(report, **content):
    return AuditReport(report._content | content, report._records)


def test_other_limits_attacks_and_kinds_are_refused(made):
    other = [made.limits[0] | {"value": 0.7}, made.limits[1]]
    assert refused(changed(made, limits=other), made) == (
        "The baseline has the limits auc=0.6, tpr=0.05@fpr=0.01, and this audit has "
        "the limits auc=0.7, tpr=0.05@fpr=0.01. Set the same limits, or make a new "
        "baseline."
    )
    assert "this audit has no limits" in refused(changed(made, limits=[]), made)
    renamed = [row | {"name": f"{row['name']}2"} for row in made.attacks]
    message = refused(changed(made, attacks=renamed), made)
    for names in (made.attacks, renamed):
        assert ", ".join(row["name"] for row in names) in message
    assert "none has the same name" in message
    assert refused(changed(made, findings=[]), made) == (
        "The baseline is an audit of predictions, and this is one of a model: their "
        "attacks differ. Make a new baseline in the same way."
    )
    verdict = made.verdict | {"level": "not_interpretable"}
    message = refused(made, changed(made, verdict=verdict))
    assert "split at random" in message
    with pytest.raises(TypeError, match="old is a dict; expected an AuditReport"):
        compare_with_baseline(made, made.to_dict())


def test_a_rate_that_the_baseline_does_not_hold_is_refused(made):
    limits = [made.limits[1] | {"limit": "tpr@fpr=0.02"}]
    old = AuditReport(made._content | {"limits": limits}, None)
    message = refused(changed(made, limits=limits), old)
    assert "no TPR at a false-positive rate of 0.02" in message
    assert "--fpr" in message
    with_records = changed(made, limits=limits)
    report = compare_with_baseline(with_records, with_records)
    assert report.baseline["changes"][1]["metric"] == "tpr@fpr=0.02"


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("member", np.array(["yes"] * 600)),
        ("member", np.ones(600, dtype=bool)),
        ("score_loss", np.array(["a"] * 600, dtype=object)),
    ],
)
def test_damaged_records_are_refused(made, column, values):
    old = AuditReport(made._content, made._records | {column: values})
    assert "are damaged" in refused(made, old)


def test_a_report_of_the_first_schema_is_a_baseline(request):
    folder = request.path.parent / "data"
    old = AuditReport.from_json(folder / "report_0.1.0_forest.json")
    X, y = make_classification(400, 6, flip_y=0.2, random_state=0)
    model = RandomForestClassifier(10, random_state=0).fit(X[:200], y[:200])
    new = audit(
        model,
        *(X[:200], y[:200], X[200:], y[200:]),
        attacks=[RMIA(n_shadows=4), ThresholdAttack()],
        n_permutations=99,
        random_state=0,
    )
    baseline = compare_with_baseline(new, old).baseline
    assert {row["attack"] for row in baseline["changes"]} == {"RMIA", "ThresholdAttack"}
    told = " ".join(baseline["sentences"])
    assert "the baseline holds nothing per record" in told
    assert "not compared: BaggingAttack (baseline)." in told
    rate = next(
        row["tpr"]["estimate"]
        for row in old.attacks[1]["tpr_at_fpr"]
        if row["max_fpr"] == 0.01
    )
    assert baseline["changes"][1]["then"] in (rate, None)


def test_attacks_with_other_settings_are_told(made):
    new, old = pair(made)
    rows = [
        r | {"description": "RMIA(n_shadows=4, random_state=1)"} for r in new.attacks
    ]
    then = [
        r | {"description": "RMIA(n_shadows=8, random_state=2)"} for r in old.attacks
    ]
    report = compare_with_baseline(
        changed(new, attacks=rows), changed(old, attacks=then)
    )
    told = " ".join(report.baseline["sentences"])
    assert (
        "had other settings, RMIA(n_shadows=8) then and RMIA(n_shadows=4) now" in told
    )
    then = [
        r | {"description": "RMIA(random_state=2, n_shadows=4)"} for r in old.attacks
    ]
    report = compare_with_baseline(
        changed(new, attacks=rows), changed(old, attacks=then)
    )
    assert "other settings" not in " ".join(report.baseline["sentences"])


# Two reports beside each other


def test_two_reports_are_compared_as_with_a_baseline(made):
    new, old = pair(made, more=0.25)
    changes = compare_reports(old, new, confidence=0.9975)
    baseline = compare_with_baseline(new, old).baseline
    for name in ("outcome", "title", "paired", "n_joined"):
        assert getattr(changes, name) == baseline[name]
    assert changes.confidence == pytest.approx(baseline["confidence"])
    assert changes.sentences[1:] == baseline["sentences"]
    text = " ".join(str(changes).split())
    assert text == " ".join([baseline["title"], *changes.sentences])
    assert repr(changes) == str(changes)


def test_the_frame_of_two_reports_has_one_row_an_attack_and_value(made):
    pytest.importorskip("pandas")
    new, old = pair(made, more=0.25)
    frame = compare_reports(old, new).summary
    assert list(frame.columns) == [
        *("attack", "metric", "old", "new", "difference", "low", "high"),
        *("outcome", "paired", "note"),
    ]
    # The attacks in the order of the new report.
    assert frame["attack"].tolist() == [
        row["name"] for row in new.attacks for _ in range(2)
    ]
    assert frame["metric"].tolist() == ["auc", "tpr@fpr=0.01"] * 2
    row = frame[(frame["attack"] == "loss") & (frame["metric"] == "auc")].iloc[0]
    for name, report in (("old", old), ("new", new)):
        found = roc_auc_score(report._records["member"], report._records["score_loss"])
        assert row[name] == pytest.approx(found)
    assert row["difference"] == pytest.approx(row["new"] - row["old"])
    assert 0 < row["low"] < row["difference"] < row["high"]
    assert (row["outcome"], row["paired"]) == ("more", True)
    back = compare_reports(new, old).summary.query("metric == 'auc'")
    assert sorted(back["outcome"]) == ["less", "open"]
    apart = compare_reports(old, new, join_ids=False).summary
    assert not apart["paired"].any()
    assert (apart["high"] - apart["low"] > frame["high"] - frame["low"]).sum() >= 2


def test_two_reports_are_counted_by_what_is_sure(made):
    changes = compare_reports(*pair(made, more=0.25)[::-1])
    assert changes.sentences[0] == (
        "Of 4 values 1 clearly rose, 0 clearly fell, and 3 may have done either."
    )
    unresolved = [
        attack
        | {
            "tpr_at_fpr": [
                row | {"resolvable": False, "by_lot": None}
                for row in attack["tpr_at_fpr"]
            ]
        }
        for attack in made.attacks
    ]
    bare = AuditReport(made._content | {"attacks": unresolved}, None)
    changes = compare_reports(made, bare)
    assert changes.sentences[0] == (
        "Of 4 values 0 clearly rose, 0 clearly fell, and 2 may have done either; the "
        "change of 2 cannot be told."
    )
    pytest.importorskip("pandas")
    rows = changes.summary.query("metric != 'auc'")
    assert rows[["old", "new", "difference", "low", "high"]].isna().all(axis=None)
    assert set(rows["outcome"]) == {"unknown"}
    assert rows["note"].str.contains("this audit").all()


def test_reports_are_read_from_their_files(made, tmp_path):
    new, old = pair(made, more=0.25)
    old.to_json(tmp_path / "old.json", name_records=True)
    expected = str(compare_reports(old, new))
    assert str(compare_reports(tmp_path / "old.json", new)) == expected
    assert str(compare_reports(str(tmp_path / "old.json"), new)) == expected
    with pytest.raises(TypeError, match="new is a list; expected an AuditReport, or"):
        compare_reports(old, [new])
    with pytest.raises(ValueError, match="confidence=95"):
        compare_reports(old, new, confidence=95)


def test_other_limits_are_told_and_their_rates_compared(made):
    other = [made.limits[1] | {"limit": "tpr@fpr=0.1", "value": 0.3}]
    changes = compare_reports(made, changed(made, limits=other))
    told = [sentence for sentence in changes.sentences if "limits" in sentence]
    assert told == [
        "The limits differ: the baseline has the limits auc=0.6, tpr=0.05@fpr=0.01, "
        "this audit the limits tpr=0.3@fpr=0.1. The rates of all of them were "
        "compared; whether a limit is kept was not."
    ]
    metrics = [row["metric"] for row in changes._content["changes"][:3]]
    assert metrics == ["auc", "tpr@fpr=0.01", "tpr@fpr=0.1"]
    for attacks in ([], [made.attacks[0] | {"name": "another"}]):
        with pytest.raises(ValueError, match="none has the same name"):
            compare_reports(changed(made, attacks=attacks), made)


def test_what_changed_is_shown_in_a_notebook_without_markup_of_others(made):
    pytest.importorskip("pandas")
    new, old = pair(made)
    old = changed(old, model=old._content["model"] | {"name": "<b>\x1b"})
    page = compare_reports(old, new)._repr_html_()
    assert "&lt;b&gt;\\x1b" in page
    assert "<b>" not in page
    assert page.count("<tr") == 5
    assert "\x1b" not in str(compare_reports(old, new))


def test_what_changed_is_told_without_pandas(made, pandas_not_installed):
    changes = compare_reports(made, made)
    assert changes._repr_html_() is None
    with pytest.raises(ImportError, match=r"sklearn-mia\[report\]"):
        changes.summary  # noqa: B018
    assert "0 clearly rose" in str(changes)


# The command line


@pytest.fixture
def folder(tmp_path):
    """Two model files and two tables, the records of which have names."""
    pd = pytest.importorskip("pandas")
    X, y = make_classification(400, 5, flip_y=0.2, random_state=0)
    frame = pd.DataFrame(X, columns=list("abcde"))
    for name, leaf in (("deep", 1), ("flat", 25)):
        model = RandomForestClassifier(10, min_samples_leaf=leaf, random_state=0)
        model.fit(frame[:200], y[:200])
        joblib.dump(model, tmp_path / f"{name}.joblib")
    frame = frame.assign(y=y, person=NAMES[:400])
    frame[:200].to_csv(tmp_path / "members.csv", index=False)
    frame[200:].to_csv(tmp_path / "others.csv", index=False)
    return tmp_path


def run(folder, model, *options, id_="--id=person"):
    files = (folder / n for n in (f"{model}.joblib", "members.csv", "others.csv"))
    given = ["--label=y", id_, "--trust-pickle", "--n-shadows=2", *map(str, options)]
    return main(["audit", *map(str, files), *given])


def test_a_build_stops_at_a_model_that_leaks_more(folder, capsys):
    old, limits = folder / "old.json", ["--fail-above=auc=0.9"]
    assert run(folder, "flat", *limits, f"--json={old}", "--name-records") == 0
    # The same model again is as it was, also by other shadow models.
    assert run(folder, "flat", *limits, f"--baseline={old}") == 0
    assert "400 records are in both" in capsys.readouterr().out
    page = folder / "new.html"
    assert run(folder, "deep", *limits, f"--baseline={old}", "-o", page) == 3
    assert "The model leaks more than the baseline" in capsys.readouterr().out
    assert "leaks more than the baseline" in page.read_text(encoding="utf-8")
    options = [*limits, f"--baseline={old}"]
    assert run(folder, "deep", *options, id_="--drop=person") == 3
    assert "were not joined by an id (--id)" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.fixture
def audited(tmp_path):
    """Function that audits the predictions of one of two models."""
    pd = pytest.importorskip("pandas")
    X, y = make_classification(600, 8, n_informative=5, flip_y=0.2, random_state=0)
    for name, leaf in (("flat", 100), ("deep", 1)):
        model = RandomForestClassifier(20, min_samples_leaf=leaf, random_state=0)
        model.fit(X[:300], y[:300])
        frame = pd.DataFrame(model.predict_proba(X), columns=["proba_0", "proba_1"])
        frame = frame.assign(y=y, member=np.arange(600) < 300, person=NAMES)
        frame.to_csv(tmp_path / f"{name}.csv", index=False)

    def run(name, *options):
        path = f"--predictions={tmp_path / name}.csv"
        given = ["--label=y", "--member=member", "--id=person"]
        return main(["audit", path, *given, *options])

    return run


def test_a_baseline_needs_no_limits(audited, tmp_path, capsys):
    old = tmp_path / "old.json"
    assert audited("flat", f"--json={old}") == 0
    assert audited("flat", f"--baseline={old}", f"--json={tmp_path / 'new.json'}") == 0
    files = json.loads((tmp_path / "new.json").read_text())["report"]["provenance"]
    assert files["files"]["baseline"]["name"] == "old.json"
    told = " ".join(capsys.readouterr().out.split())
    assert "the baseline holds nothing per record" in told
    assert audited("flat", f"--json={old}", "--name-records") == 0
    assert audited("flat", f"--baseline={old}") == 0
    assert "600 records are in both" in capsys.readouterr().out
    assert audited("deep", f"--baseline={old}") == 3
    # What predictions do not clear without a baseline, they do not clear with one.
    assert audited("flat", f"--baseline={old}", "--fail-above=auc=0.6") == 2
    limits = ["--fail-above=auc=0.6", "--fail-above=tpr=0.05@fpr=0.01"]
    assert audited("flat", f"--baseline={old}", *limits) == 4


def test_what_cannot_be_a_baseline_is_told_before_the_audit(
    folder, capsys, monkeypatch, made, request
):
    def never(*args, **kwargs):
        raise AssertionError

    for name in ("audit_case", "predictions_report"):
        monkeypatch.setattr(f"sklearn_mia.auditing._command.{name}", never)

    def error(*options):
        assert run(folder, "flat", *options) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        return err

    nowhere, old = folder / "nowhere.json", folder / "old.json"
    assert error(f"--baseline={nowhere}") == (
        f"error: There is no report {str(nowhere)!r} for --baseline.\n"
    )
    assert "members.csv' is not JSON" in error(f"--baseline={folder / 'members.csv'}")
    made.to_json(old)
    assert "is an audit of predictions" in error(f"--baseline={old}")
    old.write_text(old.read_text()[:1000])
    assert "old.json' is not JSON" in error(f"--baseline={old}")
    first = request.path.parent / "data" / "report_0.1.0_forest.json"
    assert "this audit has the limits auc=0.7." in error(
        f"--baseline={first}", "--fail-above=auc=0.7"
    )
    content = json.loads(first.read_text())
    content["attacks"] = [content["attacks"][0] | {"name": "LiRA"}]
    old.write_text(json.dumps(content))
    message = error(f"--baseline={old}")
    assert "the attacks LiRA" in message
    assert "ThresholdAttack, BaggingAttack" in message
    message = error(f"--baseline={old}", f"--json={old}")
    assert "is the file of --baseline, which it would overwrite" in message


def test_a_comparison_that_fails_leaves_the_report(
    audited, tmp_path, capsys, monkeypatch
):
    old = tmp_path / "old.json"
    assert audited("flat", f"--json={old}") == 0
    capsys.readouterr()

    def fail(*args, **kwargs):
        raise RuntimeError("no comparison")

    monkeypatch.setattr("sklearn_mia.auditing._command.compare_with_baseline", fail)
    assert audited("flat", f"--baseline={old}") == 1
    out, err = capsys.readouterr()
    assert out.startswith("Membership audit")
    assert err == "error: no comparison\n"


def test_persons_are_compared_by_their_keys():
    rng = np.random.default_rng(0)
    is_member, person = np.arange(1200) < 600, np.arange(1200) // 4
    noise = rng.normal(size=1200)

    def audited(leak, groups=person):
        right = 1 / (1 + np.exp(-noise - leak * is_member))
        proba = np.column_stack([1 - right, right])
        y = np.ones(1200, dtype=int)
        y[::7] = 0
        proba = np.where((y == 1)[:, None], proba, proba[:, ::-1])
        return audit_predictions(
            proba, y, is_member, groups=groups, n_permutations=99, limits={"auc": 0.6}
        )

    report = compare_with_baseline(audited(1.0), audited(0.2), join_ids=False)
    assert report.baseline["outcome"] == "more"
    assert (report.baseline["paired"], report.baseline["n_joined"]) == (True, 300)
    assert report.groups.shape[0] == 300
    message = "The baseline counts records and this audit counts groups"
    with pytest.raises(ValueError, match=message):
        compare_with_baseline(audited(0.2), audited(0.2, groups=None))


def test_a_model_within_the_limits_does_not_pass_above_its_baseline():
    X, y = make_classification(1600, flip_y=0.3, random_state=0)
    sides = X[:800], y[:800], X[800:], y[800:]
    reports = [
        audit(
            model.fit(X[:800], y[:800]),
            *sides,
            attacks="ThresholdAttack",
            release="interface",
            slices=None,
            limits={"auc": 0.95},
            random_state=0,
        )
        for model in (
            LogisticRegression(),
            RandomForestClassifier(30, max_depth=7, random_state=0),
        )
    ]
    assert [report.passes for report in reports] == [True, True]
    less, more = (compare_with_baseline(*pair) for pair in (reports, reports[::-1]))
    assert (less.passes, exit_code(less)) == (True, 0)
    assert (more.passes, exit_code(more)) == (False, 3)
    line = "Does not pass: it was shown to give away more than the baseline."
    assert line in str(more)
    assert line not in str(less)
