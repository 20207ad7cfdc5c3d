"""Docstrings of public objects: valid, complete, and one text a shared name."""

import inspect
import sys
import tomllib
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator

import sklearn_mia
from sklearn_mia import signals

validation = pytest.importorskip("numpydoc.validate")
docscrape = pytest.importorskip("numpydoc.docscrape")

# What users meet, and the house's own helpers, where one line may say it all.
USED = (
    "attacks auditing base datasets equations groups label_privacy metrics "
    "model_selection records risk signals"
)
HELPERS = "checks hooks identity models response shadows tables"

# In the signature None, so that an audit can set it; an attack cannot do without.
NO_DEFAULT_TOLD = "target_estimator"

# Names whose text is not the same everywhere: the reason, then the families of objects
# with a text of their own. All others that share the name share one text.
ESTIMATORS = {
    "batch_size": ("calls of a function", "BlackBoxClassifier BlackBoxRegressor"),
    "classes_": (
        "of a model, not of membership",
        "AuditableClassifier",
        "BlackBoxClassifier",
        "CoarsenedClassifier",
    ),
    "estimator": (
        "another task each",
        "AuditableClassifier",
        "CoarsenedClassifier",
        "QuantileRegressionAttack",
    ),
    "estimator_": ("as estimator", "AuditableClassifier", "CoarsenedClassifier"),
    "max_fpr": (
        "other records are the reference",
        "BaseAttack",
        "BaggingAttack",
        "LabelOnlyAttack TrajectoryAttack",
        "LinearReconstructionAttack QuantileRegressionAttack ThresholdAttack",
        "SupervisedAttack",
    ),
    "memory": ("answers, not shadows", "BlackBoxClassifier BlackBoxRegressor"),
    "mode": ("the offline formula", "RMIA"),
    "n_jobs": ("folds, not shadows", "QuantileRegressionAttack"),
    "n_shadows": ("they can do without", "LabelOnlyAttack TrajectoryAttack"),
    "per_class": ("attack models, not thresholds", "ShadowModelAttack"),
    "predict": ("labels, or numbers", "BlackBoxRegressor"),
    "random_state": (
        "other things are random",
        "LabelOnlyAttack",
        "QuantileRegressionAttack",
        "SupervisedAttack",
    ),
    "response_method": (
        "the target alone",
        "BaseAttack LinearReconstructionAttack MembershipSignals "
        "QuantileRegressionAttack SupervisedAttack ThresholdAttack",
    ),
    "shadow_signals_": (
        "several numbers a record",
        "BaggingAttack",
        "ShadowModelAttack",
        "TrajectoryAttack",
    ),
    "signal": (
        "another formula each",
        "DifficultyCalibrationAttack",
        "LabelOnlyAttack",
        "QuantileRegressionAttack",
    ),
    "signals_": ("the columns of a transformer", "MembershipSignals"),
    "target_estimator": (
        "some models only; no regressors; no attack",
        "BaggingAttack",
        "LabelOnlyAttack ShadowModelAttack",
        "LinearReconstructionAttack",
        "TrajectoryAttack",
        "MembershipSignals",
    ),
    "temperature": ("a defence", "CoarsenedClassifier"),
    "trees_per_shadow": ("another default and way", "BaggingAttack"),
}
FUNCTIONS = {
    "X": (
        "other data each",
        "as_records",
        "audit_recipe",
        "cross_validate_leakage",
        "leave_one_out_risk",
        "make_canaries",
    ),
    "attack": ("another cost", "make_leakage_scorer"),
    "attacks": ("targets that do not exist yet", "audit_recipe"),
    "confidence": ("no verdict", "audit_recipe", "compare_reports"),
    "effort": ("the attacks alone", "default_attacks"),
    "estimator": ("models, folds, or nothing", "audit_recipe", "risky_settings"),
    "fprs": ("another default or interval", "audit_recipe", "cross_validate_leakage"),
    "groups": (
        "other things keep them together",
        "audit_predictions",
        "audit_recipe",
    ),
    "model": (
        "some models only",
        "leave_one_out_risk",
        "round_values strip_counts",
        "structural_risk",
    ),
    "n": ("of some records the labels alone", "make_label_canaries"),
    "n_jobs": ("folds", "cross_validate_leakage"),
    "n_permutations": ("by effort", "audit"),
    "n_shadows": ("by effort; once for several models", "audit", "audit_recipe"),
    "new": ("files, too", "compare_reports"),
    "old": ("files and other limits, too", "compare_reports"),
    "random_state": (
        "other things are random",
        "audit",
        "audit_predictions",
        "audit_recipe",
        "cross_validate_leakage",
        "default_attacks",
        "make_canaries",
        "make_label_canaries",
    ),
    "release": ("no verdict", "default_attacks"),
    "slices": ("no columns to slice by", "audit_predictions"),
    "verbose": ("folds", "cross_validate_leakage"),
    "y": ("other data", "as_records", "audit_predictions", "make_label_canaries"),
}
METRICS = {
    "delta": ("never 0", "gaussian_dp_lower_bound"),
    "fpr": ("another interval", "gaussian_dp_mu"),
    "inclusion_probability": ("of each record, too", "epsilon_lower_bound"),
    "max_fpr": (
        "0 is allowed or not, for several purposes",
        "compare_attacks",
        "min_nonmembers_for_fpr",
        "resolve_rate",
        "threshold_at_fpr",
        "tpr_at_fpr_interval",
        "tpr_at_fpr_score",
    ),
    "n_nonmembers": ("a threshold was set on them", "expected_fpr"),
    "pos_label": ("an attack is given, not labels", "tpr_at_fpr_scorer"),
    "prior": ("no default", "positive_predictive_value"),
    "random_state": ("other things are random", "compare_attacks", "dataset_usage"),
    "tpr": ("as fpr", "gaussian_dp_mu"),
    "y_true": ("two scores", "compare_attacks"),
}
SIGNALS = {"labels": ("not used", "entropy max_confidence spread")}


def exported(name):
    module = import_module(f"sklearn_mia.{name}".rstrip("."))
    own = [k for k, v in vars(module).items() if is_ours(v, module) and k[0] != "_"]
    items = (getattr(module, k) for k in getattr(module, "__all__", own))
    return [item for item in items if inspect.isclass(item) or inspect.isfunction(item)]


def is_ours(item, module=sklearn_mia):
    return (getattr(item, "__module__", None) or "").startswith(module.__name__)


def methods(cls):
    for name in dir(cls):
        item = getattr(cls, name)
        owner = next(c for c in cls.__mro__ if name in vars(c))
        hidden = name[0] == "_" or name.endswith("_request")  # scikit-learn writes it
        if is_ours(owner) and not hidden and isinstance(item, (Callable, property)):
            yield f"{owner.__module__}.{owner.__qualname__}.{name}", item


def crawl(names):
    found = {}
    for name in names:
        for item in exported(name):
            found[f"{item.__module__}.{item.__qualname__}"] = item
            if inspect.isclass(item):
                found.update(methods(item))
    return found


PUBLIC = crawl(["", *USED.split(), *HELPERS.split()])
HELPING = crawl(HELPERS.split()).keys() - crawl(["", *USED.split()]).keys()


def checks():
    path = Path(__file__).parents[1] / "pyproject.toml"
    listed = tomllib.loads(path.read_text())["tool"]["numpydoc_validation"]["checks"]
    return validation.get_validation_checks(set(listed))


def is_short(path):
    """Tell whether one line may stand for all sections."""
    return path in HELPING and "\n" not in (PUBLIC[path].__doc__ or "")


@pytest.mark.parametrize("path", PUBLIC)
def test_numpydoc_finds_nothing_to_say(path):
    wanted = checks()
    if is_short(path):
        wanted -= {"PR01", "RT01"}
    if is_dataclass(PUBLIC[path]):
        wanted -= {"PR01"}  # its fields are read, not given: they are attributes
    errors = validation.validate(path)["errors"]
    assert [error for error in errors if error[0] in wanted] == []


@pytest.mark.parametrize("name", sklearn_mia.__all__)
def test_what_is_imported_from_the_package_has_see_also_and_examples(name):
    errors = validation.validate(f"sklearn_mia.{name}")["errors"]
    assert [error for error in errors if error[0] in ("SA01", "EX01")] == []


@pytest.mark.parametrize("path", PUBLIC)
def test_no_line_is_continued_in_a_raw_docstring(path):
    # There the backslash stays, and the next line is read as something else.
    lines = (PUBLIC[path].__doc__ or "").splitlines()
    assert [line for line in lines if line.endswith("\\")] == []


def entries(item, *sections):
    """Names mapped to type and text; names with one text may stand in one line."""
    if inspect.isclass(item):
        doc = docscrape.ClassDoc(item, config={"show_class_members": False})
    else:
        doc = docscrape.FunctionDoc(item)
    return {
        name: (entry.type, " ".join(" ".join(entry.desc).split()))
        for section in sections
        for entry in doc[section]
        for name in entry.name.split(", ")
    }


def same_value(told, value, item):
    # A name, such as np.nan, is one of the module.
    return repr(eval(told, vars(sys.modules[item.__module__]))) == repr(value)


def has_signature(item):
    return callable(item) and not (
        isinstance(item, type) and issubclass(item, BaseException)
    )


@pytest.mark.parametrize(
    "path", [p for p, item in PUBLIC.items() if has_signature(item) and not is_short(p)]
)
def test_parameters_and_defaults_are_those_of_the_signature(path):
    item = PUBLIC[path]
    signature = {
        name: parameter
        for name, parameter in inspect.signature(item).parameters.items()
        if name != "self" and not str(parameter).startswith("*")
    }
    told = entries(item, "Parameters", "Other Parameters")
    read, made = {}, {}
    if is_dataclass(item):
        read = entries(item, "Attributes")
        made = {f.name: f.default_factory for f in fields(item)}
    assert [name for name in told if name[0] != "*" and name not in signature] == []
    assert [name for name in signature if name not in told | read] == []
    for name, parameter in signature.items():
        _, stated, default = (told | read)[name][0].partition("default=")
        if parameter.default is parameter.empty:
            assert not stated, f"{name} has no default"
        elif stated:
            value = parameter.default
            if made.get(name, MISSING) is not MISSING:
                value = made[name]()
            assert same_value(default, value, item), (name, default)
        else:
            assert name in (NO_DEFAULT_TOLD, *read), f"{name} has a default"


CLASSES = filter(inspect.isclass, [*exported(""), *exported("base")])
GROUPS = {
    "estimators": ([c for c in CLASSES if issubclass(c, BaseEstimator)], ESTIMATORS),
    "functions": ([f for f in exported("") if inspect.isfunction(f)], FUNCTIONS),
    "metrics": ([f for f in exported("metrics") if inspect.isfunction(f)], METRICS),
    "signals": (signals.SIGNALS.values(), SIGNALS),
}


@pytest.mark.parametrize(("items", "exceptions"), GROUPS.values(), ids=GROUPS)
def test_a_shared_name_has_one_text_but_where_a_reason_is_given(items, exceptions):
    texts = {}
    for item in items:
        for name, text in entries(item, "Parameters", "Attributes").items():
            texts.setdefault(name, {}).setdefault(text, set()).add(item.__name__)
    found = {k: sorted(map(sorted, v.values())) for k, v in texts.items() if len(v) > 1}
    expected = {}
    for name, (_, *families) in exceptions.items():
        families = [set(family.split()) for family in families]
        rest = set().union(*texts[name].values()).difference(*families)
        expected[name] = sorted(map(sorted, [*families, *([rest] if rest else [])]))
    names = found.keys() | expected.keys()
    wrong = {k: texts[k] for k in names if found.get(k) != expected.get(k)}
    assert wrong == {}
