"""The audit of a model of which only the predictions are known."""

from sklearn_mia._choices import EFFORT, PERMUTATIONS
from sklearn_mia.auditing import _circumstances
from sklearn_mia.auditing._build import build_report
from sklearn_mia.auditing._case_of_answers import case_of_predictions, case_of_values
from sklearn_mia.auditing._evaluation import check_coins_of
from sklearn_mia.auditing._partitions import check_slices
from sklearn_mia.auditing._quality import quality_of
from sklearn_mia.auditing._run import Scored
from sklearn_mia.auditing._settings import Settings
from sklearn_mia.checks import check_flag, check_same_rows, check_seed
from sklearn_mia.groups import centred_scores
from sklearn_mia.shadows import root_seed
from sklearn_mia.signals import SIGNALS, VALUE_SIGNALS


def audit_predictions(
    proba,
    y,
    is_member,
    *,
    classes=None,
    regression=False,
    model_name="the model",
    fprs=Settings.fprs,
    confidence=Settings.confidence,
    limits=Settings.limits,
    slice_limits=Settings.slice_limits,
    slices=Settings.slices,
    min_slice_size=Settings.min_slice_size,
    groups=None,
    group_name=Settings.group_name,
    ids=None,
    inclusion_probability=Settings.inclusion_probability,
    prior=Settings.prior,
    n_permutations=PERMUTATIONS[EFFORT],
    per_record=Settings.per_record,
    random_state=0,
):
    """Audit a model of which only the predictions are known.

    For an auditor who holds a file of probabilities, labels and membership, but neither
    the model nor the records. Only attacks that need nothing else can be run, by the
    loss, the entropy and, for more than two classes, the modified entropy and the
    margin, of a regressor by the absolute error; a value that is small is no proof of
    safety.

    Parameters
    ----------
    proba : array-like of shape (n_records, n_classes) or (n_records,)
        What the model answered for each record: probabilities, or with `regression`
        its prediction.

    y : array-like of shape (n_records,)
        The class of each record, with `regression` the value to predict.

    is_member : array-like of shape (n_records,)
        True or 1 for the records that the model was trained on.

    classes : array-like of shape (n_classes,) or None, default=None
        The class of each column, in any order; None takes the sorted labels.

    regression : bool, default=False
        Whether the model is a regressor.

    model_name : str, default="the model"
        What the report calls the model.

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

    slices : str or tuple, default="auto"
        ``"class"`` (of a regressor ``"value"``), ``"loss"`` and, with groups,
        ``"size"``; "auto" is the first and the last.

    min_slice_size : int, default=30
        Members, and non-members, below which a slice is not evaluated.

    groups : array-like of shape (n_records,) or None, default=None
        Key of the group of each record; see :func:`audit`.

    group_name : str or pair of str, default="group"
        What the report calls a group, as ``"patient"``; a pair has the plural, as
        ``("child", "children")``.

    ids : array-like of shape (n_records,) or None, default=None
        Name of each record.

    inclusion_probability : float or None, default=None
        The probability with which each record, or each group, entered the training data
        by its own independent coin, if members were drawn like that. Then epsilon is a
        bound of differential privacy, else it describes this one model.

    prior : float, default=0.5
        Share of members among the people that an attacker would ask about, for the
        probability that an accusation is right.

    n_permutations : int, default=999
        Permutations of the corrected test.

    per_record : bool, default=True
        Whether the report holds anything about single records.

    random_state : int, RandomState instance or None, default=0
        Seeds the permutations.

    Returns
    -------
    report : AuditReport
        Print it, or see `to_html`, `to_json` and `records`.

    See Also
    --------
    audit : With the model and the records, much stronger.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import audit_predictions
    >>> X, y = make_classification(600, flip_y=0.2, random_state=0)
    >>> model = RandomForestClassifier(20, random_state=0).fit(X[:300], y[:300])
    >>> is_member = [True] * 300 + [False] * 300
    >>> report = audit_predictions(model.predict_proba(X), y, is_member)
    >>> report.verdict["level"]
    'above_limits'
    """
    regression = check_flag(regression, "regression")
    given = {"groups": groups, "ids": ids}
    check_same_rows(proba=proba, y=y, is_member=is_member, **given)
    if regression:
        if classes is not None:
            raise ValueError(
                "classes is given, but with regression=True the model has none. Leave "
                "one of both out."
            )
        case, answer = case_of_values(proba, y, is_member, **given)
    else:
        case, answer = case_of_predictions(
            proba, y, is_member, classes=classes, **given
        )
    settings = Settings(
        fprs=fprs,
        confidence=confidence,
        prior=prior,
        limits=limits,
        slice_limits=slice_limits,
        slices=slices,
        min_slice_size=min_slice_size,
        inclusion_probability=inclusion_probability,
        n_permutations=n_permutations,
        per_record=per_record,
        seed=root_seed(check_seed(random_state, "audit_predictions")) % 2**31,
    )
    if settings.inclusion_probability is not None:
        check_coins_of(case, settings.inclusion_probability)
    return predictions_report(case, answer, settings, model_name=model_name)


def predictions_report(case, answer, settings, *, model_name, provenance=None):
    """Report on predictions already checked.

    Parameters
    ----------
    case : Case

    answer : ndarray of shape (n_records, n_classes) or (n_records,)
        Log-probabilities, or predictions of a regressor.

    settings : Settings

    model_name : str

    provenance : dict or None, default=None
        From :func:`~sklearn_mia.auditing._provenance.provenance_of`.

    Returns
    -------
    report : AuditReport
    """
    check_slices(settings.slices, case)
    names, right = ["absolute_error"], None
    if case.classes is not None:
        names = ["loss", "entropy"]
        if len(case.classes) > 2:
            names += ["modified_entropy", "margin"]
        right = answer.argmax(axis=1) == case.codes
    signals = VALUE_SIGNALS if case.classes is None else SIGNALS
    scored = {}
    for name in names:
        values = signals[name](answer, case.codes)
        ratios = None if case.groups is None else centred_scores(values)
        scored[name] = Scored(values, None, f"{name} of the model", ratios=ratios)
    return build_report(
        case,
        scored,
        settings,
        model_content={
            "name": model_name,
            "family": model_name,
            "class": None,
            "description": "only its predictions were given",
            "response": "predictions",
            "queries": None,
        },
        quality=quality_of(case, answer, right),
        extra_findings=[_circumstances.only_predictions()],
        provenance=provenance,
    )
