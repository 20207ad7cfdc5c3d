"""Attacks that subtract how difficult a record is for models without it."""

import numpy as np
from sklearn.utils._param_validation import StrOptions

from sklearn_mia.base import BaseShadowAttack, side_mean
from sklearn_mia.signals import as_signal


def rank_among_out(target, signals, members):
    """Share of the OUT shadows whose signal is below the target's, ties half.

    Parameters
    ----------
    target : ndarray of shape (n_records,)

    signals : ndarray of shape (n_shadows, n_records)

    members : ndarray of shape (n_shadows, n_records), dtype bool

    Returns
    -------
    rank : ndarray of shape (n_records,)
        Between 0 and 1; NaN for a record without OUT shadow.
    """
    below = (
        np.where(np.isnan(row), np.nan, np.where(row == target, 0.5, row < target))
        for row in signals
    )
    return side_mean(below, members, False)


class DifficultyCalibrationAttack(BaseShadowAttack):
    r"""Compare the target's signal with that of models trained without the record.

    .. math:: s = s_0(target) - \frac1K \sum_k s_0(shadow_k)

    over the shadows that did not see the record (OUT). An easy record has a high
    signal under any model: what is left is what the target alone knows. With the
    logit it ranks records exactly as LiRA with ``mode="offline"`` and pooled variance.
    ``method="rank"`` is attack R of Ye et al.: the share of the OUT shadows that the
    target exceeds, a p-value of K + 1 steps.

    Parameters
    ----------
    target_estimator : classifier or regressor
        The fitted model under attack. Never refitted, never changed; a clone of the
        attack keeps it by identity.

    shadow_estimator : estimator or None, default=None
        The recipe of the shadows, cloned for each; None takes the target's (what a
        `FrozenEstimator` holds, the `best_estimator_` of a search).

    signal : str or callable, default="auto"
        The signal :math:`s_0`; formulas in :mod:`sklearn_mia.signals`. "auto" is
        "logit", of a regressor "absolute_error". The logit is best for trees, the loss
        as good for linear models.

    method : {"mean", "rank"}, default="mean"
        Difference to the mean, or rank among the shadows.

    n_shadows : int, default=16
        Shadow models to train, each at the processor time of a fit of the whole target
        and its answers for the pool; even, since they come in complementary pairs.

    keep_models : bool, default=True
        Whether to keep the shadows, needed to score records outside the pool. A pickle
        then holds them, and what they keep of their records.

    memory : str, object with the joblib.Memory interface or None, default=None
        Folder or cache for the answers of the shadows, shared by attacks that ask
        equal shadows the same; needs an integer `random_state`. Code that the recipe
        reaches in other modules is not tracked: clear the folder when it changes.

    label_column : {"auto"}, int, str or None, default="auto"
        Which column of a record is the class label (of a regressor the value). "auto":
        in a frame the one column that the target was not trained on, else the last.
        None: records carry no label, a classifier's own prediction stands in.

    member_label : object, default=None
        The value of `y` that means member. None takes True or 1; of other values
        "member", "in", "train" or "yes", else the one that sorts last, with a warning.

    response_method : str, default="auto"
        How the target and its shadows are asked: "predict_proba", "decision_function",
        "predict", or "auto" for the first of them that both have.

    max_fpr : float, default=0.05
        Share of the reference non-members, a fraction in [0, 1), that `predict` may
        call members. The reference is the known non-members, else what shadows say
        of records that they did not see; that holds for a target trained, like them,
        on about half of the pool.

    n_jobs : int or None, default=None
        Shadows trained at a time. None is 1 unless in a `joblib.parallel_config`.

    timeout : float or None, default=None
        Seconds for one shadow; one that takes longer is named in an error, and the
        workers are ended. Needs worker processes, `n_jobs` of 2 or more.

    random_state : int, RandomState instance or None, default=None
        Seeds the splits and the shadows. The result does not depend on `n_jobs`.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Non-member and member.

    shadow_signals_ : ndarray of shape (n_shadows, n_records)
        Signal of each shadow for each record of the pool, NaN where the shadow never
        saw its class. Not pickled when models are not kept.

    shadow_members_ : ndarray of shape (n_shadows, n_records), dtype bool
        Which record each shadow trained on. Not pickled when models are not kept.

    models_ : list or None
        The shadows and the classes that each saw, if kept.

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
    LiRA : The same difference in units of its spread, with IN shadows too.
    RMIA : Stronger with few shadows on most models.

    References
    ----------
    .. [1] L. Watson, C. Guo, G. Cormode and A. Sablayrolles, 2022, "On the importance
       of difficulty calibration in membership inference attacks".
    .. [2] J. Ye, A. Maddi, S. K. Murakonda, V. Bindschaedler and R. Shokri, 2022,
       "Enhanced membership inference attacks against machine learning models".

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import DifficultyCalibrationAttack, as_records
    >>> X, y = make_classification(400, flip_y=0.2, random_state=0)
    >>> model = RandomForestClassifier(20, random_state=0).fit(X[:200], y[:200])
    >>> records, is_member = as_records(X, y), [True] * 200 + [False] * 200
    >>> attack = DifficultyCalibrationAttack(model, n_shadows=4, random_state=0)
    >>> attack.fit(records).score(records, is_member) > 0.8
    True
    """

    explanation = (
        "Takes off how easy a record is for models trained without it, and looks at "
        "what this model alone knows."
    )
    _parameter_constraints: dict = {
        **BaseShadowAttack._parameter_constraints,
        "signal": [str, callable],
        "method": [StrOptions({"mean", "rank"})],
    }
    has_regression = True

    def __init__(
        self,
        target_estimator=None,
        *,
        shadow_estimator=None,
        signal="auto",
        method="mean",
        n_shadows=16,
        keep_models=True,
        memory=None,
        label_column="auto",
        member_label=None,
        response_method="auto",
        max_fpr=0.05,
        n_jobs=None,
        timeout=None,
        random_state=None,
    ):
        self.target_estimator = target_estimator
        self.shadow_estimator = shadow_estimator
        self.signal = signal
        self.method = method
        self.n_shadows = n_shadows
        self.keep_models = keep_models
        self.memory = memory
        self.label_column = label_column
        self.member_label = member_label
        self.response_method = response_method
        self.max_fpr = max_fpr
        self.n_jobs = n_jobs
        self.timeout = timeout
        self.random_state = random_state

    def _signal(self):
        return as_signal(self.signal, self._signals)

    def _score(self, target, signals, members, in_pool):
        members = members & in_pool
        if self.method == "rank":
            return rank_among_out(target, signals, members)
        return target - side_mean(signals, members, False)
