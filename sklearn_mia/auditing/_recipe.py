"""Auditing a training procedure: several models, one statement."""

from contextlib import contextmanager
from functools import partial

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import _num_samples

from sklearn_mia._choices import RECIPE_FPRS, SHADOWS, VARIED
from sklearn_mia.auditing._canary_run import audit_canaries
from sklearn_mia.auditing._case import (
    FEWEST_GROUPS,
    half_of_units,
    name_of_labels,
    one_table,
    side_table,
)
from sklearn_mia.auditing._json import made_now
from sklearn_mia.auditing._nouns import nouns_of
from sklearn_mia.auditing._provenance import provenance_of
from sklearn_mia.auditing._quality import ask_model, quality_of
from sklearn_mia.auditing._recipe_plan import check_plan
from sklearn_mia.auditing._recipe_report import (
    SCHEMA,
    SCHEMA_VERSION,
    RecipeReport,
)
from sklearn_mia.auditing._recipe_summary import (
    metrics_of,
    of_these_records,
    summary_of,
)
from sklearn_mia.auditing._recipe_target import attacked
from sklearn_mia.auditing._run import record_rows
from sklearn_mia.auditing._settings import Settings
from sklearn_mia.auditing._subjects import subjects_of
from sklearn_mia.auditing._work import long_work
from sklearn_mia.checks import check_same_rows, check_seed
from sklearn_mia.groups import group_codes
from sklearn_mia.hooks import shown
from sklearn_mia.identity import merged_identities, record_ids
from sklearn_mia.items import kind_of, one_shape
from sklearn_mia.memory import described, kept, memory_at_work, table_key
from sklearn_mia.models import model_name
from sklearn_mia.progress import Stage, expect, stage
from sklearn_mia.records import as_labels, check_no_gaps
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
    n_targets=None,
    vary=VARIED[0],
    canaries=None,
    epsilon=None,
    delta=0.0,
    adjacency="add",
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
    """Audit a training procedure: by several models, or by canaries in a single one.

    The interval of :func:`audit` is about one trained model; training again moves the
    values by about as much again. Here `n_targets` models are trained, each on its own
    random half, and attacked with the same shadow models. The interval is
    ``mean -+ t(n_targets - 1) * sd / sqrt(n_targets)`` over models.

    With `canaries` a single model counts: trained on all records of X and on those
    canaries for which a fair coin, tossed here and kept in the report, says so. What an
    attack finds of the coins bounds the epsilon of differential privacy from below,
    whatever the procedure does: see :func:`~sklearn_mia.metrics.epsilon_lower_bound`. A
    promised `epsilon` below the bound is contradicted. The attack is chosen on two
    rehearsals, models trained with coins of their own.

    Parameters
    ----------
    estimator : classifier
        The recipe, not fitted; cloned for each model.

    X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)
        Records to draw halves from.

    y : array-like of shape (n_records,)
        Their labels.

    n_targets : int or None, default=None
        Models to train and attack; with fewer than 5 the interval is very wide. None is
        5. From 16 on, with ``vary="data"``, each record is also compared with its own
        scores in the models without it.

    vary : {"data", "seed"}, default="data"
        What differs from model to model: the half and the seed, or on one same half the
        seed alone, for the risk of these very records when the model is trained again.
        The interval over models then says nothing about other records.

    canaries : int, pair of array-like or None, default=None
        How many canaries to make, as :func:`make_canaries` does, 1,000 say; or
        features and labels of your own, 50 at least and all different. There are no
        rates then, and `fprs` has no meaning.

    epsilon : float or None, default=None
        What is claimed of the procedure, to be contradicted by canaries or not.

    delta : float, default=0.0
        The delta of the claim and of the bound.

    adjacency : {"add", "replace"}, default="add"
        What the claim is about: that a record is there or not; or, with the number of
        records the same, that a record is there or another in its place, which is a
        stronger claim at the same epsilon. Each canary is then there, or a record of X
        that is not trained on otherwise.

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
        Print it, or see `summary`, `canaries`, `records`, `to_html` and `to_json`.

    Raises
    ------
    ValueError
        If something given cannot be used, before anything is trained: also a `delta`
        so large for so few canaries that no scores could show anything.

    See Also
    --------
    audit : One trained model, in depth.
    make_canaries : Makes canaries of the kinds that you name.

    References
    ----------
    .. [1] T. Steinke, M. Nasr and M. Jagielski (2023). Privacy Auditing with One (1)
       Training Run. NeurIPS.

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

    A promise that this tree does not keep:

    >>> report = audit_recipe(
    ...     DecisionTreeClassifier(), X, y, canaries=200, epsilon=1.0, random_state=0
    ... )
    >>> report.epsilon > 1.0
    True
    """
    n_targets, epsilon, delta = check_plan(
        n_targets=n_targets,
        vary=vary,
        canaries=canaries,
        groups=groups,
        epsilon=epsilon,
        delta=delta,
        adjacency=adjacency,
    )
    check_timeout(timeout, n_jobs)
    settings = Settings(
        fprs=fprs,
        confidence=confidence,
        n_shadows=n_shadows,
        group_name=group_name,
        seed=root_seed(check_seed(random_state, "audit_recipe")) % 2**31,
    )
    fprs, confidence, seed = settings.fprs, settings.confidence, settings.seed
    check_same_rows(X=X, y=y, groups=groups)
    X, labels = side_table(X, "X"), as_labels(y)
    kind = None if is_table(X) else kind_of(X)
    nouns = nouns_of(None if groups is None else settings.group_name, kind)
    if len(labels) != _num_samples(X):
        raise ValueError(f"y has {len(labels)} labels for {_num_samples(X)} records.")
    check_no_gaps(labels)
    how = {
        "n_jobs": n_jobs,
        "timeout": timeout,
        "callbacks": callbacks,
    }
    content = {
        "name": model_name(estimator),
        "recipe": " ".join(shown(estimator).split()),
        "vary": vary,
        "confidence": confidence,
        "fprs": fprs,
        "seed": seed,
        "unit": "record" if groups is None else "group",
        "nouns": nouns._asdict(),
        "n_records": len(labels),
        "provenance": provenance_of(),
        "remarks": [],
    }
    head = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION} | made_now()
    if canaries is not None:
        with _one_memory() as memory:
            found, told = audit_canaries(
                *(estimator, X, y, canaries),
                attacks=attacks,
                epsilon=epsilon,
                delta=delta,
                adjacency=adjacency,
                settings=settings,
                memory=memory,
                **how,
            )
        none = {"n_targets": 0, "summary": [], "targets": [], "same_records": None}
        return RecipeReport(
            head | content | none | {"attacks": told, "canaries": found}
        )
    units = _units(X, labels, groups)
    halves = [
        half_of_units(units, np.random.default_rng([seed, 2, number]))
        for number in range(n_targets if vary == "data" else 1)
    ]
    if not is_regressor_model(estimator):
        _check_classes(labels, halves)
    halves *= n_targets // len(halves)
    coming = [Stage(f"model {k + 1} of {n_targets}", fits=1) for k in range(n_targets)]
    expect(coming)
    targets, scores = [], []
    with _one_memory() as memory:

        def one_target(number):
            is_member = halves[number]
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
            scored, told = attacked(
                model,
                estimator,
                case,
                attacks,
                settings,
                coming=coming[number + 1 :],
                trained=number > 0,
                memory=memory,
                **how,
            )
            return *_target_row(model, case, scored, fprs, confidence), told

        def inputs():
            return (
                described(estimator),
                described(attacks),
                table_key(record_ids(X, labels), X),
                str(labels.dtype),
                None if groups is None else group_codes(groups, len(labels))[1],
                settings,
                vary,
            )

        for number in range(n_targets):
            stage(coming[number].name)
            row, said, told = kept(
                f"target {number}", inputs, partial(one_target, number)
            )
            targets.append(row)
            scores.append(said)
    summary = summary_of(targets, fprs, confidence, nouns)
    same_records, table = of_these_records(
        summary, scores, vary, fprs, confidence, nouns
    )
    content |= {
        "n_targets": n_targets,
        "attacks": told,
        "summary": summary,
        "targets": targets,
        "same_records": same_records,
        "canaries": None,
    }
    return RecipeReport(head | content, table)


@contextmanager
def _one_memory():
    """The cache in which all models find the same shadow models."""
    with temporary_folder() as folder:
        yield memory_at_work() or joblib.Memory(folder, verbose=0)


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


def _target_row(model, case, scored, fprs, confidence):
    _, answer, right = ask_model(model, case)
    quality = quality_of(case, answer, right)
    subjects = subjects_of(case, scored)
    n_members, n_nonmembers = subjects.sides
    of_records = None
    if case.groups is not None:
        of_records = {
            name: metrics_of(*record_rows(case, result), fprs, confidence)
            for name, result in scored.items()
        }
    row = {
        **quality.told,
        "n_members": n_members,
        "n_nonmembers": n_nonmembers,
        "attacks": {
            name: metrics_of(*subjects.rows(name), fprs, confidence) for name in scored
        },
        "of_records": of_records,
    }
    return row, {
        "is_member": subjects.is_member,
        "names": case.ids if case.groups is None else subjects.keys,
        "scores": {name: subjects.judged(name) for name in scored},
    }
