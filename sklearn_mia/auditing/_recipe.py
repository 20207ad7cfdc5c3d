"""Auditing a training procedure: several models, one statement."""

from functools import partial

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import _num_samples

from sklearn_mia._choices import N_TARGETS, RECIPE_FPRS, SHADOWS
from sklearn_mia.auditing._access import access_of
from sklearn_mia.auditing._case import (
    FEWEST_GROUPS,
    half_of_units,
    name_of_labels,
    one_table,
    side_table,
)
from sklearn_mia.auditing._defaults import attacks_by_name, default_attacks
from sklearn_mia.auditing._evaluation import mean_interval, tpr_row
from sklearn_mia.auditing._json import made_now
from sklearn_mia.auditing._nouns import RECORDS, nouns_of
from sklearn_mia.auditing._provenance import provenance_of
from sklearn_mia.auditing._quality import ask_model, quality_of
from sklearn_mia.auditing._recipe_report import (
    SCHEMA,
    SCHEMA_VERSION,
    RecipeReport,
)
from sklearn_mia.auditing._run import (
    check_attacks,
    description_of,
    record_rows,
    run_attacks,
)
from sklearn_mia.auditing._settings import Settings
from sklearn_mia.auditing._subjects import subjects_of
from sklearn_mia.auditing._work import long_work, stages_of_attacks
from sklearn_mia.checks import check_count
from sklearn_mia.groups import group_codes
from sklearn_mia.hooks import shown
from sklearn_mia.identity import merged_identities, record_ids
from sklearn_mia.items import kind_of, one_shape
from sklearn_mia.memory import described, kept, memory_at_work, table_key
from sklearn_mia.metrics import min_nonmembers_for_fpr, roc_auc_interval
from sklearn_mia.models import model_name
from sklearn_mia.progress import Stage, expect, stage
from sklearn_mia.records import as_labels
from sklearn_mia.regression import is_regressor_model
from sklearn_mia.shadows import (
    prepare_recipe,
    root_seed,
)
from sklearn_mia.tables import is_table, take
from sklearn_mia.workers import check_timeout, temporary_folder


@long_work
def audit_recipe(
    estimator,
    X,
    y,
    *,
    n_targets=N_TARGETS,
    attacks=None,
    n_shadows=SHADOWS["standard"],
    fprs=RECIPE_FPRS,
    confidence=Settings.confidence,
    groups=None,
    group_name=Settings.group_name,
    callbacks=None,
    n_jobs=None,
    timeout=None,
    memory=None,
    verbose=0,
    random_state=None,
):
    """Audit a training procedure by several models on random halves of one table.

    The interval of :func:`audit` is about one trained model; training again moves the
    values by about as much again. Here `n_targets` models are trained, each on its own
    random half, and attacked with the same shadow models. The interval is
    ``mean -+ t(n_targets - 1) * sd / sqrt(n_targets)`` over models.

    Parameters
    ----------
    estimator : classifier
        The recipe, not fitted; cloned for each model.

    X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)
        Records to draw halves from.

    y : array-like of shape (n_records,)
        Their labels.

    n_targets : int, default=5
        Models to train and attack; with fewer than 5 the interval is very wide.

    attacks : attack, str, list or dict, default=None
        Attacks with ``target_estimator=None``, or their names; None takes
        :func:`default_attacks`.

    n_shadows : int, default=6
        Cost of the default attacks, in fits; once for all models.

    fprs : tuple of float, default=(0.01, 0.1)
        False-positive rates of the table, fractions in (0, 1), not percent.

    confidence : float, default=0.95
        Confidence level of the intervals over models.

    groups : array-like of shape (n_records,) or None, default=None
        Key of the group of each record, such as the person: wholly in or out of each
        half. With groups the report is about them: a group is a member or not with all
        of its records, its score is the sum over them, and every rate, AUC and interval
        counts groups, as in :func:`audit`. What an attack does record by record stands
        beside it.

    group_name : str or pair of str, default="group"
        What the report calls a group, as ``"patient"``; a pair has the plural, as
        ``("child", "children")``.

    callbacks : list or None, default=None
        Callbacks of scikit-learn for the attacks with shadow models, such as a
        ``ProgressBar(max_propagation_depth=0)``.

    n_jobs : int or None, default=None
        Shadow models trained at a time. None is 1 unless in a
        `joblib.parallel_config`.

    timeout : float or None, default=None
        Seconds for one shadow model; one that takes longer ends the audit with an
        error that names it. Needs worker processes, `n_jobs` of 2 or more.

    memory : str, Path, object with the joblib.Memory interface or None, default=None
        Folder or cache that keeps each part of the work as soon as it is done: the same
        call, after a stop, does what is missing. Needs a `random_state`. It tells who
        was in the training data: its files are for their owner alone. Code that the
        model reaches in other modules is not tracked: clear the folder when it changes.

    verbose : int, default=0
        1 shows progress on stderr: the stages, and about how long the rest takes.

    random_state : int, RandomState instance or None, default=None
        Seeds the halves, the models and the attacks.

    Returns
    -------
    report : RecipeReport
        Print it, or see `summary`, `to_html` and `to_json`.

    See Also
    --------
    audit : One trained model, in depth.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_mia import audit_recipe
    >>> X, y = make_classification(400, flip_y=0.2, random_state=0)
    >>> report = audit_recipe(
    ...     DecisionTreeClassifier(), X, y, n_targets=3, n_shadows=4, random_state=0
    ... )
    >>> bool(report.rows[0]["low"] > 0.5)
    True
    """
    n_targets = check_count(n_targets, "n_targets", 2)
    check_timeout(timeout, n_jobs)
    settings = Settings(
        fprs=fprs,
        confidence=confidence,
        n_shadows=n_shadows,
        group_name=group_name,
        seed=root_seed(random_state) % 2**31,
    )
    fprs, confidence, seed = settings.fprs, settings.confidence, settings.seed
    X, labels = side_table(X, "X"), as_labels(y)
    kind = None if is_table(X) else kind_of(X)
    nouns = nouns_of(None if groups is None else settings.group_name, kind)
    if len(labels) != _num_samples(X):
        raise ValueError(f"y has {len(labels)} labels for {_num_samples(X)} records.")
    units = _units(X, labels, groups)
    halves = [
        half_of_units(units, np.random.default_rng([seed, 2, number]))
        for number in range(n_targets)
    ]
    if not is_regressor_model(estimator):
        _check_classes(labels, halves)
    coming = [Stage(f"model {k + 1} of {n_targets}", fits=1) for k in range(n_targets)]
    expect(coming)
    targets = []
    with temporary_folder() as folder:
        memory = memory_at_work() or joblib.Memory(folder, verbose=0)

        def one_target(number):
            is_member, of_recipe = halves[number], set()
            rows = np.flatnonzero(is_member)
            model = prepare_recipe(clone(estimator), number, seed + 1)
            model.fit(take(X, rows), take(y, rows))
            case = one_table(
                model,
                X,
                labels,
                is_member,
                groups=groups,
                label_name=name_of_labels(y),
            )
            chosen, _ = check_attacks(
                default_attacks(
                    model,
                    release="interface",
                    n_shadows=settings.n_shadows,
                    random_state=seed,
                )
                if attacks is None
                else attacks_by_name(
                    attacks, model, n_shadows=settings.n_shadows, random_state=seed
                ),
                model,
            )
            for name, attack in chosen.items():
                if getattr(attack, "shadow_estimator", estimator) is None:
                    # The recipe without the seed of one model: the same shadows.
                    attack.shadow_estimator = clone(estimator)
                    of_recipe.add(name)
            of_attacks = stages_of_attacks(chosen, trained=number > 0)
            expect([*of_attacks, *coming[number + 1 :]])
            scored = run_attacks(
                chosen,
                case,
                seed=seed,
                n_jobs=n_jobs,
                timeout=timeout,
                callbacks=callbacks,
                memory=memory,
            )
            told = [
                _attack_row(name, attack, name in of_recipe)
                for name, attack in chosen.items()
            ]
            return _target_row(model, case, scored, fprs, confidence), told

        def inputs():
            return (
                described(estimator),
                described(attacks),
                table_key(record_ids(X, labels), X),
                str(labels.dtype),
                None if groups is None else group_codes(groups, len(labels))[1],
                settings,
            )

        for number in range(n_targets):
            stage(coming[number].name)
            row, told = kept(f"target {number}", inputs, partial(one_target, number))
            targets.append(row)
    content = {
        "name": model_name(estimator),
        "recipe": " ".join(shown(estimator).split()),
        "n_targets": n_targets,
        "confidence": confidence,
        "fprs": fprs,
        "seed": seed,
        "unit": "record" if groups is None else "group",
        "nouns": nouns._asdict(),
        "n_records": len(labels),
        "attacks": told,
        "summary": _summary(targets, fprs, confidence, nouns),
        "targets": targets,
        "provenance": provenance_of(),
        "remarks": [],
    }
    head = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION} | made_now()
    return RecipeReport(head | content)


def _units(X, labels, groups):
    identities = record_ids(X, labels, item_shape=one_shape(X))
    if groups is None:
        return np.unique(identities, return_inverse=True)[1]
    keys, codes = group_codes(groups, len(labels))
    units = np.unique(merged_identities(identities, codes), return_inverse=True)[1]
    n_units = int(units.max()) + 1
    if n_units < 2 * FEWEST_GROUPS:
        raise ValueError(
            f"groups has {len(keys)} groups, {n_units} if those that share a record "
            f"count as one; expected at least {2 * FEWEST_GROUPS}, since each is "
            "wholly in or out of a half. Pass more of them, or audit without groups."
        )
    return units


def _check_classes(labels, halves):
    """Raise ValueError for a class that a model would not be trained on."""
    classes, codes = np.unique(labels, return_inverse=True)
    for number, is_member in enumerate(halves):
        absent = np.bincount(codes[is_member], minlength=len(classes)) == 0
        if absent.any():
            code = int(np.argmax(absent))
            raise ValueError(
                f"y has the class {classes.tolist()[code]!r} in "
                f"{np.count_nonzero(codes == code)} of {len(labels)} records, none of "
                f"which is in the half that model {number + 1} would be trained on; "
                "expected some in each half. Join rare classes, leave their records "
                "out, or pass more records; those that are equal, or of one group, are "
                "in or out together."
            )


def _attack_row(name, attack, of_recipe):
    if of_recipe:
        # Told once, as the recipe.
        attack.shadow_estimator = None
    return {
        "name": name,
        "description": description_of(attack),
        "access": access_of(attack),
    }


def _target_row(model, case, scored, fprs, confidence):
    _, answer, right = ask_model(model, case)
    quality = quality_of(case, answer, right)
    subjects = subjects_of(case, scored)
    n_members, n_nonmembers = subjects.sides
    of_records = None
    if case.groups is not None:
        of_records = {
            name: _metrics(*record_rows(case, result), fprs, confidence)
            for name, result in scored.items()
        }
    return {
        **quality.told,
        "n_members": n_members,
        "n_nonmembers": n_nonmembers,
        "attacks": {
            name: _metrics(*subjects.rows(name), fprs, confidence) for name in scored
        },
        "of_records": of_records,
    }


def _metrics(is_member, scores, fprs, confidence):
    values = {"auc": roc_auc_interval(is_member, scores).estimate}
    for fpr in fprs:
        rate = tpr_row(is_member, scores, fpr, confidence)
        values[f"tpr@fpr={fpr:g}"] = (
            rate["tpr"]["estimate"] if rate["resolvable"] else None
        )
    return values


def _summary(targets, fprs, confidence, nouns):
    rows = []
    aucs = {
        name: np.mean([target["attacks"][name]["auc"] for target in targets])
        for name in targets[0]["attacks"]
    }
    for name in sorted(aucs, key=aucs.get, reverse=True):
        for metric in ("auc", *(f"tpr@fpr={fpr:g}" for fpr in fprs)):
            values = [target["attacks"][name][metric] for target in targets]
            row = {"attack": name, "metric": metric}
            row |= _over_models(values, metric, confidence, nouns)
            row["of_records"] = None
            if targets[0]["of_records"] is not None:
                values = [target["of_records"][name][metric] for target in targets]
                row["of_records"] = _over_models(values, metric, confidence, RECORDS)
            rows.append(row)
    return rows


def _over_models(values, metric, confidence, nouns):
    if None in values:
        needed = min_nonmembers_for_fpr(float(metric.partition("=")[2]))
        note = f"needs {needed} {nouns.nonmembers}, and scores that do not tie there"
        return {"mean": None, "low": None, "high": None, "note": note}
    mean, low, high = mean_interval(values, confidence)
    return {"mean": mean, "low": low, "high": high, "note": ""}
