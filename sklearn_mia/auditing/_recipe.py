"""Auditing a training procedure: several models, one statement."""

import json
from dataclasses import dataclass

import joblib
import numpy as np
from scipy import stats
from sklearn.base import clone

from sklearn_mia.auditing._case import (
    half_of_units,
    name_of_labels,
    one_table,
    side_table,
)
from sklearn_mia.auditing._evaluation import tpr_row
from sklearn_mia.auditing._percent import percent
from sklearn_mia.auditing._report import plain
from sklearn_mia.auditing._run import (
    attacks_by_name,
    check_attacks,
    default_attacks,
    judged_rows,
    run_attacks,
)
from sklearn_mia.auditing._settings import Settings
from sklearn_mia.auditing._writing import visible, write_whole
from sklearn_mia.checks import check_count
from sklearn_mia.hooks import shown
from sklearn_mia.identity import record_ids
from sklearn_mia.metrics import min_nonmembers_for_fpr, roc_auc_interval
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
        "tpr@fpr=<fraction>"), "mean", "low", "high" over models, and "note".

    targets : list of dict
        One row a model: its accuracy on members and non-members, and the same metrics
        by attack.

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
        content = {"schema": "sklearn_mia.recipe", "schema_version": 1} | vars(self)
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
        lines = [
            f"Membership audit of the procedure {self.recipe}",
            f"{self.n_targets} models on random halves; mean and {level} interval over "
            "models",
            "",
            f"  {'attack':<18}{'metric':<18}{'mean':>7}  interval",
        ]
        for row in self.summary:
            start = f"  {row['attack']:<18}{row['metric']:<18}"
            if row["mean"] is None:
                lines.append(f"{start}{'n/a':>7}  {row['note']}")
                continue
            lines.append(
                f"{start}{row['mean']:>7.3f}  {row['low']:.3f} to {row['high']:.3f}"
            )
        return "\n".join(map(visible, lines))


def audit_recipe(
    estimator,
    X,
    y,
    *,
    n_targets=5,
    attacks=None,
    n_shadows=Settings.n_shadows,
    fprs=(0.01, 0.1),
    confidence=Settings.confidence,
    groups=None,
    callbacks=None,
    n_jobs=None,
    timeout=None,
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
        Group of each record, such as the person: wholly in or out of each half.

    callbacks : list or None, default=None
        Callbacks of scikit-learn for the attacks with shadow models, such as a
        ``ProgressBar(max_propagation_depth=0)``.

    n_jobs : int or None, default=None
        Shadow models trained at a time. None is 1 unless in a
        `joblib.parallel_config`.

    timeout : float or None, default=None
        Seconds for one shadow model; one that takes longer ends the audit with an
        error that names it. Needs worker processes, `n_jobs` of 2 or more.

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
        seed=root_seed(random_state) % 2**31,
    )
    fprs, confidence, seed = settings.fprs, settings.confidence, settings.seed
    X, labels = side_table(X, "X"), as_labels(y)
    if len(labels) != X.shape[0]:
        raise ValueError(f"y has {len(labels)} labels for {X.shape[0]} records.")
    units = _units(X, labels, groups)
    targets = []
    with temporary_folder() as folder:
        memory = joblib.Memory(folder, verbose=0)
        for number in range(n_targets):
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
                default_attacks(model, n_shadows=settings.n_shadows, random_state=seed)
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
            scored = run_attacks(
                chosen,
                case,
                seed=seed,
                n_jobs=n_jobs,
                timeout=timeout,
                callbacks=callbacks,
                memory=memory,
            )
            targets.append(_target_row(model, case, scored, fprs, confidence))
    return RecipeReport(
        recipe=" ".join(shown(estimator).split()),
        n_targets=n_targets,
        confidence=confidence,
        summary=_summary(targets, fprs, confidence),
        targets=targets,
    )


def _units(X, labels, groups):
    identities = record_ids(X, labels)
    if groups is not None:
        groups = np.asarray(groups).astype(str)
        if len(groups) != len(labels):
            raise ValueError(
                f"groups has {len(groups)} values for {len(labels)} records."
            )
        identities = merged_identities(identities, groups)
    return np.unique(identities, return_inverse=True)[1]


def _target_row(model, case, scored, fprs, confidence):
    right = predicted_codes(model, case.asked, case.classes) == case.codes
    row = {
        "accuracy_members": float(right[case.is_member].mean()),
        "accuracy_nonmembers": float(right[~case.is_member].mean()),
        "attacks": {},
    }
    for name, result in scored.items():
        rows = judged_rows(result)
        sides, scores = case.is_member[rows], result.scores[rows]
        values = {"auc": roc_auc_interval(sides, scores).estimate}
        for fpr in fprs:
            rate = tpr_row(sides, scores, fpr, confidence)
            values[f"tpr@fpr={fpr:g}"] = (
                rate["tpr"]["estimate"] if rate["resolvable"] else None
            )
        row["attacks"][name] = values
    return row


def _summary(targets, fprs, confidence):
    rows = []
    for name in targets[0]["attacks"]:
        for metric in ("auc", *(f"tpr@fpr={fpr:g}" for fpr in fprs)):
            values = [target["attacks"][name][metric] for target in targets]
            row = {"attack": name, "metric": metric, "note": ""}
            rows.append(row)
            if None in values:
                fpr = float(metric.partition("=")[2])
                row |= dict.fromkeys(("mean", "low", "high"))
                row["note"] = (
                    f"needs {min_nonmembers_for_fpr(fpr)} non-members, and scores that "
                    "do not tie there"
                )
                continue
            mean, n = float(np.mean(values)), len(values)
            half = stats.t.ppf((1 + confidence) / 2, n - 1)
            half *= np.std(values, ddof=1) / np.sqrt(n)
            row |= {
                "mean": mean,
                "low": float(max(0.0, mean - half)),
                "high": float(min(1.0, mean + half)),
            }
    return rows
