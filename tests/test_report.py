import json
import re

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import RMIA, SupervisedAttack, ThresholdAttack
from sklearn_mia.auditing import AuditReport, audit, compare_with_baseline
from sklearn_mia.auditing._findings import SEVERITIES
from sklearn_mia.auditing._html import _SEVERITY_WORDS, LEVEL_WORDS, render_page
from sklearn_mia.auditing._verdict import LEVELS
from sklearn_mia.auditing._writing import write_whole


def halves(n=400, labels=None, **params):
    X, y = make_classification(
        n, 8, n_informative=5, **({"flip_y": 0.2, "random_state": 0} | params)
    )
    if labels is not None:
        y = np.array(labels)[y]
    return X[: n // 2], y[: n // 2], X[n // 2 :], y[n // 2 :]


@pytest.fixture(scope="module")
def report():
    sides = halves()
    model = RandomForestClassifier(20, random_state=0).fit(*sides[:2])
    return audit(
        model,
        *sides,
        attacks=[RMIA(n_shadows=4), ThresholdAttack(signal="entropy")],
        n_permutations=99,
        random_state=0,
    )


def quiet(model, *sides, **params):
    params = {
        "attacks": ThresholdAttack(),
        "n_permutations": 99,
        "random_state": 0,
    } | params
    return audit(model, *sides, **params)


def strict(text):
    def refuse(name):
        raise AssertionError(f"{name} in JSON")

    return json.loads(text, parse_constant=refuse)


def leaves(tree):
    if isinstance(tree, dict):
        for key, value in tree.items():
            assert isinstance(key, str)
            yield from leaves(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from leaves(value)
    else:
        yield tree


def test_what_is_done_to_the_content_does_not_reach_the_report(report):
    text, content = str(report), report.to_dict()
    content["report"]["verdict"]["level"] = content["report"]["attacks"] = None
    assert str(report) == text
    assert report.to_dict()["report"]["verdict"]["level"] == report.verdict["level"]


def test_json_is_strict_and_reads_back(report, tmp_path):
    pytest.importorskip("pandas")
    report.to_json(tmp_path / "report.json")
    content = strict((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert content["schema"] == "sklearn_mia.audit"
    assert content["schema_version"] == 2
    assert content["warning"] is content["records"] is content["groups"] is None
    named = report.to_dict(name_records=True)
    kinds = {type(leaf) for leaf in leaves(named)}
    assert kinds <= {str, int, float, bool, type(None)}
    report.to_json(tmp_path / "named.json", name_records=True)
    back = AuditReport.from_json(tmp_path / "named.json")
    assert back.to_dict(name_records=True) == named
    assert str(back) == str(report)
    assert repr(back) == repr(report)
    assert back.findings == report.findings
    told = json.loads(report.to_json())["report"]["findings"]
    assert [row["url"] for row in told] == [found.url for found in back.findings]
    assert back.findings[0].url.endswith(f"/findings/{back.findings[0].code}.html")
    for column, values in report.records.items():
        np.testing.assert_array_equal(back.records[column], values)
    assert AuditReport.from_json(report.to_json()).to_json() == report.to_json()


def test_undefined_numbers_are_null_with_a_reason(report):
    content = strict(report.to_json())["report"]
    rate = content["attacks"][0]["tpr_at_fpr"][0]
    assert rate["tpr"]["low"] is None
    assert rate["tpr"]["note"] == (
        "200 non-members are too few for a false-positive rate of 0.001; at least 1000 "
        "are needed"
    )
    for row in content["slices"]:
        assert (row["auc"] is None) == ("too few" in row["note"])


def test_a_single_member_has_no_interval():
    pytest.importorskip("jinja2")
    X, y = make_classification(300, 8, random_state=0)
    model = LogisticRegression().fit(X[:250], y[:250])
    report = quiet(model, X[:1], y[:1], X[250:], y[250:], slices=None)
    auc = strict(report.to_json())["report"]["attacks"][0]["auc"]
    assert auc["low"] is None
    assert "not available" in auc["note"]
    assert "not available" in str(report)
    assert "not available" in report.to_html()


@pytest.mark.parametrize(
    "labels", [[False, True], [1, 2], ["no", "yes"], [np.int8(0), np.int8(1)]]
)
def test_labels_of_any_kind_are_text_keys(labels):
    sides = halves(labels=labels)
    model = LogisticRegression().fit(*sides[:2])
    content = strict(quiet(model, *sides).to_json())["report"]
    assert content["data"]["classes"] == [str(label) for label in labels]
    found = [row["value"] for row in content["slices"] if row["slice"] == "class"]
    assert found == [str(label) for label in labels]


def test_ids_of_any_kind():
    pd = pytest.importorskip("pandas")
    X_in, y_in, X_out, y_out = halves()
    model = LogisticRegression().fit(X_in, y_in)
    dates = pd.date_range("2020-01-01", periods=200)
    pairs = pd.MultiIndex.from_product([range(20), range(10)])
    report = quiet(
        model, pd.DataFrame(X_in, index=dates), y_in, pd.DataFrame(X_out, pairs), y_out
    )
    ids = strict(report.to_json(name_records=True))["records"]["id"]
    assert ids[0] == "2020-01-01T00:00:00"
    assert report.records["id"][399] == (19, 9)


def test_nothing_per_record_when_it_is_off():
    pytest.importorskip("jinja2")
    sides = halves()
    model = LogisticRegression().fit(*sides[:2])
    names = [f"person-{i}" for i in range(400)]
    report = quiet(
        model,
        *sides,
        ids_train=names[:200],
        ids_test=names[200:],
        per_record=False,
    )
    assert "person-" not in report.to_json() + report.to_html() + str(report)
    for asked in (report.to_json, report.to_html, report.to_dict):
        with pytest.raises(ValueError, match="per_record=True"):
            asked(name_records=True)
    with pytest.raises(ValueError, match="per_record=True"):
        report.records  # noqa: B018


def test_records_that_an_attack_learned_from_have_no_score():
    pytest.importorskip("pandas")
    pytest.importorskip("jinja2")
    sides = halves()
    model = RandomForestClassifier(10, random_state=0).fit(*sides[:2])
    report = quiet(model, *sides, attacks=[SupervisedAttack(), ThresholdAttack()])
    scores = report.records["score_SupervisedAttack"]
    attack = next(a for a in report.attacks if a["name"] == "SupervisedAttack")
    assert scores.isna().sum() == 400 - attack["n_members"] - attack["n_nonmembers"]
    assert "half" in attack["note"]
    assert report.records["risk"].notna().all()
    back = AuditReport.from_json(report.to_json(name_records=True))
    np.testing.assert_array_equal(back.records["score_SupervisedAttack"], scores)
    assert "half of the records" in report.to_html()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "schema None"),
        ('{"schema": "other"}', "'other'"),
        ('{"schema": "sklearn_mia.audit", "schema_version": 99}', "version 99"),
        ("{not json", "not JSON"),
        ('"schema":\n"sklearn_mia.audit"}', "The text is not JSON"),
        ('{"a": NaN}', "strict"),
    ],
)
def test_what_is_no_report_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        AuditReport.from_json(text)


def test_a_file_that_cannot_be_read_is_named(report, tmp_path):
    path = tmp_path / "report.json"
    for data in (b"", b"\xff", b"[1, 2", b'{"a": "\\ud800"}', b"[" * 100_000):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="is not JSON: ") as caught:
            AuditReport.from_json(path)
        message = str(caught.value)
        assert message.startswith(repr(str(path)))
        assert message.endswith("; expected a file written by AuditReport.to_json.")


@pytest.fixture(scope="module")
def tiny():
    """A report in which all that can be null or empty is so somewhere, or is not."""
    X, y = make_classification(120, 5, weights=[0.2], flip_y=0.2, random_state=0)
    model = DecisionTreeClassifier(max_depth=5, random_state=0).fit(X[:60], y[:60])
    report = quiet(
        model,
        *(X[:60], y[:60], X[60:], y[60:]),
        attacks=[ThresholdAttack(), ThresholdAttack(signal="entropy")],
        slices=("class",),
        min_slice_size=20,
        fprs=(0.01, 0.1),
    )
    assert {row["auc"] is None for row in report.slices} == {True, False}
    assert report.findings
    return compare_with_baseline(report, report)


MISSING = object()
NULLABLE = {"blind", "sizes", "exposed", "baseline", "labels_only"}


def places(tree, path=()):
    """Every key at every depth; of a list, its ends stand for all."""
    if isinstance(tree, dict):
        keys = list(tree)
    else:
        keys = sorted({0, len(tree) - 1}) if isinstance(tree, list) and tree else ()
    for key in keys:
        yield (*path, key)
        yield from places(tree[key], (*path, key))


def at(tree, path):
    for key in path:
        tree = tree[key]
    return tree


def put(tree, path, value):
    holder = at(tree, path[:-1])
    if value is MISSING:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value


def of_another_type(value):
    return {dict: [], list: {}, str: 7}.get(type(value), "text")


def read(text):
    """The report, or the message that refuses it."""
    try:
        return AuditReport.from_json(text)
    except ValueError as error:
        return str(error)


def reads_whole_or_not_at_all(text):
    report = read(text)
    if isinstance(report, str):
        assert report.startswith("The text ")
        return False
    assert repr(report)
    assert str(report)
    assert strict(report.to_json())
    assert report.to_html()
    assert isinstance(report.findings, list)
    return True


@pytest.mark.parametrize(
    ("damage", "every"),
    [
        ("missing", 4),
        *(
            pytest.param(damage, 1, marks=pytest.mark.slow)
            for damage in ("missing", "null", "of another type")
        ),
    ],
)
def test_r11_a_report_damaged_in_one_place_is_refused_or_works(tiny, damage, every):
    pytest.importorskip("jinja2")
    whole = tiny.to_json(name_records=True)
    assert reads_whole_or_not_at_all(whole)
    refused = set()
    looked_at = [
        path
        for number, path in enumerate(places(json.loads(whole)))
        if number % every == 0 or len(path) <= 2 or path[-2:] == ("roc", "tpr")
    ]
    for path in looked_at:
        tree = json.loads(whole)
        other = {"missing": MISSING, "null": None}
        put(tree, path, other.get(damage, of_another_type(at(tree, path))))
        if not reads_whole_or_not_at_all(json.dumps(tree)):
            refused.add(path)
    # What a reader is told of must be there.
    keys = set(tiny.to_dict()["report"]) - NULLABLE
    assert {("report", key) for key in keys} <= refused
    assert ("report", "attacks", 1, "roc", "tpr") in refused


@pytest.mark.parametrize("times", [90, pytest.param(300, marks=pytest.mark.slow)])
def test_r11_a_report_damaged_at_random_is_refused_or_works(tiny, times):
    pytest.importorskip("jinja2")
    whole = tiny.to_json(name_records=True)
    generator = np.random.default_rng(0)
    every_place = list(places(json.loads(whole)))
    worked = 0
    for number in range(times):
        text = whole
        if number % 3 == 0:
            start, end = sorted(generator.integers(1, len(whole), 2))
            text = whole[:start] + whole[end:] if number % 2 else whole[:end]
        else:
            tree = json.loads(whole)
            one, other = (every_place[i] for i in generator.choice(len(every_place), 2))
            put(tree, one, at(json.loads(whole), other))
            if number % 3 == 1 and one != other[: len(one)]:
                put(tree, other, at(json.loads(whole), one))
            text = json.dumps(tree)
        worked += reads_whole_or_not_at_all(text)
    assert 0 < worked < times / 2


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["report", "verdict"], MISSING, "report.verdict is missing"),
        (["records"], MISSING, "records is missing"),
        (["records"], [], "records is a list; expected a mapping or null"),
        (["records", "id"], "p01", "records.id is text; expected a list"),
        (["records", "risk"], [0.5], "records: the columns differ in length"),
        (["schema_version"], MISSING, "schema_version is missing"),
        (
            ["schema_version"],
            "1",
            'schema_version is "1"; expected a whole number from 0',
        ),
        (["report", "findings"], {}, "report.findings is a mapping; expected a list"),
        (
            ["report", "findings", 0, "more"],
            1,
            "report.findings[0]: there is another key",
        ),
        (["report", "attacks"], [], "report.attacks: there is no attack"),
        (
            ["report", "attacks", 0, "auc", "low"],
            "0.5",
            'report.attacks[0].auc.low is "0.5"; expected a number from 0 to 1 or null',
        ),
        (
            ["report", "attacks", 1, "auc", "high"],
            None,
            "report.attacks[1].auc: one end is null",
        ),
        (
            ["report", "attacks", 0, "roc", "fpr"],
            [0.0],
            "report.attacks[0].roc: fpr and tpr differ in length",
        ),
        (
            ["report", "verdict", "level"],
            "fine",
            'report.verdict.level is "fine"; expected one of '
            "'above_limits', 'at_limits', 'within_limits', 'nothing_found', "
            "'not_interpretable'",
        ),
        (
            ["report", "provenance", "notes"],
            {"project": 1},
            "report.provenance.notes.project is 1; expected text",
        ),
    ],
)
def test_r11_what_is_missing_or_wrong_in_a_report_is_told(tiny, path, value, message):
    tree = json.loads(tiny.to_json(name_records=True))
    put(tree, path, value)
    with pytest.raises(ValueError, match="damaged") as caught:
        AuditReport.from_json(json.dumps(tree))
    assert str(caught.value) == (
        f"The text is damaged: {message}; expected a file written by "
        "AuditReport.to_json."
    )


def test_every_level_and_severity_has_words_on_the_page():
    assert set(LEVEL_WORDS) == set(LEVELS)
    assert set(_SEVERITY_WORDS) == set(SEVERITIES)


def test_names_of_records_that_are_pairs_come_back_one_a_record():
    pytest.importorskip("pandas")
    sides = halves(80)
    model = LogisticRegression().fit(*sides[:2])
    pairs = [(i, "a") for i in range(40)]
    report = quiet(model, *sides, ids_train=pairs, ids_test=pairs)
    text = report.to_json(name_records=True)
    back = AuditReport.from_json(text)
    assert back.records["id"].tolist() == [list(pair) for pair in pairs * 2]
    assert back.to_json(name_records=True) == text


def test_text_says_the_verdict_first(report):
    text = str(report)
    assert text.index(report.verdict["title"]) < text.index("Attacks")
    assert "TPR at FPR=0.01" in text
    assert "MIA005" in text
    assert max(map(len, text.splitlines())) <= 100


def test_same_numbers_in_text_and_page(report):
    pytest.importorskip("jinja2")
    page = re.sub(r"\s+", " ", report.to_html())
    for attack in report.attacks:
        auc = attack["auc"]
        for number in (auc["estimate"], auc["low"], auc["high"]):
            assert f"{number:.3f}" in page
            assert f"{number:.3f}" in str(report)


def test_page_is_self_contained(report, tmp_path):
    pytest.importorskip("jinja2")
    report.to_html(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    # What it points to is asked for by a click alone.
    links = re.findall(r'<a href="(https?://[^"]*)" rel="noreferrer">', page)
    assert links == [finding.url for finding in report.findings]
    assert page.count("://") == len(links)
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    assert page.index(report.verdict["title"]) < page.index("<svg")
    assert list(tmp_path.iterdir()) == [tmp_path / "report.html"]


def test_page_escapes_what_it_shows():
    pytest.importorskip("jinja2")
    sides = halves()
    evil = "<img src=x onerror=alert(1)>"
    page = quiet(
        DecisionTreeClassifier(random_state=0).fit(*sides[:2]),
        *sides,
        attacks={evil: ThresholdAttack()},
        ids_train=[evil] * 200,
        ids_test=[evil] * 200,
    ).to_html(name_records=True)
    assert "<img" not in page
    assert page.count("&lt;img") > 25


def test_notebooks_show_the_page(report, monkeypatch):
    pytest.importorskip("jinja2")
    assert "&lt;section class=&quot;verdict" in report._repr_html_()

    def no_jinja2(*args, **kwargs):
        raise ImportError

    monkeypatch.setattr(AuditReport, "to_html", no_jinja2)
    assert report._repr_html_() is None


def test_several_reports_on_one_page(report):
    pytest.importorskip("jinja2")
    page = render_page([report, report], title="Two models")
    assert page.count('<section class="verdict"') == 2
    assert '<a href="#report-2">' in page


def test_a_failed_write_leaves_the_old_file(report, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_summary_is_a_frame_of_the_numbers_of_the_attacks(report):
    pytest.importorskip("pandas")
    found = report.summary
    assert list(found.columns) == ["attack", "metric", "estimate", "low", "high"]
    assert found["attack"].drop_duplicates().tolist() == [
        a["name"] for a in report.attacks
    ]
    first = report.attacks[0]
    rows = found[found["attack"] == first["name"]].set_index("metric")
    assert rows.loc["auc", ["estimate", "low", "high"]].tolist() == [
        first["auc"][end] for end in ("estimate", "low", "high")
    ]
    for row in first["tpr_at_fpr"]:
        told = rows.loc[f"tpr@fpr={row['max_fpr']:g}"]
        assert told["estimate"] == row["tpr"]["estimate"]
        assert np.isnan(told["low"]) == (row["tpr"]["low"] is None)


def test_without_pandas(report, pandas_not_installed):
    with pytest.raises(ImportError, match=r"sklearn-mia\[report\]"):
        report.records  # noqa: B018
    assert len(report.to_dict(name_records=True)["records"]["risk"]) == 400
    assert str(report)


@pytest.mark.parametrize(
    "n_records", [3_000, pytest.param(40_000, marks=pytest.mark.slow)]
)
def test_size_of_a_large_report(n_records):
    sides = halves(n_records)
    model = LogisticRegression().fit(*sides[:2])
    report = quiet(model, *sides, attacks=[ThresholdAttack()] * 3)
    pytest.importorskip("jinja2")
    assert len(report.to_html(name_records=True)) < 200_000
    assert len(report.to_json(name_records=True)) < 125 * n_records
