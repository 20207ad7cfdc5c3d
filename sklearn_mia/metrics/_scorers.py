"""The strength of an attack as a scorer, for any ``scoring=``."""

import numpy as np
from sklearn.utils.metadata_routing import MetadataRequest, _routing_enabled

from sklearn_mia.checks import check_fraction, check_membership
from sklearn_mia.metrics._rates import (
    membership_advantage_score,
    resolved_tpr_at_fpr_score,
)


class GroupRequestMixin:
    """For scorers that count groups of records, such as persons, if they get them.

    Where metadata routing is enabled, `groups` that are given to a search or to
    cross-validation are handed on to the scorer without being asked for.
    """

    _groups_request = True

    def set_score_request(self, *, groups=True):
        """Say whether metadata routing hands groups on to this scorer.

        Parameters
        ----------
        groups : bool, None or str, default=True
            False counts records though there are groups, None makes passing them an
            error, a str is the name that they are passed by.

        Returns
        -------
        self : scorer
        """
        if not _routing_enabled():
            raise RuntimeError(
                "set_score_request needs metadata routing, without which no search "
                "hands groups on to a scorer. Call "
                "sklearn.set_config(enable_metadata_routing=True)."
            )
        self._groups_request = groups
        return self

    def get_metadata_routing(self):
        """Get what this scorer asks for.

        Returns
        -------
        request : MetadataRequest
        """
        request = MetadataRequest(owner=self)
        request.score.add_request(param="groups", alias=self._groups_request)
        return request


class MembershipScorer(GroupRequestMixin):
    """A scorer whose positive class is `classes_[1]` of the attack, whatever its name.

    A scorer of :func:`sklearn.metrics.make_scorer` hands text labels to the metric
    without saying which is positive, and sorting them would call "nonmember" the
    member.

    Parameters
    ----------
    metric : callable
        ``metric(is_member, scores, **options)``.

    pos_label : object, default=None
        The label of members; None takes ``classes_[1]``.

    **options : dict
        For `metric`.
    """

    def __init__(self, metric, *, pos_label=None, **options):
        self.metric, self.pos_label, self.options = metric, pos_label, options

    def __call__(self, estimator, X, y_true, *, groups=None, **kwargs):
        """Score a fitted attack on records of known membership, or on their groups."""
        classes = np.asarray(estimator.classes_).tolist()
        member = classes[1] if self.pos_label is None else self.pos_label
        is_member = check_membership(y_true, member)
        if groups is not None:
            if not hasattr(estimator, "sides_of_groups"):
                raise TypeError(
                    f"groups are given, but {type(estimator).__name__} scores records "
                    "only. Score an attack of sklearn_mia that was fitted with groups, "
                    "or leave groups out: set_score_request(groups=False)."
                )
            is_member, scores = estimator.sides_of_groups(X, is_member, groups)
            scores = scores if member == classes[1] else -scores
        elif hasattr(estimator, "decision_function"):
            scores = np.asarray(estimator.decision_function(X))
            scores = scores if member == classes[1] else -scores
        else:
            scores = estimator.predict_proba(X)[:, classes.index(member)]
        return self.metric(is_member, scores, **self.options)

    def _accept_sample_weight(self):
        # What a search with sample weights asks.
        return False

    def __repr__(self):
        """Return the metric and its options."""
        told = {} if self.pos_label is None else {"pos_label": self.pos_label}
        options = ", ".join(f"{k}={v!r}" for k, v in (self.options | told).items())
        return f"<scorer of {self.metric.__name__}({options})>"


def tpr_at_fpr_scorer(max_fpr=0.01, *, pos_label=None):
    """Make a scorer of the TPR at a false-positive rate, for any ``scoring=``.

    Where ties keep the rate from being looked at (see :func:`resolve_rate`) the score
    is NaN, with a warning: a search ranks such a candidate last.

    With groups of the records, such as persons, the rate counts groups that are wholly
    on a side: ``scorer(attack, X, y, groups=groups)`` of an attack that was fitted with
    groups. Cross-validation and searches hand them on with
    ``sklearn.set_config(enable_metadata_routing=True)``, once
    ``attack.set_fit_request(groups=True)`` is called.

    Parameters
    ----------
    max_fpr : float, default=0.01
        The highest false-positive rate, a fraction in [0, 1). In cross-validation it
        refers to the non-members of one test fold.

    pos_label : int, float, bool or str, default=None
        The label of members; ``None`` means ``classes_[1]`` of the attack.

    Returns
    -------
    scorer : callable
        Called as ``scorer(attack, X, y)``. Higher means a stronger attack.

    See Also
    --------
    tpr_at_fpr_score : The metric, for the attained rate in any case.
    resolve_rate : Tells whether a rate can be looked at, and the next that can.
    membership_advantage_scorer : Scorer of the membership advantage.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn_mia.metrics import tpr_at_fpr_scorer
    >>> X, y = make_classification(class_sep=5, random_state=0)
    >>> cross_val_score(LogisticRegression(), X, y, scoring=tpr_at_fpr_scorer(0.1))
    array([1., 1., 1., 1., 1.])
    """
    max_fpr = check_fraction(max_fpr, "max_fpr", zero=True)
    return MembershipScorer(
        resolved_tpr_at_fpr_score, pos_label=pos_label, max_fpr=max_fpr
    )


membership_advantage_scorer = MembershipScorer(membership_advantage_score)
