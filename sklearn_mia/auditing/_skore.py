"""A check for the reports of skore."""

from importlib import import_module
from inspect import signature

from sklearn_mia.auditing._audit import audit
from sklearn_mia.auditing._judging import passes
from sklearn_mia.auditing._verdict import check_limits


class MembershipCheck:
    """Check for reports of skore whether a model gives away who is in its data.

    ``report.checks.add([MembershipCheck()])`` adds it to an ``EstimatorReport`` that
    has its training data, and ``report.checks.summarize()`` runs :func:`audit` with the
    model, its training data as members and its test data as the others. An issue is a
    model that is clearly above a limit. It passes if it was shown to be within all of
    them; if neither was shown, the check is "not applicable" and says so: an
    undecided audit is no pass.

    Parameters
    ----------
    **params : dict
        Parameters of :func:`audit`, such as `limits`, `release` or `n_jobs`. By default
        ``effort="quick"`` and ``random_state=0``.

    Attributes
    ----------
    code, title, severity : str
        What skore shows of it, "MIA100" and "issue"; `code` goes with ``ignore=``.

    report_types : list of str
        The kinds of reports of skore that it is for.

    docs_url : None

    slow : bool
        True: skipped with ``fast_mode=True``.

    report_ : AuditReport
        The audit of the last report that was checked.

    See Also
    --------
    audit : What it runs.

    Notes
    -----
    Tried with skore 0.28, which has the protocol ``skore.Check``.

    Examples
    --------
    >>> from sklearn_mia import MembershipCheck
    >>> check = MembershipCheck(limits={"auc": 0.6})
    >>> check.code, check.severity
    ('MIA100', 'issue')
    """

    code = "MIA100"
    title = "Training records can be recognised"
    report_types = ["estimator"]
    docs_url = None
    severity = "issue"
    slow = True

    def __init__(self, **params):
        unknown = sorted(set(params) - set(signature(audit).parameters))
        if unknown:
            raise TypeError(
                f"MembershipCheck got {', '.join(map(repr, unknown))}; expected "
                "parameters of audit."
            )
        check_limits(params.get("limits"))
        self.params = {"effort": "quick", "random_state": 0} | params

    def check_function(self, report):
        """Audit the model of a report.

        Parameters
        ----------
        report : skore.EstimatorReport
            With training and test data.

        Returns
        -------
        explanation : str or None
            What was found; None if the model was shown to be within all limits.

        Raises
        ------
        skore.CheckNotApplicable
            If there is no training or test data, the model cannot be audited, or
            neither was shown.
        """
        cannot = import_module("skore").CheckNotApplicable
        sides = report.X_train, report.y_train, report.X_test, report.y_test
        if any(side is None for side in sides):
            raise cannot("Needs the training data and the test data of the model.")
        try:
            self.report_ = audit(report.estimator_, *sides, **self.params)
        except (TypeError, ValueError) as error:
            raise cannot(f"The model could not be audited: {error}") from error
        verdict = self.report_.verdict
        told = " ".join([verdict["title"], *verdict["sentences"][:2]])
        found = passes(self.report_._content)
        if found == "not shown":
            raise cannot(f"It was not shown to be within the limits: {told}")
        return told if found == "no" else None
