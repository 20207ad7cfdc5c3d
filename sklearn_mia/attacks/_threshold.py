"""Attacks that compare one signal of the target with a threshold."""

import numpy as np

from sklearn_mia.base import BaseAttack
from sklearn_mia.signals import as_signal

_FEWEST_PER_CLASS = 20


def standardised_by_class(signal, codes, centers, spreads):
    """Signal in units of its own class: (signal - center) / spread.

    Parameters
    ----------
    signal : ndarray of shape (n_records,)

    codes : ndarray of shape (n_records,)

    centers, spreads : ndarray of shape (n_classes,)

    Returns
    -------
    standardised : ndarray of shape (n_records,)
    """
    return (signal - centers[codes]) / spreads[codes]


class ThresholdAttack(BaseAttack):
    r"""Call a record a member if one signal of the target is above a threshold.

    It needs the target alone and no training: the cheapest attack and the baseline
    for all others. Strong where the target fits its records perfectly (fully grown
    forests), weak elsewhere, because it cannot tell an easy record from a member.

    ========================================  ====================================
    paper                                     setting
    ========================================  ====================================
    Yeom et al., 2018, loss threshold         ``signal="loss"``
    Yeom et al., 2018, gap attack             ``signal="correctness"``
    Salem et al., 2019, largest probability   ``signal="max_confidence"``
    Salem et al., 2019, entropy               ``signal="entropy"``
    Salem et al., 2019, standard deviation    ``signal="spread"``
    Song and Mittal, 2021, confidence         ``signal="confidence"``
    Song and Mittal, 2021, modified entropy   ``signal="modified_entropy"``
    Song and Mittal, 2021, by class           ``per_class=True``
    ========================================  ====================================

    Parameters
    ----------
    target_estimator : classifier or regressor
        The fitted model under attack. Never refitted, never changed; a clone of the
        attack keeps it by identity.

    signal : str or callable, default="auto"
        What is read from the target's answer; formulas in
        :mod:`sklearn_mia.signals`. "auto" is "logit", of a regressor "absolute_error".
        "logit", "loss" and "confidence" rank alike. "entropy", "max_confidence" and
        "spread" do without the class label.

    per_class : bool, default=False
        Whether each class gets a threshold of its own: the score is then the signal
        in units of its class, ``(signal - mean) / standard deviation`` over the
        records of that class in the pool. A class with fewer than 20 records in the
        pool, or without spread, uses all records.

    label_column : {"auto"}, int, str or None, default="auto"
        Which column of a record is the class label (of a regressor the value). "auto":
        in a frame the one column that the target was not trained on, else the last.
        None: records carry no label, a classifier's own prediction stands in.

    member_label : object, default=None
        The value of `y` that means member. None takes True or 1; of other values
        "member", "in", "train" or "yes", else the one that sorts last, with a warning.

    response_method : str, default="auto"
        How the target is asked: "predict_proba", "decision_function", "predict", or
        "auto" for the first of them that it has.

    max_fpr : float, default=0.05
        Share of the reference non-members, a fraction in [0, 1), that `predict` may
        call members. The reference is the known non-members, else the whole pool.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Non-member and member.

    label_column_ : int, str or None
        The label column found.

    offset_ : float
        Threshold of the scores.

    n_unscored_ : int
        Records of the pool that could not be scored.

    n_features_in_ : int
        Columns of a record.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if the records had text names.

    See Also
    --------
    RMIA : Compares the target with shadow models; far stronger for a few fits.
    SupervisedAttack : Learns from many signals and known membership.

    References
    ----------
    .. [1] S. Yeom, I. Giacomelli, M. Fredrikson and S. Jha, 2018, "Privacy risk in
       machine learning: analyzing the connection to overfitting".
    .. [2] A. Salem, Y. Zhang, M. Humbert, P. Berrang, M. Fritz and M. Backes, 2019,
       "ML-Leaks: model and data independent membership inference attacks and
       defenses on machine learning models".
    .. [3] L. Song and P. Mittal, 2021, "Systematic evaluation of privacy risks of
       machine learning models".

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import ThresholdAttack, as_records
    >>> X, y = make_classification(400, flip_y=0.2, random_state=0)
    >>> model = RandomForestClassifier(random_state=0).fit(X[:200], y[:200])
    >>> records, is_member = as_records(X, y), [True] * 200 + [False] * 200
    >>> attack = ThresholdAttack(model).fit(records, is_member)
    >>> attack.score(records, is_member) > 0.8
    True
    """

    explanation = (
        "Takes the records that the model answers most surely, or with the least "
        "error, for members; it needs nothing but the answers."
    )
    _parameter_constraints: dict = {
        **BaseAttack._parameter_constraints,
        "signal": [str, callable],
        "per_class": ["boolean"],
    }
    has_regression = True

    def __init__(
        self,
        target_estimator=None,
        *,
        signal="auto",
        per_class=False,
        label_column="auto",
        member_label=None,
        response_method="auto",
        max_fpr=0.05,
    ):
        self.target_estimator = target_estimator
        self.signal = signal
        self.per_class = per_class
        self.label_column = label_column
        self.member_label = member_label
        self.response_method = response_method
        self.max_fpr = max_fpr

    def _fit_scores(self, pool, is_member):
        self._function = as_signal(self.signal, self._signals)
        if not self.per_class:
            return self._score_queries(pool)
        if self._of_values:
            raise ValueError(
                "per_class=True, but the target is a regressor and has no classes. "
                "Leave it out."
            )
        n_classes = pool.answer.shape[1]
        self._centers, self._spreads = np.zeros(n_classes), np.ones(n_classes)
        signal = self._function(pool.answer, pool.codes)
        usable = np.isfinite(signal)
        if usable.any():
            self._centers[:] = signal[usable].mean()
            pooled = signal[usable].std()
            self._spreads[:] = pooled if pooled > 0 else 1.0
            for c in range(n_classes):
                own = signal[usable & (pool.codes == c)]
                if len(own) >= _FEWEST_PER_CLASS and own.std() > 0:
                    self._centers[c], self._spreads[c] = own.mean(), own.std()
        return self._score_queries(pool)

    def _score_queries(self, queries):
        signal = self._function(queries.answer, queries.codes)
        if not self.per_class:
            return signal
        return standardised_by_class(
            signal, queries.codes, self._centers, self._spreads
        )
