"""Auditing a training procedure: several models, one statement."""

import json
from dataclasses import dataclass, field
from functools import partial

import joblib
import numpy as np
from scipy import stats
from sklearn.base import clone

from sklearn_mia.auditing._case import (
    FEWEST_GROUPS,
    half_of_units,
    name_of_labels,
    one_table,
    side_table,
)
from sklearn_mia.auditing._evaluation import tpr_row
from sklearn_mia.auditing._nouns import RECORDS, Nouns, nouns_of
from sklearn_mia.auditing._percent import percent
from sklearn_mia.auditing._report import plain
from sklearn_mia.auditing._run import (
    attacks_by_name,
    check_attacks,
    default_attacks,
    record_rows,
    run_attacks,
)
from sklearn_mia.auditing._settings import SHADOWS, Settings
from sklearn_mia.auditing._subjects import subjects_of
from sklearn_mia.auditing._work import long_work, stages_of_attacks
from sklearn_mia.auditing._writing import visible, write_whole
from sklearn_mia.checks import check_count
from sklearn_mia.groups import group_codes
from sklearn_mia.hooks import shown
from sklearn_mia.identity import record_ids
from sklearn_mia.memory import described, kept, memory_at_work, table_key
from sklearn_mia.metrics import min_nonmembers_for_fpr, roc_auc_interval
from sklearn_mia.progress import Stage, expect, stage
from sklearn_mia.records import as_labels
from sklearn_mia.response import predicted_codes
from sklearn_mia.shadows import (
    merged_identities,
    prepare_recipe,
    root_seed,
)
from sklearn_mia.tables import take
from sklearn_mia.workers import check_timeout, temporary_folder


@dataclass(frozen=True, repr=False)
class RecipeReport:
    """What an audit of a training procedure found.

    Attributes
    ----------
    recipe : str
        The estimator.

    n_targets : int
        Models trained.

    confidence : float
        Confidence level of the intervals over models.

    summary : list of dict
        One row an attack and metric: "attack", "metric" ("auc" or
        "tpr@fpr=<fraction>"), "mean", "low", "high" over models, and "note". With
        groups they count groups; "of_records" has the same four record by record, else
        it is None.

    targets : list of dict
        One row a model: its accuracy on members and non-members, record by record, the
        number of members and of non-members, and by attack the same metrics, in
        "attacks" and, with groups, record by record in "of_records".

    unit : str
        "record", or "group" where the numbers count groups, each with all records.

    nouns : dict
        What the text calls those who are counted.

    See Also
    --------
    audit_recipe : Audits a training procedure.
    AuditReport : What an audit of one trained model found.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn_mia import ThresholdAttack, audit_recipe
    >>> X, y = load_iris(return_X_y=True)
    >>> report = audit_recipe(
    ...     KNeighborsClassifier(), X, y, attacks=ThresholdAttack(), random_state=0
    ... )
    >>> [(row["attack"], row["metric"]) for row in report.summary][:2]
    [('ThresholdAttack', 'auc'), ('ThresholdAttack', 'tpr@fpr=0.01')]
    """

    recipe: str
    n_targets: int
    confidence: float
    summary: list
    targets: list
    unit: str = "record"
    nouns: dict = field(default_factory=RECORDS._asdict)

    def to_json(self, path=None):
        """Write the report as strict JSON.

        Parameters
        ----------
        path : str, Path or None, default=None
            The file, written whole or not at all; ``"-"`` is stdout; None returns the
            text.

        Returns
        -------
        text : str or None
            None if it was written to `path`.
        """
        content = {"schema": "sklearn_mia.recipe", "schema_version": 2} | vars(self)
        text = json.dumps(plain(content), allow_nan=False, indent=1)
        if path is None:
            return text
        write_whole(path, text + "\n")
        return None

    def __repr__(self):
        """Return the class of the recipe and how many models were trained."""
        name = visible(self.recipe).partition("(")[0]
        return f"<RecipeReport of {name}: {self.n_targets} models>"

    def __str__(self):
        """Return the summary as plain text."""
        level = percent(self.confidence).replace(".0", "")
        nouns = Nouns(**self.nouns)
        unit, also = [], []
        if self.unit == "group":
            unit = [f"Each of the {nouns.many} counts once, with all records"]
            also = ["", "Record by record, beside it", ""]
            also += [_line(row, row["of_records"]) for row in self.summary]
        lines = [
            f"Membership audit of the procedure {self.recipe}",
            f"{self.n_targets} models on random halves; mean and {level} interval over "
            "models",
            *unit,
            "",
            f"  {'attack':<28}{'metric':<18}{'mean':>7}  interval",
            *(_line(row, row) for row in self.summary),
            *also,
        ]
        return "\n".join(map(visible, lines))


def _line(row, values):
    start = f"  {row['attack']:<28}{row['metric']:<18}"
    if values["mean"] is None:
        return f"{start}{'n/a':>7}  {values['note']}"
    return f"{start}{values['mean']:>7.3f}  {values['low']:.3f} to {values['high']:.3f}"


@long_work
def audit_recipe(
    estimator,
    X,
    y,
    *,
    n_targets=5,
    attacks=None,
    n_shadows=SHADOWS["standard"],
    fprs=(0.01, 0.1),
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

    n_shadows : int, default=16
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
        Print it, or see `summary` and `to_json`.

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
    >>> bool(report.summary[0]["low"] > 0.5)
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
    nouns = nouns_of(None if groups is None else settings.group_name)
    fprs, confidence, seed = settings.fprs, settings.confidence, settings.seed
    X, labels = side_table(X, "X"), as_labels(y)
    if len(labels) != X.shape[0]:
        raise ValueError(f"y has {len(labels)} labels for {X.shape[0]} records.")
    units = _units(X, labels, groups)
    coming = [Stage(f"model {k + 1} of {n_targets}", fits=1) for k in range(n_targets)]
    expect(coming)
    targets = []
    with temporary_folder() as folder:
        memory = memory_at_work() or joblib.Memory(folder, verbose=0)

        def one_target(number):
            generator = np.random.default_rng([seed, 2, number])
            is_member = half_of_units(units, generator)
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
            for attack in chosen.values():
                if getattr(attack, "shadow_estimator", estimator) is None:
                    # The recipe without the seed of one model: the same shadows.
                    attack.shadow_estimator = clone(estimator)
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
            return _target_row(model, case, scored, fprs, confidence)

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
            row = kept(f"target {number}", inputs, partial(one_target, number))
            targets.append(row)
    return RecipeReport(
        recipe=" ".join(shown(estimator).split()),
        n_targets=n_targets,
        confidence=confidence,
        summary=_summary(targets, fprs, confidence, nouns),
        targets=targets,
        unit="record" if groups is None else "group",
        nouns=nouns._asdict(),
    )


def _units(X, labels, groups):
    identities = record_ids(X, labels)
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


def _target_row(model, case, scored, fprs, confidence):
    right = predicted_codes(model, case.asked, case.classes) == case.codes
    subjects = subjects_of(case, scored)
    n_members, n_nonmembers = subjects.sides
    of_records = None
    if case.groups is not None:
        of_records = {
            name: _metrics(*record_rows(case, result), fprs, confidence)
            for name, result in scored.items()
        }
    return {
        "accuracy_members": float(right[case.is_member].mean()),
        "accuracy_nonmembers": float(right[~case.is_member].mean()),
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
    for name in targets[0]["attacks"]:
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
    mean, n = float(np.mean(values)), len(values)
    half = stats.t.ppf((1 + confidence) / 2, n - 1)
    half *= np.std(values, ddof=1) / np.sqrt(n)
    return {
        "mean": mean,
        "low": float(max(0.0, mean - half)),
        "high": float(min(1.0, mean + half)),
        "note": "",
    }
