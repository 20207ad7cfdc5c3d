"""The attack that watches the loss of a record along the stages of boosting."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from scipy.special import logsumexp
from sklearn.ensemble import AdaBoostClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils._param_validation import Interval

from sklearn_mia.base import MeanGap, side_mean
from sklearn_mia.base._without_shadows import BaseOptionalShadowAttack
from sklearn_mia.models import open_model
from sklearn_mia.readers import Reader, own_column
from sklearn_mia.tables import own_copy, take

_SMALLEST_PROBABILITY = 1e-15
_MOST_TRAINING_RECORDS = 5000


def log_spaced_stages(n_rounds, n_stages):
    """Numbers of boosting rounds, evenly spaced in the logarithm, from 1 to all.

    Parameters
    ----------
    n_rounds : int
        Rounds of the model.

    n_stages : int

    Returns
    -------
    stages : ndarray of shape (n_stages,), dtype int
        A stage is repeated where the model has too few rounds.

    Examples
    --------
    >>> from sklearn_mia.attacks._trajectory import log_spaced_stages
    >>> log_spaced_stages(100, 5)
    array([  1,   3,  10,  32, 100])
    """
    return np.rint(n_rounds ** np.linspace(0, 1, n_stages)).astype(int)


def late_progress(path):
    r"""How far the last loss is below the mean of the trajectory.

    .. math:: \log p_y^{(T)} - \frac1S \sum_{s=1}^{S} \log p_y^{(t_s)}

    The early stages fit what records have in common and tell how hard the record is;
    what the late ones add to it, they add to records that they were trained on.

    Parameters
    ----------
    path : ndarray of shape (n_records, n_stages)
        Log-probability of the true label at each stage.

    Returns
    -------
    score : ndarray of shape (n_records,)
        Higher = more likely a member.
    """
    return path[:, -1] - path.mean(axis=1)


def _is_xgboost(model):
    return hasattr(model, "get_booster") and hasattr(model, "get_xgb_params")


def _is_lightgbm(model):
    return hasattr(model, "booster_") and hasattr(model, "best_iteration_")


def staged_log_proba(model, features, n_stages):
    """Log-probabilities of each class at log-spaced stages of boosting.

    Parameters
    ----------
    model : fitted classifier
        Boosting with `staged_predict_proba`, of XGBoost or of LightGBM; also inside a
        pipeline, a search or a `FrozenEstimator`.

    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    n_stages : int

    Returns
    -------
    log_proba : ndarray of shape (n_records, n_classes, n_stages)
    """
    opened = open_model(model, own_copy(features))
    model, features = opened.classifier, opened.features
    if _is_xgboost(model):
        rounds = model.get_booster().num_boosted_rounds()
        # Set by early stopping alone.
        rounds = getattr(model, "best_iteration", rounds - 1) + 1
        answers = _asked(
            log_spaced_stages(rounds, n_stages),
            lambda t: model.predict(
                features, output_margin=True, iteration_range=(0, int(t))
            ),
        )
    elif _is_lightgbm(model):
        rounds = model.best_iteration_ or model.booster_.current_iteration()
        answers = _asked(
            log_spaced_stages(rounds, n_stages),
            lambda t: model.predict(features, raw_score=True, num_iteration=int(t)),
        )
    elif getattr(model, "loss", None) == "log_loss":
        answers = _collected(model.staged_decision_function, features, n_stages)
    elif isinstance(model, AdaBoostClassifier):
        answers = _collected(lambda X: _sums_of_votes(model, X), features, n_stages)
    else:
        answers = _collected(model.staged_predict_proba, features, n_stages)
        proba = np.stack(answers, axis=-1)
        return np.log(np.maximum(proba, _SMALLEST_PROBABILITY))
    return np.stack([_log_softmax(a) for a in answers], axis=-1)


def _asked(stages, ask):
    answers = {t: ask(t) for t in np.unique(stages)}
    return [answers[t] for t in stages]


def _collected(staged, features, n_stages):
    n_rounds = sum(1 for _ in staged(take(features, [0])))
    stages = log_spaced_stages(n_rounds, n_stages)
    wanted = set(stages.tolist())
    answers = {t: a for t, a in enumerate(staged(features), start=1) if t in wanted}
    return [answers[t] for t in stages]


def _sums_of_votes(model, features):
    # The model divides them by the sum of the weights: no stage would be surer.
    n_classes = len(model.classes_)
    scale = np.cumsum(model.estimator_weights_) / (n_classes - 1)
    scale = scale / 2 if n_classes == 2 else scale
    staged = model.staged_decision_function(features)
    for decision, factor in zip(staged, scale, strict=False):
        yield np.asarray(decision) * factor


def _log_softmax(decision):
    decision = np.asarray(decision, dtype=np.float64)
    decision = decision.reshape(len(decision), -1)
    if decision.shape[1] == 1:
        decision = np.hstack([np.zeros_like(decision), decision])
    return decision - logsumexp(decision, axis=1, keepdims=True)


@dataclass(frozen=True)
class StagedReader(Reader):
    """Ask a boosting model for the loss of records at its stages.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Classes of the target.

    n_stages : int
    """

    classes: np.ndarray
    n_stages: int

    @property
    def name(self):
        """What an answer depends on besides the shadow, for the cache."""
        return f"{self.n_stages} stages"

    def ask(self, model, seen, features, codes=None, members=None):
        """Log-probabilities at all stages.

        Parameters
        ----------
        model : fitted classifier

        seen : ndarray of shape (n_seen,)

        features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

        codes, members : object, default=None
            Not used.

        Returns
        -------
        answer : ndarray of shape (n_records, n_seen, n_stages)
        """
        return staged_log_proba(model, features, self.n_stages)

    def read(self, answer, seen, codes):
        """Read the log-probability of the true label.

        Parameters
        ----------
        answer : ndarray of shape (n_records, n_seen, n_stages)

        seen : ndarray of shape (n_seen,)

        codes : ndarray of shape (n_records,)

        Returns
        -------
        path : ndarray of shape (n_records, n_stages)
            NaN for a record whose class the model never saw.
        """
        own = own_column(codes, seen)
        path = answer[np.arange(len(codes)), own]
        return np.where(own[:, None] < 0, np.nan, path)


class TrajectoryAttack(BaseOptionalShadowAttack):
    r"""Attack a boosting model by the loss of a record along its stages.

    The stages of boosting are models of growing capacity that come with the target:
    an early one knows what a record has in common with others, a late one what it
    remembers of its own records. With :math:`\ell_s = \log p_y` at S stages, evenly
    spaced in the logarithm of the number of rounds:

    - without shadows the score is :math:`\ell_S - \frac1S \sum_s \ell_s`, the late
      progress. It costs one pass over the stages.
    - with shadows each :math:`\ell_s` is compared with the mean over models with and
      without the record, :math:`\ell_s - \log \tfrac12 (\bar p_{in} + \bar p_{out})`,
      and a logistic regression, trained where shadows play the target, weighs the
      stages.

    Parameters
    ----------
    target_estimator : classifier
        The fitted model under attack: a `GradientBoostingClassifier`,
        `HistGradientBoostingClassifier` or `AdaBoostClassifier`, an `XGBClassifier` or
        `LGBMClassifier`, also as the last step of a pipeline. Never refitted, never
        changed; a clone of the attack keeps it by identity.

    shadow_estimator : estimator or None, default=None
        The recipe of the shadows, cloned for each; None takes the target's (what a
        `FrozenEstimator` holds, the `best_estimator_` of a search).

    n_stages : int, default=20
        Stages asked, from the first round to the last.

    n_shadows : int, default=0
        Shadow models to train, each at the processor time of a fit of the whole target
        and its answers for the pool; even, since they come in complementary pairs.
        0 does without.

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

    max_fpr : float, default=0.05
        Share of the reference non-members, a fraction in [0, 1), that `predict` may
        call members. The reference is the known non-members, else without shadows the
        whole pool, or what shadows say of records that they did not see; that holds
        for a target trained, like them, on about half of the pool.

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

    stage_weights_ : ndarray of shape (n_stages,)
        Weights of the stages in the score.

    shadow_signals_ : ndarray of shape (n_shadows, n_records, n_stages)
        Log-probability of the true label at each stage of each shadow, for each
        record of the pool; NaN where the shadow never saw its class. Not pickled when
        models are not kept.

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
    RMIA : The last stage alone, with shadows.

    Notes
    -----
    The paper distils the target to get a trajectory; the stages of boosting are that
    of the target itself. Where the first stages remember their records already
    (AdaBoost over deep trees) there is no late progress: use shadows.

    The stages of AdaBoost are sums of weighted votes, read as log-odds.

    The stages are those of the boosting model inside any wrapper. A calibrated model
    with a single inner one, a :class:`~sklearn_mia.CoarsenedClassifier` or another
    defence that changes answers alone leaves the scores without shadows as they are:
    this is the attack of somebody who holds the model. What can be told from the
    answers of the wrapper, another attack shows, such as RMIA.

    References
    ----------
    .. [1] Y. Liu, Z. Zhao, M. Backes and Y. Zhang, 2022, "Membership inference attacks
       by exploiting loss trajectory".

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import GradientBoostingClassifier
    >>> from sklearn_mia import as_records
    >>> from sklearn_mia import TrajectoryAttack
    >>> X, y = make_classification(400, flip_y=0.2, random_state=0)
    >>> model = GradientBoostingClassifier(random_state=0).fit(X[:200], y[:200])
    >>> records, is_member = as_records(X, y), [True] * 200 + [False] * 200
    >>> attack = TrajectoryAttack(model).fit(records)
    >>> attack.score(records, is_member) > 0.75
    True
    """

    explanation = (
        "Follows the error on a record from stage to stage of a boosting model: "
        "what falls late was learned from few records."
    )
    _parameter_constraints: dict = {
        **BaseOptionalShadowAttack._parameter_constraints,
        "n_stages": [Interval(Integral, 2, None, closed="left")],
    }
    del _parameter_constraints["response_method"]
    response_method = "auto"

    def __init__(
        self,
        target_estimator=None,
        *,
        shadow_estimator=None,
        n_stages=20,
        n_shadows=0,
        keep_models=True,
        memory=None,
        label_column="auto",
        member_label=None,
        max_fpr=0.05,
        n_jobs=None,
        timeout=None,
        random_state=None,
    ):
        self.target_estimator = target_estimator
        self.shadow_estimator = shadow_estimator
        self.n_stages = n_stages
        self.n_shadows = n_shadows
        self.keep_models = keep_models
        self.memory = memory
        self.label_column = label_column
        self.member_label = member_label
        self.max_fpr = max_fpr
        self.n_jobs = n_jobs
        self.timeout = timeout
        self.random_state = random_state

    @classmethod
    def handles(cls, model):
        """Tell whether a model has stages that can be asked: boosting, in any wrappers.

        Parameters
        ----------
        model : fitted classifier
            The target in question.

        Returns
        -------
        handles : bool
            Where it is False a fit raises TypeError, and so does an audit.
        """
        inner = open_model(model).classifier
        staged = hasattr(inner, "staged_predict_proba")
        known = staged or _is_xgboost(inner) or _is_lightgbm(inner)
        return known and super().handles(model)

    def _check_handled(self):
        self._check_kind()
        if not self.handles(self.target_estimator):
            name = type(open_model(self.target_estimator).classifier).__name__
            raise TypeError(
                f"TrajectoryAttack got a target {name}, whose stages cannot be asked. "
                "It takes the boosting of scikit-learn, XGBoost and LightGBM, also as "
                "the last step of a pipeline. For others use RMIA."
            )

    def _fit_target(self, X):
        self.stage_weights_ = np.full(self.n_stages, -1 / self.n_stages)
        self.stage_weights_[-1] += 1
        return super()._fit_target(X)

    def _reader(self):
        return StagedReader(self._responder.classes, self.n_stages)

    def _calibrate(self, pool, signals, members):
        self._gaps = [
            MeanGap(*_mean_probabilities(signals[:, :, s], members))
            for s in range(self.n_stages)
        ]
        some = slice(None, None, max(1, members.shape[1] // _MOST_TRAINING_RECORDS))
        signals, members = signals[:, some], members[:, some]
        everywhere = np.ones(members.shape[1], dtype=bool)
        paths, is_member = [], []
        for shadow, others in self._stand_ins(len(members)):
            path = self._calibrated(
                signals[shadow], signals[others], members[others], everywhere
            )
            usable = np.isfinite(path).all(axis=1)
            paths.append(path[usable])
            is_member.append(members[shadow, usable])
        self.stage_weights_ = _learned_weights(paths, is_member, self.n_stages)
        # To score a stand-in fairly: weights that did not see it.
        self._weights_without = [
            _learned_weights(
                paths[:left_out] + paths[left_out + 1 :],
                is_member[:left_out] + is_member[left_out + 1 :],
                self.n_stages,
            )
            for left_out in range(len(paths))
        ]

    def _calibrated(self, target, signals, members, in_pool):
        """Loss at each stage, minus that of the average model."""
        path = np.empty_like(target)
        for s, gap in enumerate(self._gaps):
            means = _mean_probabilities(signals[:, :, s], members)
            sides = np.clip(gap.complete(*means, in_pool), 0.0, 1.0)
            mean = np.maximum(np.mean(sides, axis=0), _SMALLEST_PROBABILITY)
            path[:, s] = target[:, s] - np.log(mean)
        return path

    def _score(self, target, signals, members, in_pool):
        if not len(signals):
            return late_progress(target)
        path = self._calibrated(target, signals, members, in_pool)
        return path @ self.stage_weights_

    def _log_proba_of_shadows(self):
        return self.shadow_signals_[:, :, -1]

    def _score_stand_in(self, number, target, signals, members):
        in_pool = np.ones(len(target), dtype=bool)
        path = self._calibrated(target, signals, members, in_pool)
        return path @ self._weights_without[number]


def _mean_probabilities(losses, members):
    """Mean probability over the IN and over the OUT shadows."""
    return [side_mean(map(np.exp, losses), members, side) for side in (True, False)]


def _learned_weights(paths, is_member, n_stages):
    """Weights of the stages; without anything to learn from, the last alone."""
    paths = np.concatenate(paths) if paths else np.empty((0, 0))
    is_member = np.concatenate(is_member) if is_member else np.empty(0)
    if len(np.unique(is_member)) < 2:
        return np.eye(n_stages)[-1]
    scale = paths.std(axis=0)
    scale[scale == 0] = 1.0
    model = LogisticRegression(max_iter=1000).fit(paths / scale, is_member)
    return model.coef_[0] / scale
