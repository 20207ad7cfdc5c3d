"""The likelihood ratio attack."""

import numpy as np
from sklearn.utils._param_validation import StrOptions

from sklearn_mia.base import (
    BaseShadowAttack,
    MeanGap,
    MeanShare,
    side_count,
    side_mean,
    side_sum,
)

_PER_RECORD_FROM = 64
# A record whose shadows all agree would decide its score by rounding errors.
_SMALLEST_SHARE_OF_POOLED = 0.1
_PRIOR_SHADOWS = 4
_TINY_VARIANCE = 1e-12
_SMALLEST_GAP = 1e-3
# Where a regressor gives its records back exactly, what it gives others would else
# count as infinitely far from that.
_LEAST_SHARE_OF_OUT = 0.01
# One absurd value to predict would else decide what is pooled over all records.
_MOST_TIMES_MEDIAN = 100


def log_likelihood_ratio(target, mean_in, var_in, mean_out, var_out):
    r"""Log-likelihood ratio of two normal distributions at the target's signal.

    .. math:: \log N(\varphi; \mu_{in}, \sigma_{in}^2)
              - \log N(\varphi; \mu_{out}, \sigma_{out}^2)

    Parameters
    ----------
    target : ndarray of shape (n_records,)
        Signal of the target :math:`\varphi`.

    mean_in, mean_out : ndarray of shape (n_records,)

    var_in, var_out : float or ndarray of shape (n_records,)

    Returns
    -------
    ratio : ndarray of shape (n_records,)
        Higher = more likely a member.
    """
    square_in = (target - mean_in) ** 2 / var_in
    square_out = (target - mean_out) ** 2 / var_out
    return 0.5 * (square_out - square_in + np.log(var_out) - np.log(var_in))


def shrunk_gap(gap, prior, variance, spread):
    r"""Draw the gap between the IN and the OUT mean of a record to that of its like.

    .. math:: d' = \max(p + w (d - p),\, .001), \quad w = \frac{\tau}{\tau + v}

    Parameters
    ----------
    gap : ndarray of shape (n_records,)
        IN mean less OUT mean :math:`d`.

    prior : ndarray of shape (n_records,)
        Mean gap :math:`p` of records with a like OUT mean.

    variance : ndarray of shape (n_records,)
        Sampling variance :math:`v` of the gap, infinite where a side is missing.

    spread : float
        Variance :math:`\tau` of the true gaps around the prior.

    Returns
    -------
    gap : ndarray of shape (n_records,)
    """
    weight = spread / (spread + variance)
    return np.maximum(prior + weight * (gap - prior), _SMALLEST_GAP)


def ratio_of_equal_variances(target, mean_in, mean_out, gap, variance):
    r"""Log-likelihood ratio of two normal distributions of one variance.

    .. math:: s = \frac{d'}{\sigma^2}
                  \Big(\varphi - \frac{\mu_{in} + \mu_{out}}{2}\Big)

    Parameters
    ----------
    target : ndarray of shape (n_records,)
        Signal of the target :math:`\varphi`.

    mean_in, mean_out : ndarray of shape (n_records,)

    gap : ndarray of shape (n_records,)
        From :func:`shrunk_gap`.

    variance : float or ndarray of shape (n_records,)
        Mean of the variances of both sides.

    Returns
    -------
    ratio : ndarray of shape (n_records,)
        Higher = more likely a member.
    """
    return gap * (target - (mean_in + mean_out) / 2) / variance


def ratio_around_the_middle(target, mean_in, var_in, mean_out, var_out, gap):
    r"""Log-likelihood ratio of two normal distributions, a known gap apart.

    .. math:: \log N\big(\varphi; m + \tfrac{d}{2}, \sigma_{in}^2\big)
              - \log N\big(\varphi; m - \tfrac{d}{2}, \sigma_{out}^2\big), \quad
              m = \tfrac12 (\mu_{in} + \mu_{out})

    Parameters
    ----------
    target : ndarray of shape (n_records,)
        Signal of the target :math:`\varphi`.

    mean_in, mean_out : ndarray of shape (n_records,)
        Of the shadows; their middle is known better than their distance.

    var_in, var_out : float or ndarray of shape (n_records,)

    gap : ndarray of shape (n_records,)
        Distance :math:`d` of the two distributions.

    Returns
    -------
    ratio : ndarray of shape (n_records,)
        Higher = more likely a member.
    """
    middle = (mean_in + mean_out) / 2
    return log_likelihood_ratio(
        target, middle + gap / 2, var_in, middle - gap / 2, var_out
    )


def squares_around(mean, signals, members, inside):
    """Sum of squared distances to the mean of the record, over one side's shadows.

    Parameters
    ----------
    mean : ndarray of shape (n_records,)
        Mean of that side.

    signals : ndarray of shape (n_shadows, n_records)

    members : ndarray of shape (n_shadows, n_records), dtype bool

    inside : bool
        Whether the IN or the OUT shadows count.

    Returns
    -------
    squares : ndarray of shape (n_records,)

    count : ndarray of shape (n_records,)
    """
    return side_sum(((row - mean) ** 2 for row in signals), members, inside)


def within_record_variance(mean, signals, members, inside, *, bounded=False):
    """Variance around the mean of each record, pooled over records.

    Parameters
    ----------
    mean : ndarray of shape (n_records,)
        Mean of that side.

    signals : ndarray of shape (n_shadows, n_records)

    members : ndarray of shape (n_shadows, n_records), dtype bool

    inside : bool
        Whether the IN or the OUT shadows count.

    bounded : bool, default=False
        Whether no record counts for more than :func:`bounded_squares` leaves of its
        variance.

    Returns
    -------
    variance : float
        Sum of squares over the cells, divided by cells minus records; NaN if no
        record has two cells.
    """
    squares, count = squares_around(mean, signals, members, inside)
    freedom = np.maximum(count - 1, 0)
    if bounded:
        squares = freedom * bounded_squares(squares / np.maximum(freedom, 1))
    return squares.sum() / freedom.sum() if freedom.any() else np.nan


def bounded_squares(squares):
    """Squares, none of them larger than 100 times the median of those above 0.

    Parameters
    ----------
    squares : ndarray of shape (n_records,)

    Returns
    -------
    squares : ndarray of shape (n_records,)
    """
    above = squares[squares > 0]
    most = _MOST_TIMES_MEDIAN * np.median(above) if len(above) else 0.0
    return np.minimum(squares, most)


class LiRA(BaseShadowAttack):
    r"""Likelihood ratio attack: does the target answer like models with the record.

    For each record, shadow models that trained on it (IN) and shadow models that did
    not (OUT) give two normal distributions of the signal, its logit :math:`\varphi`;
    the score is the log of their ratio at the target's logit:

    .. math:: s = \log N(\varphi; \mu_{in}, \sigma_{in}^2)
                - \log N(\varphi; \mu_{out}, \sigma_{out}^2)

    With few shadows the weakest number in it is the distance of the two means. So the
    gap :math:`d = \mu_{in} - \mu_{out}` is drawn to the mean gap of records with a like
    :math:`\mu_{out}`, as far as the shadows leave it uncertain, and both sides get one
    variance:

    .. math:: s = \frac{d'}{\sigma^2}
                  \Big(\varphi - \frac{\mu_{in} + \mu_{out}}{2}\Big), \quad
              \sigma^2 = \tfrac12 (\sigma_{in}^2 + \sigma_{out}^2)

    From 64 shadows on, which tell the two variances of a record apart, the two
    distributions lie :math:`d'` apart around the middle of both means, each with its
    own:

    .. math:: s = \log N\big(\varphi; m + \tfrac{d'}{2}, \sigma_{in}^2\big)
                - \log N\big(\varphi; m - \tfrac{d'}{2}, \sigma_{out}^2\big), \quad
              m = \tfrac12 (\mu_{in} + \mu_{out})

    Offline, with OUT shadows only, it is the one-sided
    :math:`s = (\varphi - \mu_{out}) / \sigma_{out}`: an answer far *below* that of
    models without the record is no sign of membership.

    Of a regressor :math:`\varphi` is the residual, value less prediction, and models
    with the record have one nearer to 0, from either side. There :math:`d'` is the
    share of :math:`\mu_{out}` that training takes off it, on average over records with
    about as large a one, and the third formula holds with any number of shadows.
    Offline the score is how far the target's residual is from :math:`\mu_{out}` towards
    0.

    Parameters
    ----------
    target_estimator : classifier or regressor
        The fitted model under attack. Never refitted, never changed; a clone of the
        attack keeps it by identity.

    shadow_estimator : estimator or None, default=None
        The recipe of the shadows, cloned for each; None takes the target's (what a
        `FrozenEstimator` holds, the `best_estimator_` of a search).

    mode : {"auto", "online", "offline"}, default="auto"
        "auto" scores records of the pool with their IN and OUT shadows, others by
        their OUT shadows on the same scale: one shadow of each pair plays IN, raised
        by the mean gap between IN and OUT that the pool shows at such a record.
        "online" refuses records outside the pool. "offline" uses OUT shadows alone,
        for every record.

    variance : {"auto", "pooled", "per_record", "shrunk"}, default="auto"
        "pooled" is one variance for IN and one for OUT, within records. "per_record"
        needs many shadows: with few it falls below the plain loss attack. "shrunk" is
        that of the record drawn to the pooled one, which counts as 4 shadows. "auto"
        is pooled below 64 shadows (shrunk of a regressor), from there on per record,
        and shrunk where the gap of a classifier is.

    gap : {"shrunk", "per_record"}, default="shrunk"
        "shrunk" is the second formula where the variance is pooled, else the third;
        "per_record" is the first, that of the paper. Without effect offline.

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
    RMIA : Stronger with few shadows on most models.
    ThresholdAttack : The same signal without shadows.

    Notes
    -----
    The variance of a record is never taken below a tenth of the pooled one, and that of
    IN shadows of a regressor not below a hundredth of that of OUT shadows. What is
    pooled over the records of a regressor counts none of them for more than 100 times
    the median: one absurd value to predict would decide it. A record without IN (or
    OUT) cells takes them from its other side, by the mean gap.

    References
    ----------
    .. [1] N. Carlini, S. Chien, M. Nasr, S. Song, A. Terzis and F. Tramer, 2022,
       "Membership inference attacks from first principles".

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import LiRA, as_records
    >>> X, y = make_classification(400, flip_y=0.2, random_state=0)
    >>> model = RandomForestClassifier(20, random_state=0).fit(X[:200], y[:200])
    >>> records, is_member = as_records(X, y), [True] * 200 + [False] * 200
    >>> attack = LiRA(model, n_shadows=8, random_state=0).fit(records)
    >>> attack.score(records, is_member) > 0.9
    True
    """

    explanation = (
        "Compares the answer for a record with those of models trained with the "
        "record and of models trained without it."
    )
    _parameter_constraints: dict = {
        **BaseShadowAttack._parameter_constraints,
        "mode": [StrOptions({"auto", "online", "offline"})],
        "variance": [StrOptions({"auto", "pooled", "per_record", "shrunk"})],
        "gap": [StrOptions({"shrunk", "per_record"})],
    }
    has_regression = True

    def __init__(
        self,
        target_estimator=None,
        *,
        shadow_estimator=None,
        mode="auto",
        variance="auto",
        gap="shrunk",
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
        self.mode = mode
        self.variance = variance
        self.gap = gap
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

    @property
    def _gives_log_ratios(self):
        return self.mode != "offline"

    def _signal(self):
        return self._signals.compared

    def _calibrate(self, pool, signals, members):
        means = [side_mean(signals, members, inside) for inside in (True, False)]
        self._gap = (MeanShare if self._of_values else MeanGap)(*means)
        # With one cell a side a record shows no variance: take what the gap leaves.
        gap = means[0] - means[1]
        known = gap[np.isfinite(gap)]
        spare = 0.0
        if len(known) and self._of_values:
            spare = bounded_squares((known - np.median(known)) ** 2).mean() / 2
        elif len(known):
            spare = np.var(known) / 2
        tiny = _TINY_VARIANCE
        if self._of_values:
            # In the unit of the values.
            squares = means[1][means[1] != 0] ** 2
            tiny *= np.nanmedian(squares) if np.isfinite(squares).any() else 1.0
        self._var_in, self._var_out = (
            max(spare if np.isnan(v) else v, tiny)
            for v in (
                within_record_variance(
                    mean, signals, members, inside, bounded=self._of_values
                )
                for mean, inside in zip(means, (True, False), strict=True)
            )
        )
        if self._of_values:
            self._var_in = max(self._var_in, _LEAST_SHARE_OF_OUT * self._var_out)
            return
        # Of the gaps around that of their like, what sampling does not explain.
        around = gap - self._gap.above(means[1])
        seen = np.isfinite(around)
        self._spread_of_gap = 0.0
        if seen.any():
            sampling = self._variance_of_gap(signals, members)[seen].mean()
            self._spread_of_gap = max(np.var(around[seen]) - sampling, 0.0)

    def _score(self, target, signals, members, in_pool):
        if self.mode == "offline":
            members = members & in_pool
            mean_out = side_mean(signals, members, False)
            var_out = self._variance(self._var_out, mean_out, signals, members, False)
            towards = 1.0
            if self._of_values:
                towards = -np.sign(mean_out)
            return towards * (target - mean_out) / np.sqrt(var_out)
        mean_in = side_mean(signals, members, True)
        mean_out = side_mean(signals, members, False)
        var_in = self._variance(self._var_in, mean_in, signals, members, True)
        var_out = self._variance(self._var_out, mean_out, signals, members, False)
        mean_in, mean_out = self._gap.complete(mean_in, mean_out, in_pool)
        sides, like = (mean_in, var_in, mean_out, var_out), self._gap.above(mean_out)
        if self.gap == "per_record":
            return log_likelihood_ratio(target, *sides)
        if self._of_values:
            return ratio_around_the_middle(target, *sides, like)
        sampling = self._variance_of_gap(signals, members)
        gap = shrunk_gap(mean_in - mean_out, like, sampling, self._spread_of_gap)
        if self._variance_used(members) != "pooled":
            return ratio_around_the_middle(target, *sides, gap)
        variance = (var_in + var_out) / 2
        return ratio_of_equal_variances(target, mean_in, mean_out, gap, variance)

    def _variance_of_gap(self, signals, members):
        """Sampling variance of IN mean less OUT mean, infinite without a side."""
        total = np.zeros(members.shape[1])
        for variance, inside in ((self._var_in, True), (self._var_out, False)):
            with np.errstate(divide="ignore"):
                total += variance / side_count(signals, members, inside)
        return total

    def _variance_used(self, members):
        if self.variance != "auto":
            return self.variance
        if len(members) < _PER_RECORD_FROM:
            return "shrunk" if self._of_values else "pooled"
        draws_gap = self.gap == "shrunk" and self.mode != "offline"
        return "shrunk" if draws_gap and not self._of_values else "per_record"

    def _variance(self, pooled, mean, signals, members, inside):
        variance = self._variance_used(members)
        if variance == "pooled":
            return pooled
        squares, count = squares_around(mean, signals, members, inside)
        if variance == "shrunk":
            freedom = np.maximum(count - 1, 0)
            return (_PRIOR_SHADOWS * pooled + squares) / (_PRIOR_SHADOWS + freedom)
        own = np.divide(
            squares, count, out=np.full(len(count), pooled), where=count > 1
        )
        return np.maximum(own, _SMALLEST_SHARE_OF_POOLED * pooled)
