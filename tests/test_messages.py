"""Messages in the words of the caller, and names that are understood."""

import json
import re

import numpy as np
import pytest
from both_ways import (
    N,
    arguments_for,
    refusal,
)
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    train_test_split,
)
from sklearn.tree import DecisionTreeClassifier

import sklearn_mia
from sklearn_mia import (
    RMIA,
    AuditableClassifier,
    as_records,
    audit,
    audit_predictions,
    audit_recipe,
    compare_reports,
    cross_validate_leakage,
    make_canaries,
)
from sklearn_mia.__main__ import fraction, limit, main
from sklearn_mia.label_privacy import make_label_canaries
from sklearn_mia.metrics import (
    compare_attacks,
    dataset_usage,
    epsilon_lower_bound,
    gaussian_dp_lower_bound,
)
from sklearn_mia.shadows import ShadowFitError

pd = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

X, Y = make_classification(2 * N, 6, n_informative=4, flip_y=0.2, random_state=0)
FRAME = pd.DataFrame(X, columns=list("abcdef"))
IS_MEMBER = np.arange(2 * N) < N


def small_forest(X=X, y=Y):
    return RandomForestClassifier(10, random_state=0).fit(X[:N], y[:N])


def quick(model, X=X, y=Y, **options):
    return audit(
        *(model, X[:N], y[:N], X[N:], y[N:]),
        **{"n_shadows": 2, "n_permutations": 99, "random_state": 0, **options},
    )


# Messages and names


def test_attacks_may_be_named():
    forest = small_forest()
    defaults = {a["name"]: a for a in quick(forest).attacks}
    for attacks, names in (
        ("BaggingAttack", ["BaggingAttack"]),
        (["LiRA", "BaggingAttack"], ["BaggingAttack", "LiRA"]),
    ):
        found = {a["name"]: a for a in quick(forest, attacks=attacks).attacks}
        assert sorted(found) == names
        told, before = found["BaggingAttack"]["auc"], defaults["BaggingAttack"]["auc"]
        assert told["estimate"] == before["estimate"]
    found = quick(forest, attacks={"first": "LabelOnlyAttack"}).attacks
    assert [a["name"] for a in found] == ["first"]
    with pytest.raises(ValueError, match=r"names 'rmia', did you mean 'RMIA'\?"):
        quick(forest, attacks="rmia")
    with pytest.raises(ValueError, match="cannot be made on a RandomForestClassifier"):
        quick(forest, attacks=["TrajectoryAttack"])


@pytest.mark.parametrize("table", [X, FRAME], ids=["array", "frame"])
def test_the_order_of_train_test_split_is_named(table):
    with pytest.raises(ValueError, match="the order of train_test_split"):
        audit(small_forest(), *train_test_split(table, Y, random_state=0))


def test_a_single_callback_need_not_be_in_a_list(capsys):
    pytest.importorskip("rich")
    callback = pytest.importorskip("sklearn.callback")
    bar = callback.ProgressBar(max_propagation_depth=0)
    quick(small_forest(), attacks="RMIA", callbacks=bar)
    assert "RMIA" in "".join(capsys.readouterr())


def test_a_model_that_cannot_be_trained_is_told_of_audit_predictions():
    class Answers:
        classes_ = np.array([0, 1])

        def predict(self, X):
            return np.zeros(len(X))

    with pytest.raises(TypeError, match="Pass what it answers to audit_predictions"):
        quick(Answers())


def test_an_error_about_the_recipe_says_where_it_goes_in_an_audit():
    model = CalibratedClassifierCV(FrozenEstimator(small_forest())).fit(X[:N], Y[:N])
    with pytest.raises(ValueError, match=r"attacks=\[RMIA\(shadow_estimator=...\)\]"):
        quick(model, attacks=RMIA())


def test_the_folder_that_is_missing_is_named(tmp_path):
    report = audit_predictions(small_forest().predict_proba(X), Y, IS_MEMBER)
    path = tmp_path / "x" / "y" / "z.html"
    message = re.escape(f"The folder of {str(path)!r} does not exist")
    for write in (report.to_html, report.to_json):
        with pytest.raises(OSError, match=message):
            write(path)


def test_more_parameters_than_records_leave_no_degrees_of_freedom():
    text = str(sklearn_mia.structural_risk(small_forest(), X[:N], Y[:N]))
    assert re.search(r"80 records leave no degrees of freedom beside \d+ param", text)


def test_data_sets_need_no_import_of_their_own():
    assert callable(sklearn_mia.datasets.load_german_credit)


def test_the_command_alone_shows_its_help(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "audit a model file on two tables" in err


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("tpr=5@fpr=1", "tpr=0.05@fpr=0.01"),
        ("auc=60", "auc=0.6"),
        ("tpr=5@fpr=0.01", None),
        ("tpr=500@fpr=1", None),
    ],
)
def test_a_limit_in_percent_is_understood_but_not_taken(text, meant):
    with pytest.raises(Exception, match="is not a limit") as error:
        limit(text)
    told = re.search(r"Did you mean (\S+)\?", str(error.value))
    assert (told and told[1]) == meant
    if meant:
        assert limit(meant)


def test_a_rate_in_percent_is_understood_but_not_taken():
    with pytest.raises(Exception, match=r"Did you mean 0\.05\?"):
        fraction("5")


@pytest.mark.parametrize(
    ("separator", "named"), [(";", "';'"), ("\t", "$'\\t'"), ("|", "'|'")]
)
def test_another_separator_is_named(tmp_path, capsys, separator, named):
    arguments = arguments_for(tmp_path, small_forest(FRAME), FRAME, pd.Series(Y))
    for name, rows in (("members", slice(0, N)), ("others", slice(N, None))):
        FRAME.assign(y=Y)[rows].to_csv(
            tmp_path / f"{name}.csv", sep=separator, index=False, decimal=","
        )
    assert main(arguments) == 2
    assert f"pass --separator {named}." in capsys.readouterr().err


def test_a_slice_that_is_no_column_is_told_in_the_words_of_the_command(
    tmp_path, capsys
):
    message = refusal(
        *(capsys, tmp_path, small_forest(FRAME), FRAME, pd.Series(Y)), "--slice=income"
    )
    assert message.startswith("--slice names 'income', which is no feature")


def test_a_model_that_is_not_fitted_is_told_by_its_file(tmp_path, capsys):
    message = refusal(capsys, tmp_path, LogisticRegression(), FRAME, pd.Series(Y))
    assert message == (
        f"{tmp_path / 'model.joblib'} holds a LogisticRegression that is not fitted. "
        "Save the trained model, after its fit."
    )


# Predictions


def predictions(folder, frame):
    path = folder / "predictions.csv"
    frame.to_csv(path, index=False)
    return ["audit", f"--predictions={path}", "--label=y", "--member=in"]


def answers(**columns):
    proba = small_forest().predict_proba(X)
    table = {
        "proba_no": proba[:, 0],
        "proba_yes": proba[:, 1],
        "y": np.where(Y == 1, "yes", "no"),
        "in": IS_MEMBER.astype(int),
    }
    table = {k: v for k, v in (table | columns).items() if v is not None}
    return pd.DataFrame(table)


SIDES = [
    ("train", "test"),
    ("member", "nonmember"),
    ("Member", "Non-Member"),
    ("in", "out"),
    ("TRUE", "FALSE"),
    ("yes", "no"),
    ("1.0", "0.0"),
]


@pytest.mark.parametrize("words", SIDES)
def test_members_may_be_told_by_many_words(words):
    from sklearn_mia.auditing._labels import membership

    column = pd.Series(np.where(IS_MEMBER, *words), name="in")
    assert membership(column, "file") == IS_MEMBER.tolist()
    column[3] = "validation"
    with pytest.raises(ValueError, match=r"1 of 160 records \(the first is record 4\)"):
        membership(column, "file")


def test_the_probability_of_one_of_two_classes_is_enough(tmp_path):
    found = []
    for columns in ({}, {"proba_no": None}):
        path = tmp_path / "r.json"
        arguments = predictions(tmp_path, answers(**columns))
        assert main([*arguments, f"--json={path}"]) == 0
        found.append(json.loads(path.read_text())["report"])
    assert found[0]["data"]["classes"] == found[1]["data"]["classes"]
    for both in zip(*(content["attacks"] for content in found), strict=True):
        assert both[0]["auc"]["estimate"] == pytest.approx(both[1]["auc"]["estimate"])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {k: 100 * v for k, v in answers()[["proba_no", "proba_yes"]].items()},
            "has percent: its rows sum to 100. Divide the probabilities by 100.",
        ),
        (
            {"proba_no": 0.5 * answers()["proba_no"]},
            "got sums from 0.5 to 1. Divide each row by its sum.",
        ),
        ({"proba_no": -answers()["proba_yes"]}, "expected probabilities, fractions"),
        (
            {"proba_no": answers()["proba_no"].mask(np.arange(2 * N) == 3)},
            "has 1 probabilities that are missing or not finite.",
        ),
        (
            {"proba_no": answers()["proba_no"].astype(str).str.replace(".", ",")},
            "Column 'proba_no' of",
        ),
        (
            {"proba_no": (100 * answers()["proba_no"]).map("{:g}%".format)},
            "where probabilities belong. Write percent as fractions, 0.05 for 5%.",
        ),
        (
            {"proba_no": ["unknown", *answers()["proba_no"][1:]]},
            "holds no numbers in 1 of 160 records (the first is record 1), where "
            "probabilities belong.",
        ),
        (
            {"in": 1},
            "has 160 members and 0 non-members; expected at least one of each",
        ),
        (
            {"y": Y.astype(str)},
            "Name each proba_<class>, after the class as it stands in the label",
        ),
        ({"y": ["maybe", *answers()["y"][1:]]}, "1 of 160 records of"),
    ],
)
def test_what_is_wrong_with_predictions_is_told_by_the_file(
    tmp_path, capsys, columns, message
):
    arguments = predictions(tmp_path, answers(**columns))
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert str(tmp_path / "predictions.csv") in err
    assert "_Answers" not in err
    assert "response_method" not in err


def test_a_report_on_predictions_names_the_file_once(tmp_path, capsys):
    assert main(predictions(tmp_path, answers())) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "about this one trained model behind predictions.csv. Another" in told


def test_one_probability_a_record_is_told_what_to_pass():
    with pytest.raises(ValueError, match=r"pass np.column_stack\(\[1 - p, p\]\)"):
        audit_predictions(small_forest().predict_proba(X)[:, 1], Y, IS_MEMBER)


SEED = (
    "The 'random_state' parameter of {} must be an int in the range [0, 4294967295], "
    "an instance of 'numpy.random.mtrand.RandomState' or None"
)
OR_GENERATOR = " or an instance of 'numpy.random._generator.Generator'"


@pytest.mark.parametrize(
    ("wrong", "told"), [("abc", "'abc'"), (1.7, "1.7"), ("7", "'7'"), (-1, "-1")]
)
def test_a_seed_that_is_none_is_refused_in_the_words_of_scikit_learn(wrong, told):
    tree, proba = DecisionTreeClassifier(), np.full((2 * N, 2), 0.5)
    records, wrong = as_records(X, Y), {"random_state": wrong}
    auditable = AuditableClassifier(tree).fit(X[:N], Y[:N])
    scores = np.arange(2 * N)
    calls = {
        "RMIA": lambda: RMIA(small_forest(), **wrong).fit(records),
        "audit": lambda: quick(small_forest(), **wrong),
        "audit_recipe": lambda: audit_recipe(tree, X, Y, **wrong),
        "audit_predictions": lambda: audit_predictions(proba, Y, IS_MEMBER, **wrong),
        "membership_records": lambda: auditable.membership_records(X, Y, **wrong),
        "cross_validate_leakage": lambda: cross_validate_leakage(tree, X, Y, **wrong),
    }
    with_generator = {
        "make_canaries": lambda: make_canaries(X, Y, 20, **wrong),
        "make_label_canaries": lambda: make_label_canaries(Y, 20, **wrong),
        "epsilon_lower_bound": lambda: epsilon_lower_bound(IS_MEMBER, scores, **wrong),
        "gaussian_dp_lower_bound": lambda: gaussian_dp_lower_bound(
            IS_MEMBER, scores, **wrong
        ),
        "dataset_usage": lambda: dataset_usage(IS_MEMBER, scores, scores, **wrong),
        "compare_attacks": lambda: compare_attacks(IS_MEMBER, scores, scores, **wrong),
    }
    for name, call in (calls | with_generator).items():
        more = OR_GENERATOR if name in with_generator else ""
        message = f"{SEED.format(name)}{more}. Got {told} instead."
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            call()


def test_a_generator_is_no_seed_of_an_audit_but_one_of_canaries():
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match=f"^{re.escape(SEED.format('audit'))}. Got Ge"):
        quick(small_forest(), random_state=generator)
    assert len(make_canaries(X, Y, 20, random_state=generator)[1]) == 20


@pytest.mark.parametrize("wrong", ["no", 0, None])
def test_what_is_neither_true_nor_false_is_refused(wrong):
    forest = small_forest()
    proba = forest.predict_proba(X)
    report = quick(forest, attacks="ThresholdAttack")
    calls = {
        "drop_shared": lambda **given: quick(forest, **given),
        "per_record": lambda **given: quick(forest, **given),
        "regression": lambda **given: audit_predictions(proba, Y, IS_MEMBER, **given),
        "name_records": lambda **given: report.to_json(**given),
        "join_ids": lambda **given: compare_reports(report, report, **given),
    }
    for name, call in calls.items():
        message = f"{name}={wrong!r}; expected True or False."
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            call(**{name: wrong})
    message = f"per_record={wrong!r}; expected True or False."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        audit_predictions(proba, Y, IS_MEMBER, per_record=wrong)


@pytest.mark.parametrize(
    ("slices", "told"),
    [
        ({"age": 2}, "<dict of 1>"),
        (["class", {"age": 2}], "<dict of 1>"),
        (pd.Series(range(3)), "<Series of shape (3,)>"),
        ({"age"}, "<set of 1>"),
    ],
)
def test_slices_that_name_no_column_are_refused(slices, told):
    message = (
        f"slices holds {told}, which names no column; expected words such as 'class' "
        "and 'loss', and names of columns or, in an array, their positions, as a tuple."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        quick(small_forest(), slices=slices)


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        (None, "There are 80 members among 160 records"),
        (np.arange(2 * N) // 2, "There are 40 members among 80 groups"),
    ],
    ids=["records", "groups"],
)
def test_coins_that_do_not_give_the_members_are_told_without_options_of_others(
    groups, told
):
    forest = small_forest()
    message = (
        f"{told}, which inclusion_probability=0.1 does not give; expected the "
        "probability used to draw the training data: pass it, or "
        "inclusion_probability=None."
    )
    sides = {}
    if groups is not None:
        sides = {"groups_train": groups[:N], "groups_test": groups[N:]}
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        quick(forest, inclusion_probability=0.1, **sides)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        audit_predictions(
            forest.predict_proba(X),
            Y,
            IS_MEMBER,
            groups=groups,
            inclusion_probability=0.1,
        )


NAMES = np.array([f"patient {i}" for i in range(2 * N)])


@pytest.mark.parametrize("option", ["--member", "--label"])
def test_r10_a_column_given_by_mistake_is_named_and_not_quoted(
    tmp_path, capsys, option
):
    arguments = predictions(tmp_path, answers(name=NAMES))
    place = next(i for i, a in enumerate(arguments) if a.startswith(option))
    arguments[place] = f"{option}=name"
    assert main(arguments) == 2
    message = capsys.readouterr().err
    assert "olumn 'name' of " in message
    assert "patient" not in message


@pytest.mark.parametrize("values", [NAMES, np.where(IS_MEMBER, "f", "m"), X[:, 0]])
def test_r10_membership_and_labels_given_by_mistake_are_not_quoted(values):
    forest = small_forest()
    proba = forest.predict_proba(X)
    calls = {
        "is_member has ": lambda: audit_predictions(proba, Y, values),
        "80 of 80 records of y_train have a class label": lambda: quick(
            forest, y=values.astype(object)
        ),
        "160 of 160 records have a class label": lambda: RMIA(forest).fit(
            as_records(FRAME, values.astype(object))
        ),
    }
    for start, call in calls.items():
        with pytest.raises(ValueError, match=start) as caught:
            call()
        text = str(caught.value)
        assert not any(re.search(rf"\b{re.escape(str(v))}\b", text) for v in values)


# The words of the command line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--n-shadows=1"], "--n-shadows 1 is too few; expected 2 or more."),
        (
            ["--n-jobs=0"],
            "--n-jobs 0 has no meaning; expected 1 or more, or -1 for all cores.",
        ),
        (
            ["--timeout=5"],
            "--timeout 5.0 needs worker processes, which can be stopped: pass "
            "--n-jobs 2 or more, or leave --timeout out.",
        ),
        (
            ["--response-method=decision_function"],
            "--response-method decision_function, but the model "
            "RandomForestClassifier has no such method. It has predict_proba, "
            "predict: pass one of them, or 'auto'.",
        ),
        (
            ["--fail-above=auc=0.6", "--fail-above=auc=0.9"],
            "--fail-above has auc more than once. Pass the one that counts.",
        ),
        (
            ["--fail-slice-above=tpr=0.1@fpr=0.1", "--fail-slice-above=tpr=9%@fpr=10%"],
            "--fail-slice-above has tpr@fpr=0.1 more than once. Pass the one that "
            "counts.",
        ),
    ],
)
def test_errors_speak_of_options(tmp_path, capsys, options, message):
    assert refusal(capsys, tmp_path, small_forest(FRAME), FRAME, Y, *options) == message


def test_a_baseline_that_is_none_is_told_by_the_option(tmp_path, capsys):
    old = tmp_path / "old.json"
    old.write_text("{}")
    model = small_forest(FRAME)
    told = refusal(capsys, tmp_path, model, FRAME, Y, f"--baseline={old}")
    assert repr(str(old)) in told
    assert told.endswith("expected a report that --json wrote.")


def test_a_target_of_several_values_is_told_by_what_it_is(tmp_path, capsys):
    model = RandomForestRegressor(2).fit(FRAME[:N], np.column_stack([Y[:N], Y[:N]]))
    told = refusal(capsys, tmp_path, model, FRAME, Y)
    assert told.startswith("The model RandomForestRegressor has 2 outputs.")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "Shadow 3 took longer than timeout=5.0 seconds and was stopped with all "
            "workers. Pass a longer timeout, or a recipe that ends by itself. With "
            "memory= the shadows trained so far are found again.",
            "Shadow 3 took longer than --timeout 5.0 and was stopped with all workers. "
            "Pass a longer --timeout, or a recipe that ends by itself.",
        ),
        (
            "Most often the memory of the machine is full: pass a smaller n_jobs. With "
            "memory= the shadows trained so far are found again.",
            "Most often the memory of the machine is full: pass a smaller --n-jobs.",
        ),
    ],
)
def test_shadows_that_are_stopped_are_told_in_options(text, shown, tmp_path, capsys):
    def fail(*args, **kwargs):
        raise ShadowFitError(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sklearn_mia.auditing._command.audit_case", fail)
        arguments = arguments_for(tmp_path, small_forest(FRAME), FRAME, Y)
        assert main(arguments) in (1, 2)
    assert capsys.readouterr().err == f"error: {shown}\n"


@pytest.mark.parametrize("given", ["patients", "two words"])
def test_a_word_for_several_is_told_so(given, capsys):
    with pytest.raises(SystemExit):
        main(["audit", "--label=y", f"--group-name={given}"])
    told = capsys.readouterr().err
    assert f"{given!r} looks like several; expected one such as patient, or" in told


def test_no_command_shows_the_help(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: python -m sklearn_mia")
    assert "audit a model file on two tables" in err
