"""The attack on bagged forests: the arithmetic of bagging is the IN model."""

from numbers import Integral

import numpy as np
from scipy.special import gammaln
from scipy.stats import betabinom
from sklearn.ensemble import BaggingClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_mia.attacks._votes import VoteReader, vote_model
from sklearn_mia.base import BaseShadowAttack, MeanGap
from sklearn_mia.models import AVERAGING, open_model, thin_recipe
from sklearn_mia.shadows import root_seed
from sklearn_mia.tables import own_copy, take

_FEWEST_TREES, _MOST_TREES = 4, 12
_REFERENCES = 40
_LEAF_PURE = 0.99
_SMALLEST_EXCLUSION = 1e-3
_SMALLEST_CHOSEN_SHARE = 0.01
_IN_BAG_PRIOR = 20.0
_SMALLEST_SHARE_OF_GAP = 0.25
_LARGE = 1e250


def exclusion_probability(forest, n_records):
    r"""Probability that a tree of the forest does not see a record it was given.

    .. math:: q = e^{-s}

    with s the bootstrap sample size over the number of records: 1 by default.
    Without bootstrap it is the share left out, at least .001.

    Parameters
    ----------
    forest : forest or bagging classifier

    n_records : int
        Records that the forest was trained on.

    Returns
    -------
    q : float
    """
    drawn = forest.max_samples
    if drawn is None or drawn is True:
        share = 1.0
    else:
        share = drawn / n_records if isinstance(drawn, Integral) else float(drawn)
    q = np.exp(-share) if forest.bootstrap else 1 - min(share, 1.0)
    return float(max(q, _SMALLEST_EXCLUSION))


def exclusion_log_ratio(n_wrong, n_trees, q, alpha, beta):
    r"""Log-likelihood ratio of the number of wrong trees, member against non-member.

    A tree that saw a record classifies it rightly; a tree that did not is wrong with
    a probability that is Beta(beta, alpha) over forests. A member is left out by
    :math:`j \sim Bin(T, q)` trees:

    .. math:: s = \log \sum_{j=w}^{T} Bin(j; T, q)\, BetaBin(w; j, \beta, \alpha)
                - \log BetaBin(w; T, \beta, \alpha)

    Parameters
    ----------
    n_wrong : ndarray of shape (n_records,)
        Trees w of the target that are wrong about the record.

    n_trees : int
        Trees T of the target.

    q : float
        Probability that a tree leaves out a member.

    alpha, beta : ndarray of shape (n_records,)
        A tree without the record is right with probability Beta(alpha, beta).

    Returns
    -------
    ratio : ndarray of shape (n_records,)
        Higher = more likely a member.
    """
    w, odds = n_wrong, q / (1 - q)
    # The sum over j = w + k relative to its first term, innermost bracket first.
    total, unit, scale = np.ones(len(w)), np.ones(len(w)), np.zeros(len(w))
    for k in range(n_trees - 1, -1, -1):
        left = np.maximum(n_trees - w - k, 0)
        step = odds * left / (k + 1) * (k + alpha) / (k + w + alpha + beta)
        total = unit + step * total
        large = total > _LARGE
        if large.any():
            total[large] /= _LARGE
            unit[large] /= _LARGE
            scale[large] += np.log(_LARGE)
    first = w * np.log(q) + (n_trees - w) * np.log1p(-q)
    first += gammaln(alpha) - gammaln(w + alpha + beta)
    last = gammaln(n_trees - w + alpha) - gammaln(n_trees + alpha + beta)
    return first + np.log(total) + scale - last


def trees_per_reference(n_trees):
    """Trees of a reference forest, so that there are about 40 of them.

    Parameters
    ----------
    n_trees : int
        Of all references together.

    Returns
    -------
    n_trees : int
        From 4 to 12.
    """
    return min(max(n_trees // _REFERENCES, _FEWEST_TREES), _MOST_TREES)


def chosen_share(n_out, members, codes, n_trees, q, n_classes):
    """Share of the members of each class that references chose to train on.

    A member that no tree drew was not chosen, or left out by chance.

    Parameters
    ----------
    n_out : ndarray of shape (n_shadows, n_records)
        Trees of each reference that did not draw the record.

    members : ndarray of shape (n_shadows, n_records), dtype bool

    codes : ndarray of shape (n_records,)

    n_trees : int
        Trees of a reference.

    q : float
        Probability that a tree leaves out a member.

    n_classes : int

    Returns
    -------
    share : ndarray of shape (n_classes,)
    """
    undrawn, given = (
        np.bincount(codes, weights=cells.sum(axis=0), minlength=n_classes)
        for cells in (members & (n_out == n_trees), members)
    )
    undrawn = np.divide(undrawn, given, out=np.zeros(n_classes), where=given > 0)
    by_chance = q**n_trees
    share = 1 - (undrawn - by_chance) / (1 - by_chance)
    return np.clip(share, _SMALLEST_CHOSEN_SHARE, 1.0)


def _votes(model):
    if isinstance(model, BaggingClassifier):
        return isinstance(model.estimator, (DecisionTreeClassifier, type(None)))
    return isinstance(model, AVERAGING)


def _untold(opened):
    """What chooses among the records of a tree and does not tell which."""
    untold = [s for s in opened.samplers if not hasattr(s, "sample_indices_")]
    # Balanced forests of imbalanced-learn resample for each tree.
    return untold + [opened.classifier] * hasattr(
        opened.classifier, "sampling_strategy"
    )


class BaggingAttack(BaseShadowAttack):
    r"""Attack a bagged forest by the trees that cannot have seen a record.

    Each tree of a bagged forest leaves out a member with probability q = 1/e. A tree
    grown to purity is right about every record that it saw; so a member can have no
    more wrong trees than trees that left it out. The shadows, thin reference forests
    of a few trees on halves of the pool, tell how often a tree *without* the record is
    wrong, and the arithmetic of bagging gives the rest: a likelihood ratio of the
    number w of wrong trees of the target,

    .. math:: s = \log \sum_{j=w}^{T} Bin(j; T, q)\, BetaBin(w; j, \beta, \alpha)
                - \log BetaBin(w; T, \beta, \alpha)

    The trees of a reference that did not draw a record are OUT trees of it too.

    Where trees are not grown to purity (``min_samples_leaf=5``, say; the mean vote of
    trees for a record that they saw is below .99) the score is the ratio of the
    target's probability to the mean of a forest with and one without the record,

    .. math:: s = \log p_{target} - \log \tfrac12 (m + (1 - q) b + q m)

    with m the probability by OUT trees and b that by in-bag trees.

    Where a step of a pipeline chooses the records to train on, as the samplers of
    imbalanced-learn do, a member takes part with the share c of its class that the
    references chose, and the likelihood ratio is :math:`\log(c\, e^s + 1 - c)`.

    Parameters
    ----------
    target_estimator : classifier
        The fitted model under attack: a random forest, extra trees, or bagging of
        decision trees, also as the last step of a pipeline. Never refitted, never
        changed; a clone of the attack keeps it by identity.

    shadow_estimator : estimator or None, default=None
        The recipe of the shadows, cloned for each; None takes the target's (what a
        `FrozenEstimator` holds, the `best_estimator_` of a search).

    n_trees : int, default=400
        Trees to train in all. 400 cost as much processor time as training a forest of
        100 trees and asking it for the pool 4.3 to 5 times, its pipeline included, and
        5.4 times where that takes less than a third of a second.

    trees_per_shadow : int or "auto", default="auto"
        Trees of a reference forest, whatever `shadow_estimator` says. Few trees give
        more references, and so more data sets, which counts up to about 40 of them;
        "auto" is ``n_trees / 40``, at least 4 and at most 12.

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

    max_fpr : float, default=0.05
        Share of the reference non-members, a fraction in [0, 1), that `predict` may
        call members. The reference is the known non-members, else what the vote model
        expects of forests without the record.

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

    leaf_pure_ : bool
        Whether the trees are grown to purity, which decides on the formula.

    exclusion_probability_ : float
        Probability q that a tree leaves out a member.

    n_shadows_ : int
        Shadows trained.

    vote_model_ : VoteModel
        How trees without a record vote.

    shadow_signals_ : ndarray of shape (n_shadows, n_records, 3)
        For each reference and record of the pool: right votes of OUT trees, their
        number, right votes of in-bag trees. Not pickled when models are not kept.

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
    RMIA : For any other model.

    References
    ----------
    .. [1] L. Breiman, 1996, "Out-of-bag estimation" (what a tree did not draw).

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import BaggingAttack, as_records
    >>> X, y = make_classification(400, flip_y=0.2, random_state=0)
    >>> model = RandomForestClassifier(random_state=0).fit(X[:200], y[:200])
    >>> records, is_member = as_records(X, y), [True] * 200 + [False] * 200
    >>> attack = BaggingAttack(model, n_trees=100, random_state=0).fit(records)
    >>> attack.score(records, is_member) > 0.95
    True
    """

    explanation = (
        "Reads the votes of the trees from the probabilities of a forest, and compares "
        "them with votes of trees that cannot have seen the record: a member has "
        "hardly any tree against it."
    )
    _parameter_constraints: dict = {
        **{
            name: constraint
            for name, constraint in BaseShadowAttack._parameter_constraints.items()
            if name not in ("n_shadows", "response_method")
        },
        "n_trees": [Interval(Integral, 2, None, closed="left")],
        "trees_per_shadow": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "refit_preprocessing": ["boolean"],
    }
    response_method = "predict_proba"

    _gives_log_ratios = True

    def __init__(
        self,
        target_estimator=None,
        *,
        shadow_estimator=None,
        n_trees=400,
        trees_per_shadow="auto",
        refit_preprocessing=False,
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
        self.n_trees = n_trees
        self.trees_per_shadow = trees_per_shadow
        self.refit_preprocessing = refit_preprocessing
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
        """Tell whether the trees of a model vote: a bagged forest, in any wrappers.

        Parameters
        ----------
        model : fitted classifier
            The target in question.

        Returns
        -------
        handles : bool
            Where it is False a fit raises TypeError, and so does an audit.
        """
        opened = open_model(model, same_answers=True)
        votes = _votes(opened.classifier) and hasattr(model, "predict_proba")
        return votes and not _untold(opened)

    def _check_handled(self):
        self._check_kind()
        opened = open_model(self.target_estimator, same_answers=True)
        forest = opened.classifier
        if not _votes(forest):
            raise TypeError(
                "BaggingAttack needs a target whose trees vote: a random forest, "
                "extra trees or bagging of decision trees, got "
                f"{type(forest).__name__}. Use RMIA for other models."
            )
        untold = _untold(opened)
        if untold:
            raise TypeError(
                "BaggingAttack must know which records a tree was trained on, but "
                f"{type(untold[0]).__name__} chooses among them and does not tell. Use "
                "RMIA."
            )
        if not hasattr(self.target_estimator, "predict_proba"):
            raise TypeError(
                "BaggingAttack reads votes from predict_proba, which the target "
                f"{type(self.target_estimator).__name__} does not have. Use RMIA."
            )
        super()._check_handled()

    def _recipe_and_number(self):
        per_shadow = self.trees_per_shadow
        if per_shadow == "auto":
            per_shadow = trees_per_reference(self.n_trees)
        n_classes = len(self._responder.classes)
        recipe, _ = thin_recipe(self._recipe(), per_shadow, n_classes)
        if recipe is None:
            raise TypeError(
                f"shadow_estimator must be a random forest, extra trees or bagging of "
                f"decision trees, got {self.shadow_estimator!r}."
            )
        self.n_shadows_ = 2 * max(1, round(self.n_trees / (2 * per_shadow)))
        self._thin = True
        return recipe, self.n_shadows_

    def _cost(self):
        forest = open_model(self.target_estimator).classifier
        return self.n_trees / len(forest.estimators_)

    def _reader(self):
        return VoteReader()

    def _fit_scores(self, pool, is_member, **params):
        # A few rows show whether a wrapper answers as the forest inside.
        some = own_copy(take(pool.features, slice(0, 5)))
        opened = open_model(self.target_estimator, some, same_answers=True)
        forest = opened.classifier
        self._n_target_trees = len(forest.estimators_)
        self._chooses = bool(open_model(self.target_estimator).samplers)
        self.exclusion_probability_ = exclusion_probability(
            forest, max(len(pool.ids) // 2, 1)
        )
        return super()._fit_scores(pool, is_member, **params)

    def _target_signal(self, queries):
        """Right votes of the target, which the smoothing of probabilities hides."""
        smooth = np.exp(queries.log_proba[np.arange(len(queries.codes)), queries.codes])
        double = 2 * self._responder.floor
        share = (smooth - double / queries.log_proba.shape[1]) / (1 - double)
        return np.column_stack([share, queries.codes])

    def _calibrate(self, pool, signals, members):
        votes, n_out, in_votes = np.moveaxis(signals, 2, 0)
        per_shadow = n_out.max() if n_out.size else 0
        n_in = np.where(members, per_shadow - n_out, 0)
        self._trees_per_shadow = float(per_shadow)
        self.leaf_pure_ = bool(in_votes.sum() >= _LEAF_PURE * max(n_in.sum(), 1))
        n_classes = len(self._responder.classes)
        self.vote_model_ = vote_model(votes, n_out, pool.codes, n_classes)
        alpha, beta = self.vote_model_.beta(votes, n_out, pool.codes)
        with np.errstate(invalid="ignore"):
            in_mean = in_votes.sum(axis=0) / n_in.sum(axis=0)
        self._gap = MeanGap(in_mean, alpha / (alpha + beta))
        self._chosen = np.ones(n_classes)
        if self._chooses:
            q = self.exclusion_probability_
            self._chosen = chosen_share(
                n_out, members, pool.codes, per_shadow, q, n_classes
            )

    def _references(self, pool, scores, is_member):
        if is_member is not None:
            return super()._references(pool, scores, is_member)
        # What the vote model expects of targets without the record.
        votes, n_out, _ = np.moveaxis(self.shadow_signals_, 2, 0)
        alpha, beta = self.vote_model_.beta(votes, n_out, pool.codes)
        generator = np.random.default_rng(root_seed(self.random_state))
        n_wrong = betabinom.rvs(
            self._n_target_trees, beta, alpha, random_state=generator
        )
        share = 1 - n_wrong / self._n_target_trees
        values = self._ratio(share, alpha, beta, pool.codes, None)
        return [(np.arange(len(values)), values)]

    def _log_proba_of_shadows(self):
        votes, n_out, in_votes = np.moveaxis(self.shadow_signals_, 2, 0)
        known = (n_out > 0) | (in_votes > 0)
        n_trees = self._trees_per_shadow
        share = (votes + in_votes + 0.5) / (n_trees + 1)
        return np.where(known, np.log(share), np.nan)

    def _score(self, target, signals, members, in_pool):
        votes, n_out, in_votes = np.moveaxis(signals, 2, 0)
        share, codes = target[:, 0], target[:, 1].astype(int)
        alpha, beta = self.vote_model_.beta(votes, n_out, codes)
        n_in = np.where(members & in_pool, self._trees_per_shadow - n_out, 0)
        in_bag = in_votes.sum(axis=0), n_in.sum(axis=0)
        scores = self._ratio(share, alpha, beta, codes, in_bag)
        scores[n_out.sum(axis=0) == 0] = np.nan
        return scores

    def _ratio(self, share, alpha, beta, codes, in_bag):
        n_trees, q = self._n_target_trees, self.exclusion_probability_
        if self.leaf_pure_:
            n_wrong = np.clip(np.rint(n_trees * (1 - share)), 0, n_trees).astype(int)
            ratio = exclusion_log_ratio(n_wrong, n_trees, q, alpha, beta)
            chosen = self._chosen[codes]
            with np.errstate(divide="ignore"):
                return np.logaddexp(ratio + np.log(chosen), np.log1p(-chosen))
        mean_out = alpha / (alpha + beta)
        gap = self._gap.above(mean_out)
        votes, count = (0.0, 0.0) if in_bag is None else in_bag
        mean_in = (votes + _IN_BAG_PRIOR * (mean_out + gap)) / (count + _IN_BAG_PRIOR)
        mean_in = np.maximum(mean_in, mean_out + _SMALLEST_SHARE_OF_GAP * gap)
        member = (1 - q) * mean_in + q * mean_out
        target = (n_trees * share + 0.5) / (n_trees + 1)
        return np.log(target) - np.log((mean_out + member) / 2)
