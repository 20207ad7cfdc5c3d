"""The robust membership inference attack."""

from functools import partial
from numbers import Integral, Real

import numpy as np
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_mia.base import BaseShadowAttack, MeanGap, side_mean
from sklearn_mia.models import thin_recipe
from sklearn_mia.signals import loss

_OFFLINE_A_GRID = np.linspace(0, 1, 11)
_MOST_TUNING_RECORDS = 5000
_THIN = 10
_SMALLEST_MEAN = 1e-300


def tempered_loss(log_proba, codes, temperature):
    r"""Log-probability of the true label, tempered: :math:`p_j \propto p_j^{1/T}`.

    Parameters
    ----------
    log_proba : ndarray of shape (n_records, n_classes)

    codes : ndarray of shape (n_records,)

    temperature : float
        T; 1 leaves the probabilities as they are.

    Returns
    -------
    signal : ndarray of shape (n_records,)
        Higher = more likely a member.
    """
    tempered = log_proba / temperature
    return loss(tempered, codes) - logsumexp(tempered, axis=1)


def offline_mean(mean_out, a):
    r"""Mean probability over IN and OUT models when only OUT models are known.

    .. math:: \bar p = \tfrac12 \left[(1 + a) \bar p_{out} + (1 - a)\right]

    from :math:`p_{in} \approx a\, p_{out} + (1 - a)`.

    Parameters
    ----------
    mean_out : ndarray of shape (n_records,)

    a : float
        0: members are fitted perfectly; 1: as if they had not been trained on.

    Returns
    -------
    mean : ndarray of shape (n_records,)
    """
    return 0.5 * ((1 + a) * mean_out + (1 - a))


def median_out(signals, members):
    """Median squared error of OUT shadows, the variance of a regressor's density.

    Parameters
    ----------
    signals : ndarray of shape (n_shadows, n_records)
        Negative squared errors.

    members : ndarray of shape (n_shadows, n_records), dtype bool

    Returns
    -------
    square : float
        Above 0: where most are 0 the mean, and 1 where all are.
    """
    out = -signals[~members]
    out = out[np.isfinite(out)]
    for middle in (np.median, np.mean) if len(out) else ():
        if (square := float(middle(out))) > 0:
            return square
    return 1.0


class RMIA(BaseShadowAttack):
    r"""Robust membership inference attack: the target against the average model.

    The score compares the target's probability of the true label, whose log is the
    signal, with the mean over models with (IN) and without (OUT) the record:

    .. math:: s = \log p_{target} - \log \bar p, \quad
              \bar p = \tfrac12 (\bar p_{in} + \bar p_{out})

    The paper counts the population records z with
    :math:`\text{ratio}(x) / \text{ratio}(z) \ge \gamma`; since the population and
    :math:`\gamma` are the same for all records, the count is a step function of this
    ratio and ranks records alike, with more ties. Strong with few shadows; the two
    sides count equally, so that the number of IN models of a record tells nothing.

    Of a regressor p is the density of a normal distribution at the value y, around the
    prediction f, up to a factor: :math:`\log p = -(y - f)^2 / (2 \sigma^2)`, with
    :math:`\sigma` the median absolute error of OUT shadows in the pool. (A ratio of the
    errors themselves finds nothing at low false-alarm rates.)

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
        for every record: :math:`\bar p = \frac12 [(1+a) \bar p_{out} + (1-a)]`.

    offline_a : float in [0, 1] or "auto", default="auto"
        The a of `mode="offline"`, from :math:`p_{in} \approx a\,p_{out} + 1 - a`: 0
        for models that fit their records perfectly, 1 for models that hardly notice
        them. "auto" takes the a of the best AUC when shadows play the target.

    temperature : float, default=1.0
        Probabilities are raised to 1 / temperature and normalised first; of a regressor
        it is a factor of :math:`\sigma^2`.

    n_shadows : int, default=16
        Shadow models to train, each at the processor time of a fit of the whole target
        and its answers for the pool; even, since they come in complementary pairs.

    trees_per_shadow : int, "auto" or None, default="auto"
        For averaging ensembles (forests, extra trees, bagging, also as the last step
        of a pipeline): train more shadows of fewer trees for the same number of
        trees, ``n_shadows * n_estimators / trees_per_shadow`` of them. The mean over
        shadows is the same and more data sets enter it. "auto" is 10; None trains
        shadows as large as the target. Without effect on other models. When membership
        is unknown, thin shadows put the threshold of `predict` on the safe side: fewer
        false alarms than `max_fpr` (about half).

    refit_preprocessing : bool, default=False
        Whether each thin shadow fits the steps of a pipeline before its classifier
        anew, as a full shadow does. False fits the first steps that see no label
        (encoders, imputers, scalers of scikit-learn) once on the whole pool, for all
        shadows, which saves most of their cost; steps that see the label, unknown
        steps and all that follow them stay in each shadow.

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

    n_shadows_ : int
        Shadows trained.

    offline_a_ : float or None
        The a in use; None unless ``mode="offline"``.

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
    LiRA : Models each record's answers by two normal distributions.

    References
    ----------
    .. [1] S. Zarifzadeh, P. Liu and R. Shokri, 2024, "Low-cost high-power membership
       inference attacks".
    .. [2] M. Lassila, J. Ostman, K.-H. Ngo and A. Graell i Amat, 2025, "Practical
       Bayes-optimal membership inference attacks" (BASE, the same ranking).

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import RMIA, as_records
    >>> X, y = make_classification(400, flip_y=0.2, random_state=0)
    >>> model = RandomForestClassifier(20, random_state=0).fit(X[:200], y[:200])
    >>> records, is_member = as_records(X, y), [True] * 200 + [False] * 200
    >>> attack = RMIA(model, n_shadows=4, random_state=0).fit(records)
    >>> attack.score(records, is_member) > 0.9
    True
    """

    explanation = (
        "Asks by how much the model's answer fits a record better than those of models "
        "like it do on average."
    )
    _parameter_constraints: dict = {
        **BaseShadowAttack._parameter_constraints,
        "mode": [StrOptions({"auto", "online", "offline"})],
        "offline_a": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "trees_per_shadow": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
            None,
        ],
        "refit_preprocessing": ["boolean"],
    }

    has_regression = True
    _gives_log_ratios = True

    def __init__(
        self,
        target_estimator=None,
        *,
        shadow_estimator=None,
        mode="auto",
        offline_a="auto",
        temperature=1.0,
        n_shadows=16,
        trees_per_shadow="auto",
        refit_preprocessing=False,
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
        self.offline_a = offline_a
        self.temperature = temperature
        self.n_shadows = n_shadows
        self.trees_per_shadow = trees_per_shadow
        self.refit_preprocessing = refit_preprocessing
        self.keep_models = keep_models
        self.memory = memory
        self.label_column = label_column
        self.member_label = member_label
        self.response_method = response_method
        self.max_fpr = max_fpr
        self.n_jobs = n_jobs
        self.timeout = timeout
        self.random_state = random_state

    def _recipe_and_number(self):
        recipe, self.n_shadows_ = super()._recipe_and_number()
        self._thin = False
        if self.trees_per_shadow is not None:
            auto = self.trees_per_shadow == "auto"
            n_trees = _THIN if auto else self.trees_per_shadow
            classes = self._responder.classes
            n_classes = None if classes is None else len(classes)
            thin, n_full = thin_recipe(recipe, n_trees, n_classes)
            if thin is not None and n_trees < n_full:
                recipe, self._thin = thin, True
                self.n_shadows_ = 2 * round(self.n_shadows * n_full / n_trees / 2)
        return recipe, self.n_shadows_

    def _signal(self):
        if self.temperature == 1 or self._of_values:
            return self._signals.loss
        return partial(tempered_loss, temperature=self.temperature)

    def _calibrate(self, pool, signals, members):
        self._width = 1.0
        if self._of_values:
            self._width = 2 * self.temperature * median_out(signals, members)
        signals = signals / self._width
        self._gap = MeanGap(
            *(side_mean(map(np.exp, signals), members, side) for side in (True, False))
        )
        self.offline_a_ = None
        if self.mode == "offline":
            a = self.offline_a
            self.offline_a_ = self._tuned_a(signals, members) if a == "auto" else a

    def _tuned_a(self, signals, members):
        """The a with the best mean AUC when shadows play the target."""
        some = slice(None, None, max(1, members.shape[1] // _MOST_TUNING_RECORDS))
        proba, members = np.exp(signals[:, some]), members[:, some]
        totals = np.zeros(len(_OFFLINE_A_GRID))
        for shadow, others in self._stand_ins(len(members)):
            mean_out = side_mean(proba[others], members[others], False)
            usable = np.isfinite(mean_out) & np.isfinite(proba[shadow])
            member = members[shadow, usable]
            if member.all() or not member.any():
                continue
            for i, a in enumerate(_OFFLINE_A_GRID):
                ratio = proba[shadow, usable] / offline_mean(mean_out[usable], a)
                totals[i] += roc_auc_score(member, ratio)
        return float(_OFFLINE_A_GRID[np.argmax(totals)])

    def _score(self, target, signals, members, in_pool):
        target, signals = target / self._width, signals / self._width
        if self.mode == "offline":
            mean_out = side_mean(map(np.exp, signals), members & in_pool, False)
            mean = offline_mean(mean_out, self.offline_a_)
        else:
            mean_in = side_mean(map(np.exp, signals), members, True)
            mean_out = side_mean(map(np.exp, signals), members, False)
            sides = self._gap.complete(mean_in, mean_out, in_pool)
            mean = 0.5 * np.sum(np.clip(sides, 0.0, 1.0), axis=0)
        return target - np.log(np.maximum(mean, _SMALLEST_MEAN))
