"""What a report advises, from content that has just what decides about it."""

import pytest

from sklearn_mia.auditing._next_steps import next_steps
from sklearn_mia.auditing._nouns import RECORDS


def limit(outcome, **more):
    return {"limit": "auc", "value": 0.6, "outcome": outcome, "note": ""} | {
        "times": None,
        **more,
    }


def part(access, outcome, level, **more):
    rows = [limit(outcome, **more.pop("row", {}))]
    return {
        "access": access,
        "tested": True,
        "verdict": {"level": level},
        "limits": rows,
        "headline": {"auc": {"estimate": 0.87}},
        "slices": [],
        **more,
    }


DATA = {
    "accuracy_members": 0.9,
    "accuracy_nonmembers": 0.85,
    "n_members": 100,
    "n_nonmembers": 100,
}


def content(main, beside=None, **more):
    return {
        **main,
        "beside": beside,
        "findings": [],
        "nouns": RECORDS._asdict(),
        "model": {"family": "RandomForestClassifier"},
        "data": DATA,
        "risky_settings": [],
        "stored": None,
        "attacks": [],
        "labels_only": {"estimate": 0.6, "low": 0.55, "high": 0.65},
        **more,
    }


def finding(code, severity="warning"):
    return {"code": code, "severity": severity, "advice": "Split at random."}


def texts(*args, **kwargs):
    return [step["text"] for step in next_steps(content(*args, **kwargs))]


ABOVE = ("exceeded", "above_limits")
WITHIN = ("kept", "within_limits")


def test_a_model_that_passes_is_kept_with_its_report():
    told = texts(part("file", *WITHIN), part("interface", *WITHIN))
    assert len(told) == 1
    assert told[0].startswith("Keep this report with the model.")


def test_a_file_that_fails_where_answers_pass_is_kept_back():
    told = texts(part("file", *ABOVE), part("interface", *WITHIN))
    assert told[0].startswith("Let others ask the model, and keep its file")
    # Coarser answers leave the file as it is.
    assert not any("CoarsenedClassifier" in text for text in told)
    assert told[-1].startswith("After any change audit again")


@pytest.mark.parametrize(
    ("response", "told"), [("predict", False), ("decision_function", True)]
)
def test_a_model_that_answers_with_labels_alone_is_not_told_to(response, told):
    answers = finding("MIA013", "note") | {"numbers": {"response": response}}
    steps = texts(part("interface", *ABOVE), findings=[answers])
    assert any("Answer with labels alone" in step for step in steps) is told


def test_a_file_may_be_handed_over_with_less_in_it():
    stored = {"n_equations": 9, "held": None, "stripped": None, "rounded": None}
    stored["refit"] = None
    told = texts(part("file", *ABOVE), stored=stored | {"is_of_trees": False})
    assert not any("strip_counts" in text for text in told)
    stored["is_of_trees"] = True
    told = texts(part("file", *ABOVE), stored=stored)
    assert any(
        text.startswith("Try on the file what needs no training") for text in told
    )
    # Both were tried, and neither helps.
    told = texts(part("file", *ABOVE), stored=stored | {"held": []})
    assert not any("strip_counts" in text for text in told)
    own = {
        "auc": {"low": 0.9},
        "of_records": None,
        "name": "LinearReconstructionAttack",
    }
    auc = {"estimate": 0.65, "low": 0.6, "high": 0.7}
    stripped = {"auc": auc, "rate": {"resolvable": False}}
    stored |= {"held": [], "stripped": stripped}
    told = texts(part("file", *ABOVE), stored=stored, attacks=[own])
    assert any(text.startswith("Hand over the file with less in it") for text in told)


def test_what_others_measured_is_told_where_no_setting_of_the_model_is_risky():
    stored = {"n_equations": 9, "held": None, "stripped": None, "rounded": None}
    stored |= {"is_of_trees": True, "refit": "Trained otherwise it tells less."}

    def with_figures(**more):
        steps = next_steps(content(part("file", *ABOVE), stored=stored, **more))
        return [s["text"] for s in steps if s["measured"] == stored["refit"]]

    assert with_figures() == [
        "Train it so that its file tells less: fewer trees, fewer and larger leaves, "
        "or a part of the records for each tree."
    ]
    risky = {"setting": "RandomForestClassifier(min_samples_leaf=1)", "text": "Few"}
    risky |= {"instead": "min_samples_leaf=20", "measured": None}
    (told,) = with_figures(risky_settings=[risky])
    assert told.startswith("Train otherwise than with RandomForestClassifier(min_sam")


def test_answers_that_fail_may_be_made_coarser():
    steps = next_steps(content(part("interface", *ABOVE)))
    assert steps[0]["text"] == "Do not release the model as it is."
    (coarser,) = (s for s in steps if "CoarsenedClassifier" in s["text"])
    assert coarser["measured"].startswith(
        "Measured here: who learns no more than whether the model is right has an AUC "
        "of 0.600 (0.550 to 0.650), in place of 0.870. Who compares these"
    )
    assert coarser["access"] == "interface"
    low = {"estimate": 0.7, "low": 0.65, "high": 0.75}
    steps = next_steps(content(part("interface", *ABOVE), labels_only=low))
    assert "and is still above the limit of 0.6." in steps[1]["measured"]


def test_a_model_that_overfits_is_told_so():
    data = {"accuracy_members": 0.96, "accuracy_nonmembers": 0.58}
    told = texts(part("interface", *ABOVE), data=data)
    assert any(
        text.startswith(
            "Choose its settings by cross-validation: it is right on 96.0 % of the "
            "records that it was trained on and on 58.0 % of others."
        )
        for text in told
    )


def test_settings_are_told_with_what_was_measured():
    risky = {
        "setting": "Tree(leaf=1)",
        "text": "leaves are small",
        "instead": "leaf=20",
        "measured": "less with 20",
    }
    steps = next_steps(content(part("interface", *ABOVE), risky_settings=[risky]))
    assert {
        "access": None,
        "text": "Train otherwise than with Tree(leaf=1): leaves are small. "
        "Try: leaf=20.",
        "measured": "less with 20",
    } in steps


def test_what_cannot_be_read_is_made_readable_first():
    main = part("interface", "kept", "not_interpretable")
    told = texts(main, findings=[finding("MIA001", "critical"), finding("MIA005")])
    assert told == [
        "MIA001: Split at random.",
        "Audit again. Until then this report is no ground for a release.",
    ]


@pytest.mark.parametrize(
    ("main", "findings", "expected"),
    [
        (
            part("interface", "undecided", "at_limits", row={"times": 2.3}),
            [],
            "Audit with about 2.3 times as many records",
        ),
        (
            part("interface", "undecided", "at_limits", row={"times": None}),
            [],
            "More records would not decide where a value is so close to its limit, "
            "since it takes more than 20 times as many",
        ),
        (
            part("interface", "unresolvable", "nothing_found", row={"note": "few"}),
            [],
            "Audit with more non-members, or a model whose answers tie less: few.",
        ),
        (
            part("file", "kept", "within_limits", tested=False),
            [],
            "Do not hand over the file on this report",
        ),
        (
            part("interface", "kept", "within_limits"),
            [finding("MIA017")],
            "Audit the model itself",
        ),
        (
            part(
                *("interface", "kept", "nothing_found"),
                slices=[{"outcome": "undecided"}],
            ),
            [],
            "Audit with more records on both sides",
        ),
    ],
)
def test_an_open_question_is_told_what_decides_it(main, findings, expected):
    told = texts(main, findings=findings)
    assert any(text.startswith(expected) for text in told)
    assert not any(text.startswith("Keep this report") for text in told)


def test_more_records_are_advised_where_few_were_looked_at():
    main = part("interface", "undecided", "at_limits", row={"times": None})
    told = texts(main, data=DATA | {"n_nonmembers": 7})
    assert told[0] == (
        "Audit with many more records on both sides: with 7 on a side nothing tells "
        "how close a value is to its limit."
    )
    assert not any("would not decide" in text for text in told)


def test_a_group_at_a_risk_of_its_own_is_looked_at():
    told = texts(part("interface", *ABOVE), findings=[finding("MIA022")])
    assert any("risk of its own (MIA022)" in text for text in told)


@pytest.mark.parametrize(
    ("classes", "has"), [([0, 1], "such models"), ([], "linear regression")]
)
def test_differential_privacy_is_named_with_what_there_is_of_it(classes, has):
    data = {"accuracy_members": None, "accuracy_nonmembers": None, "classes": classes}
    told = texts(part("interface", *ABOVE), data=data)
    assert any(f"diffprivlib has {has})" in text for text in told)
