"""The attack that learns membership from shadow models."""

from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GroupKFold
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils._param_validation import HasMethods, StrOptions

from sklearn_mia._compat import set_random_states
from sklearn_mia.attacks._supervised import membership_scores
from sklearn_mia.base import BaseAttack, BaseShadowAttack
from sklearn_mia.shadows import root_seed

_FEWEST_PER_SIDE = 20
_TOP = 3


def full_response(log_proba, codes):
    """Probability of every class, in the order of the classes.

    Parameters
    ----------
    log_proba : ndarray of shape (n_records, n_classes)

    codes : ndarray of shape (n_records,)
        Not used.

    Returns
    -------
    response : ndarray of shape (n_records, n_classes)
    """
    return np.exp(log_proba)


def top_response(log_proba, codes, n_top=_TOP):
    """Largest probabilities, sorted from the largest down.

    Parameters
    ----------
    log_proba : ndarray of shape (n_records, n_classes)

    codes : ndarray of shape (n_records,)
        Not used.

    n_top : int, default=3

    Returns
    -------
    response : ndarray of shape (n_records, min(n_top, n_classes))
    """
    return -np.sort(-np.exp(log_proba), axis=1)[:, :n_top]


class ShadowModelAttack(BaseShadowAttack):
    """Learn on shadow models, whose members are known, how members are answered.

    Every shadow gives examples: its response to a record, and whether it trained on
    it. A classifier learns membership from them, one for each class label, and judges
    the target's responses. It knows nothing of a single record's difficulty, so it is
    rarely better than a threshold with class-wise calibration; it stays the classic
    that others are compared with. Records outside the pool are scored as well as
    those in it, without the shadows.

    Parameters
    ----------
    target_estimator : classifier
        The fitted model under attack. Never refitted, never changed; a clone of the
        attack keeps it by identity.

    shadow_estimator : estimator or None, default=None
        The recipe of the shadows, cloned for each; None takes the target's (what a
        `FrozenEstimator` holds, the `best_estimator_` of a search).

    attack_estimator : classifier or None, default=None
        Learns membership from responses. None is a
        :class:`~sklearn.ensemble.HistGradientBoostingClassifier` of 100 rounds. A
        search such as `GridSearchCV` whose `cv` is None or a number of folds tunes on
        folds of whole shadows.

    responses : {"full", "top3"}, default="full"
        "full": the probability of every class (Shokri et al.). "top3": the three
        largest, sorted (Salem et al.).

    per_class : bool, default=True
        Whether each class label gets an attack model of its own. A class with fewer
        than 20 IN or 20 OUT examples uses the model of all classes, which sees the
        label as one-hot columns.

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

    attack_models_ : list of classifier
        The attack model of each class of the target; the same object where classes
        share one.

    shadow_signals_ : ndarray of shape (n_shadows, n_records, n_responses)
        Response of each shadow for each record of the pool, NaN where the shadow
        never saw its class. Not pickled when models are not kept.

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
    SupervisedAttack : Learns from known members of the target itself.
    RMIA : Uses the same shadows record by record.

    References
    ----------
    .. [1] R. Shokri, M. Stronati, C. Song and V. Shmatikov, 2017, "Membership
       inference attacks against machine learning models".
    .. [2] A. Salem, Y. Zhang, M. Humbert, P. Berrang, M. Fritz and M. Backes, 2019,
       "ML-Leaks: model and data independent membership inference attacks and
       defenses on machine learning models".

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import ShadowModelAttack, as_records
    >>> X, y = make_classification(400, flip_y=0.2, random_state=0)
    >>> model = RandomForestClassifier(20, random_state=0).fit(X[:200], y[:200])
    >>> records, is_member = as_records(X, y), [True] * 200 + [False] * 200
    >>> attack = ShadowModelAttack(model, n_shadows=4, random_state=0).fit(records)
    >>> attack.score(records, is_member) > 0.8
    True
    """

    explanation = (
        "Trains models of its own, whose members it knows, and learns from them how "
        "members are answered."
    )
    _parameter_constraints: dict = {
        **BaseShadowAttack._parameter_constraints,
        "attack_estimator": [HasMethods(["fit", "predict"]), None],
        "responses": [StrOptions({"full", "top3"})],
        "per_class": ["boolean"],
    }

    def __init__(
        self,
        target_estimator=None,
        *,
        shadow_estimator=None,
        attack_estimator=None,
        responses="full",
        per_class=True,
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
        self.attack_estimator = attack_estimator
        self.responses = responses
        self.per_class = per_class
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

    # Only the responses of the target are scored.
    _asks_models = False

    def _signal(self):
        return full_response if self.responses == "full" else top_response

    def _calibrate(self, pool, signals, members):
        self.attack_models_ = self._fitted_models(signals, members, pool.codes)

    def _target_signal(self, queries):
        return np.column_stack([super()._target_signal(queries), queries.codes])

    def _score(self, target, signals, members, in_pool):
        return self._scored(target[:, :-1], target[:, -1].astype(int))

    def _references(self, pool, scores, is_member):
        if is_member is None:
            crossed = self._cross_fitted(pool.codes)
            return crossed or BaseAttack._references(self, pool, scores, None)
        return super()._references(pool, scores, is_member)

    def _fitted_models(self, signals, members, codes):
        """Attack model of each class, from the examples of all shadows."""
        n_shadows, n_records = members.shape
        shadow = np.repeat(np.arange(n_shadows), n_records)
        flat = signals.reshape(n_shadows * n_records, -1)
        usable = np.isfinite(flat).all(axis=1)
        label = np.tile(codes, n_shadows)[usable]
        flat, member, shadow = flat[usable], members.ravel()[usable], shadow[usable]
        n_classes = len(self._responder.classes)
        models = [None] * n_classes
        for c in range(n_classes) if self.per_class else ():
            own = label == c
            if min(np.sum(member[own]), np.sum(~member[own])) >= _FEWEST_PER_SIDE:
                models[c] = self._fitted(flat[own], member[own], shadow[own])
        if any(model is None for model in models):
            table = np.hstack([flat, np.eye(n_classes)[label]])
            self._pooled = self._fitted(table, member, shadow)
            models = [self._pooled if model is None else model for model in models]
        else:
            self._pooled = None
        return models

    def _fitted(self, table, member, shadow):
        estimator = self.attack_estimator
        if estimator is None:
            estimator = HistGradientBoostingClassifier(early_stopping=False)
        estimator = clone(estimator)
        seed = root_seed(self.random_state) % 2**32
        set_random_states(estimator, np.random.RandomState(seed))
        if not isinstance(estimator, BaseSearchCV):
            return estimator.fit(table, member)
        # Examples of one shadow are not independent: whole shadows make a fold.
        if estimator.cv is None or isinstance(estimator.cv, Integral):
            n_folds = min(estimator.cv or 5, len(np.unique(shadow)))
            estimator.set_params(cv=GroupKFold(n_folds))
        return estimator.fit(table, member, groups=shadow)

    def _scored(self, response, codes):
        n_classes = len(self._responder.classes)
        scores = np.empty(len(codes))
        for c in np.unique(codes):
            own, model = codes == c, self.attack_models_[c]
            table = response[own]
            if model is self._pooled:
                table = np.hstack([table, np.eye(n_classes)[codes[own]]])
            scores[own] = membership_scores(model, table)
        return scores

    def _cross_fitted(self, codes):
        """OUT examples, scored by attack models that saw other shadows only."""
        signals, members = self.shadow_signals_, self.shadow_members_
        half = np.arange(len(members)) // 2 % 2 == 0
        if half.all():
            return []
        kept, found = (self.attack_models_, self._pooled), []
        for train in (half, ~half):
            self.attack_models_ = self._fitted_models(
                signals[train], members[train], codes
            )
            shadow = np.flatnonzero(~train)[0]
            out = ~members[shadow] & np.isfinite(signals[shadow]).all(axis=1)
            values = self._scored(signals[shadow][out], codes[out])
            found.append((np.flatnonzero(out), values))
        self.attack_models_, self._pooled = kept
        return found

    def _score_queries(self, queries):
        return self._score(self._target_signal(queries), None, None, None)
