"""The run of an audit: from a trained model and two tables to a report."""

from dataclasses import replace

import numpy as np

from sklearn_mia import models
from sklearn_mia.answers import answers_remembered
from sklearn_mia.auditing import _circumstances
from sklearn_mia.auditing._access import FILE_ATTACK, accesses_told
from sklearn_mia.auditing._build import build_report
from sklearn_mia.auditing._case import make_case
from sklearn_mia.auditing._defaults import attacks_by_name, default_attacks
from sklearn_mia.auditing._evaluation import check_coins_of
from sklearn_mia.auditing._known import check_known_values, spread
from sklearn_mia.auditing._partitions import check_slices
from sklearn_mia.auditing._quality import ask_model, quality_of
from sklearn_mia.auditing._run import (
    check_attacks,
    most_shadows,
    run_attacks,
)
from sklearn_mia.auditing._service import (
    check_answered,
    check_constant,
    check_queries,
    of_answered,
    queries_of,
    release_of,
)
from sklearn_mia.auditing._settings import Settings
from sklearn_mia.auditing._work import READING, expect_audit, long_work
from sklearn_mia.checks import check_seed
from sklearn_mia.hooks import without_addresses
from sklearn_mia.progress import stage
from sklearn_mia.redaction import without_values
from sklearn_mia.shadows import root_seed
from sklearn_mia.tables import take
from sklearn_mia.workers import check_timeout


@long_work
def audit(
    model,
    X_train,
    y_train,
    X_test,
    y_test,
    *,
    attacks=None,
    n_shadows=Settings.n_shadows,
    shadow_estimator=None,
    fprs=Settings.fprs,
    confidence=Settings.confidence,
    limits=Settings.limits,
    slice_limits=Settings.slice_limits,
    release=Settings.release,
    effort=Settings.effort,
    slices=Settings.slices,
    min_slice_size=Settings.min_slice_size,
    groups_train=None,
    groups_test=None,
    group_name=Settings.group_name,
    ids_train=None,
    ids_test=None,
    drop_shared=Settings.drop_shared,
    inclusion_probability=Settings.inclusion_probability,
    prior=Settings.prior,
    n_permutations=Settings.n_permutations,
    per_record=Settings.per_record,
    response_method=Settings.response_method,
    callbacks=None,
    n_jobs=None,
    timeout=None,
    memory=None,
    verbose=0,
    random_state=None,
):
    """Audit how much a trained model reveals about who was in its training data.

    Runs membership attacks on the model, states how well they do with intervals that
    hold, corrects for having tried several, and checks whether the numbers can be read
    as leakage at all.

    Parameters
    ----------
    model : classifier or regressor
        The trained model. Never refitted, never changed.

    X_train, y_train : {array-like, sparse matrix, DataFrame} of shape \
            (n_members, n_features), array-like of shape (n_members,)
        The members: records that the model was trained on.

    X_test, y_test : {array-like, sparse matrix, DataFrame} of shape \
            (n_nonmembers, n_features), array-like of shape (n_nonmembers,)
        The non-members: records of the same kind that it was not trained on. Split at
        random from one table, or the answer may be about the difference between the
        tables.

    attacks : attack, str, list or dict, default=None
        The attacks, each with `target_estimator` the model or None, or its name, as
        "RMIA", for one with the settings of the default; a dict names them.
        None takes :class:`~sklearn_mia.ThresholdAttack` and, on a bagged forest,
        :class:`~sklearn_mia.BaggingAttack`, else :class:`~sklearn_mia.RMIA` and
        :class:`~sklearn_mia.LiRA`; and, on the file of the model,
        :class:`~sklearn_mia.LinearReconstructionAttack` where it has equations. An
        attack that learns from known membership (or a
        search over attacks) learns from one random half of the records and is judged
        on the other.

    n_shadows : int or None, default=None
        Cost of the default attacks, in fits of the model and its answers for all
        records; even. None is by `effort`.

    shadow_estimator : estimator or None, default=None
        The recipe of the shadow models, of attacks by default or by name. None takes
        the model's own; a model that can only be asked,
        :class:`~sklearn_mia.BlackBoxClassifier`, has none, and by default
        :class:`~sklearn_mia.QuantileRegressionAttack` then stands for the attacks with
        shadow models.

    fprs : tuple of float, default=(0.001, 0.01, 0.1)
        False-positive rates of the table, fractions in (0, 1), not percent.

    confidence : float, default=0.95
        Of the whole report: whatever it states of a leak is wrong in no more than
        ``1 - confidence`` of the audits. Three fifths of that are for the headline, in
        both directions and all attacks, one is for the groups of records, one for what
        stands beside them; the report states the split.

    limits : dict or None, default=None
        What is too much: ``"auc"`` and ``"tpr@fpr=<fraction>"`` mapped to a fraction.
        None is ``{"auc": 0.6, "tpr@fpr=0.01": 0.05}``; see Notes of :func:`audit`.

    slice_limits : dict or None, default=None
        The same for each group of records. The AUC of `limits` is theirs, too, unless
        another is given here; a TPR has a limit in groups only if it is given here.

    release : {"interface", "file"} or None, default=None
        What others will have: a way to ask the model, or its file, so that they can
        read what it stores, too. The report has one verdict on each. None is both, or,
        with `attacks` of your own, what these need.

    effort : {"quick", "standard", "thorough"}, default="standard"
        Cost of the attacks that ask the model, in fits of it and its answers for all
        records: 2, 6 or 64, of :class:`~sklearn_mia.BaggingAttack` 1, 4 or 16; and how
        far the equations of the file are solved. Fewer see less (of a forest on 2,000
        records of Adult a TPR of .30, .32 or .31 at an FPR of .01, of boosting .09, .11
        or .17); what is stated holds at each. "thorough" solves the file exactly where
        it may be, and measures what it tells someone who holds 90, 50 and 10 % of its
        training records, for three more solutions.

    slices : str or tuple, default="auto"
        Groups of records to look at: ``"class"``, of a regressor ``"value"``, fifths of
        what it predicts; ``"loss"``, tenths by the loss of models that did not train on
        the record; ``"rarity"``, by how many records share the rarest two values that a
        record has, or, of documents and the like, their ``"length"``; with groups
        ``"size"``, by the number of records of a group; names of columns or, in an
        array, their positions. "auto" is all of these four.

    min_slice_size : int, default=30
        Members, and non-members, below which a slice is not evaluated.

    groups_train, groups_test : array-like or None, default=None
        Key of the group of each record, of the person say. The whole report is then
        about groups: a group is a member or not with all of its records, its score is
        the sum over them, and every rate, interval and p-value counts groups. What an
        attack does record by record stands beside it. Shadow models draw whole groups.
        A group with records on both sides counts as a member, by the records that were
        trained on.

    group_name : str or pair of str, default="group"
        What the report calls a group, as ``"patient"``; a pair has the plural, as
        ``("child", "children")``.

    ids_train, ids_test : array-like or None, default=None
        Names of the records in `report.records`; None takes the index of a pandas
        frame, else the position in its table.

    drop_shared : bool, default=False
        Whether to leave out the non-members that equal a member.

    inclusion_probability : float or None, default=None
        The probability with which each record, or each group, entered the training data
        by its own independent coin, if members were drawn like that. Then epsilon is a
        bound of differential privacy, else it describes this one model.

    prior : float, default=0.5
        Share of members among the people that an attacker would ask about, for the
        probability that an accusation is right.

    n_permutations : int or None, default=None
        Permutations of the corrected test, 99 or more. None is by `effort`: 199, 999 or
        999. A test that finds a leak 80 times out of 100 with very many of them finds
        it 79 times with 199; the false-alarm rate is that of `confidence` with any.

    per_record : bool, default=True
        Whether the report holds anything about single records.

    response_method : str, default="auto"
        How the model and its shadows are asked: "predict_proba", "decision_function",
        "predict", or "auto" for the first of them that both have.

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
        Seeds all that is random. The result does not depend on `n_jobs`.

    Returns
    -------
    report : AuditReport
        Print it, or see `to_html`, `to_json` and `records`.

    Raises
    ------
    ValueError, TypeError, NotFittedError
        If something given cannot be audited, before any shadow model is trained.

    See Also
    --------
    default_attacks : The attacks of None, to add one of your own to them.
    sklearn_mia.metrics : The procedures behind the numbers.

    Notes
    -----
    The verdict has five levels. *Clearly above the limits*: the interval of some
    attack, or of the AUC in some group of records, begins above a limit. *Cannot be
    decided*: a leak was found, and an interval lies on both sides of a limit, or a rate
    cannot be looked at. *Clearly within the limits*: a leak was found, and all
    intervals end below. *Nothing found*: no leak was; the title says whether one as
    large as the limits would have been. *Not interpretable*: the sides differ without
    the model, or look exchanged, say. What was not shown is never called safe.

    A group counts against a limit if one of its size, without a leak, would pass with
    probability .985 (AUC .6, or TPR .18 at an FPR of .05, with twelve groups and three
    attacks: about 500 members and as many others); a smaller one if it is clearly
    above.

    The default limits are conventions, to be replaced by your own. A TPR of .05 at an
    FPR of .01 [1]_ means that, among equally many members and non-members, an
    accusation is right 5 times in 6; a model that is (epsilon, 0)-differentially
    private with epsilon = 1.6 would allow no more. An AUC of .6 means that an attacker
    who sees one of each tells them apart 6 times in 10.

    References
    ----------
    .. [1] N. Carlini, S. Chien, M. Nasr, S. Song, A. Terzis and F. Tramer, 2022,
       "Membership inference attacks from first principles".

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import audit
    >>> X, y = make_classification(600, flip_y=0.2, random_state=0)
    >>> model = RandomForestClassifier(20, random_state=0).fit(X[:300], y[:300])
    >>> report = audit(
    ...     model, X[:300], y[:300], X[300:], y[300:], n_shadows=4, random_state=0
    ... )
    >>> report.verdict["level"]
    'above_limits'
    """
    stage(READING)
    case = make_case(
        model,
        X_train,
        y_train,
        X_test,
        y_test,
        groups=(groups_train, groups_test),
        ids=(ids_train, ids_test),
    )
    sides = np.flatnonzero(case.is_member), np.flatnonzero(~case.is_member)
    check_known_values(model, [take(case.asked, spread(rows)) for rows in sides])
    settings = Settings(
        fprs=fprs,
        confidence=confidence,
        prior=prior,
        limits=limits,
        slice_limits=slice_limits,
        release=release,
        effort=effort,
        slices=slices,
        min_slice_size=min_slice_size,
        inclusion_probability=inclusion_probability,
        n_permutations=n_permutations,
        n_shadows=n_shadows,
        drop_shared=drop_shared,
        group_name=group_name,
        per_record=per_record,
        response_method=response_method,
        seed=root_seed(check_seed(random_state, "audit")) % 2**31,
    )
    return audit_case(
        model,
        case,
        settings,
        attacks=attacks,
        shadow_estimator=shadow_estimator,
        callbacks=callbacks,
        n_jobs=n_jobs,
        timeout=timeout,
    )


@answers_remembered()
def audit_case(
    model,
    case,
    settings,
    *,
    attacks=None,
    shadow_estimator=None,
    callbacks=None,
    n_jobs=None,
    timeout=None,
    extra_findings=(),
    provenance=None,
):
    """Audit a model on records already checked.

    Parameters
    ----------
    model : classifier or regressor

    case : Case

    settings : Settings

    attacks, shadow_estimator, callbacks, n_jobs, timeout : as in :func:`audit`

    extra_findings : list of Finding, default=()

    provenance : dict or None, default=None
        From :func:`~sklearn_mia.auditing._provenance.provenance_of`.

    Returns
    -------
    report : AuditReport
    """
    check_timeout(timeout, n_jobs)
    check_slices(settings.slices, case)
    if settings.inclusion_probability is not None:
        check_coins_of(case, settings.inclusion_probability)
    shared = np.isin(case.content_ids, case.content_ids[case.is_member])
    shared &= ~case.is_member
    n_dropped = 0
    if settings.drop_shared and shared.any():
        if shared.sum() == (~case.is_member).sum():
            raise ValueError(
                "Every non-member equals a member, so drop_shared=True leaves none. "
                "Pass records that the model was not trained on."
            )
        n_dropped = int(shared.sum())
        if settings.inclusion_probability is not None:
            raise ValueError(
                f"drop_shared=True leaves out {n_dropped!r} records because they are "
                "non-members, so that the coins of those that stay are no longer fair; "
                "expected all records that a coin was tossed for: pass "
                "drop_shared=False, or inclusion_probability=None."
            )
        case = case.without(shared)
    asked = {
        "effort": settings.effort,
        "n_shadows": settings.n_shadows,
        "response_method": settings.response_method,
        "random_state": settings.seed,
        "shadow_estimator": shadow_estimator,
    }
    is_default, release = attacks is None, release_of(model, settings.release)
    attacks = (
        default_attacks(model, release=release, **asked)
        if is_default
        else attacks_by_name(attacks, model, **asked)
    )
    chosen, fitted_before = check_attacks(attacks, model)
    accesses = accesses_told(release, chosen, chosen=not is_default)
    responder, answer, right = ask_model(model, case, settings.response_method)
    answered = ~np.isnan(answer.reshape(len(answer), -1)).all(axis=1)
    check_answered(model, case, answered)
    case = replace(case, answered=answered)
    left_out = _circumstances.check_left_out(
        shadow_estimator is None and models.recipe_beside(model) is not None, model
    )
    on_file = chosen.pop(FILE_ATTACK, None) if is_default else None
    after = {} if on_file is None else {FILE_ATTACK: on_file}
    expect_audit(chosen, after, case, settings)
    scored = run_attacks(
        chosen,
        case,
        seed=settings.seed,
        n_jobs=n_jobs,
        timeout=timeout,
        callbacks=callbacks,
    )
    why = ""
    if after:
        try:
            scored |= run_attacks(after, case, seed=settings.seed)
        except Exception as error:
            # An estimator of any make may be in the file; the other attacks stand.
            text = without_values(" ".join(str(error).split()), case.features)
            why = f"{type(error).__name__}: {text}"
    queries = queries_of(model, case, answered)
    if not answered.all():
        scored = of_answered(scored, answered)
        case, answer = case.without(~answered), answer[answered]
        right = None if right is None else right[answered]
    unanswered = [name for name in chosen if name not in scored]
    of_service = check_queries(queries, most_shadows(scored), unanswered)
    alike = check_constant(model, answer, responder.kind)
    found = [*extra_findings, left_out, alike, *of_service]
    return build_report(
        case,
        scored,
        settings,
        model=model,
        model_content={
            "name": models.model_name(model),
            "family": models.model_family(model),
            "class": f"{type(model).__module__}.{type(model).__qualname__}",
            "description": " ".join(without_addresses(str(model)).split())[:2000],
            "response": responder.kind,
            "queries": queries,
        },
        quality=quality_of(case, answer, right),
        accesses=accesses,
        file_failed=why,
        response=None if case.classes is None else responder.kind,
        normalised=responder.kind == "predict_proba"
        and models.is_one_against_rest(model),
        fitted_before=fitted_before,
        extra_findings=[finding for finding in found if finding is not None],
        provenance=provenance,
        n_dropped=n_dropped,
    )
