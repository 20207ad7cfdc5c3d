"""Solve what a model's file stores for the membership of every record at once."""

from functools import partial
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_mia.base import BaseAttack
from sklearn_mia.equations import (
    auc_ceiling,
    evidence,
    has_equations,
    known_families,
    linear_equations,
    model_from_answers,
    share_of_pool,
    solve,
)
from sklearn_mia.identity import find_ids
from sklearn_mia.memory import kept
from sklearn_mia.models import model_name, open_model
from sklearn_mia.tables import take

# An AUC that parts of a model that were not read may allow.
_LITTLE = 0.55
# Where a prior is given, a larger share of the members outside the pool counts.
_FEW_OUTSIDE = 0.02
# The share that is outside where equations do not fit the pool.
_FEWEST_OUTSIDE = 0.005


class LinearReconstructionAttack(BaseAttack):
    r"""Solve what the file of a model stores for the membership of every record.

    A fitted model stores sums over its training records: how many are in a leaf, their
    mean, the slope of a loss. Each is a linear equation in the unknown membership
    :math:`m_i` of the records of the pool, as :func:`sklearn_mia.equations` writes them
    down. The score is the linear estimate of least mean squared error,

    .. math:: \hat m = \pi + v A^\top (v A A^\top + S)^{-1} (b - \pi A 1),
        \qquad v = \pi (1 - \pi)

    with S the variance of each equation, after which no record is held back to the
    prior more than another: the score is
    :math:`\pi + (\hat m - \pi - h (1 - 2 \pi) / 2) / (1 - h)`, with h the leverage of
    the record, and linear in its log odds; see :func:`sklearn_mia.equations.solve`. No
    shadow model is trained, and the model is asked for nothing but its answers to the
    pool.

    It is an attack of someone who holds the file and a pool that has the training
    records among others: the worst case for a release. Where the pool lacks members,
    `n_outside_` of them, the estimate loses much of its power.

    Parameters
    ----------
    target_estimator : classifier or regressor
        The fitted model under attack. Never refitted, never changed; a clone of the
        attack keeps it by identity. Trees, forests, boosting and linear models, of
        classes or of values, naive Bayes and discriminant analysis have equations, and
        so have many steps before them; see
        :func:`sklearn_mia.equations.known_families`.

    prior : float or "auto", default="auto"
        Share of the pool that is in the training data, in (0, 1). "auto" divides the
        number of training records that the file tells by the records of the pool, .5 if
        it tells none. Where exact equations do not fit such a pool, so that training
        records must be outside it, the share is estimated from how far they are off.

    equations : {"file", "outputs"}, default="file"
        Where the equations are from. "outputs": the coefficients of a logistic
        regression are found from its answers to the pool, its settings and the steps
        before it are taken as known, and nothing else of the file is read.

    max_iter : int, default=1000
        Most iterations of the solver, for more than 10,000 records and equations.

    exact : bool, default=True
        Whether a system of up to 10,000 records or equations is solved exactly where
        150 iterations do not do: on histogram boosting with 8,000 records half a minute
        of one core. False takes `max_iter` iterations for any of more than 1,000.

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

    equations_ : list of EquationKind
        What is stored: step, kind, number of equations, noise.

    n_equations_ : int
        Equations in all.

    unread_ : list of str
        Classes of the parts of the model that have no equation, if they store more
        than an AUC of .55 takes: whether these give anything away is not known.

    n_members_ : float or None
        Training records, as the file tells; None if it does not.

    prior_ : float
        The share of the pool that was used.

    n_outside_ : float
        Training records that are expected to be outside the pool; 0 for a pool that
        may have all of them.

    n_iter_ : int
        Iterations of the solver.

    stopped_early_ : bool
        Whether it stopped at `max_iter` while what the equations leave was still
        falling fast: more iterations would find more, and training records outside the
        pool are not seen.

    See Also
    --------
    RMIA : By the answers of the model alone.
    structural_risk : What the owner of the data sees in the structure.

    Notes
    -----
    A record outside the pool is scored by its own column a against what the pool left
    of the equations, :math:`a^\top z / |a|`, on the scale of the pool. Equations that
    are made from the pool, as those of records that are looked up, do not count there.

    Equal records share a column, and the pool is put in the order of its ids, so that
    scores do not depend on how it was given.

    References
    ----------
    .. [1] I. Dinur and K. Nissim, 2003, "Revealing information while preserving
       privacy".
    .. [2] S. Kasiviswanathan, M. Rudelson and A. Smith, 2013, "The power of linear
       reconstruction attacks".

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import HistGradientBoostingClassifier
    >>> from sklearn_mia import LinearReconstructionAttack, as_records
    >>> X, y = make_classification(400, flip_y=0.2, random_state=0)
    >>> model = HistGradientBoostingClassifier(max_iter=40).fit(X[:200], y[:200])
    >>> records, is_member = as_records(X, y), [True] * 200 + [False] * 200
    >>> attack = LinearReconstructionAttack(model).fit(records)
    >>> attack.score(records, is_member) > 0.99
    True
    """

    explanation = (
        "Reads the counts, means or coefficients in the file of the model and "
        "solves them, as equations, for who was in the training data; it trains no "
        "model."
    )
    _parameter_constraints: dict = {
        **BaseAttack._parameter_constraints,
        "prior": [Interval(Real, 0, 1, closed="neither"), StrOptions({"auto"})],
        "equations": [StrOptions({"file", "outputs"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "exact": ["boolean"],
    }
    has_regression = True

    def __init__(
        self,
        target_estimator=None,
        *,
        prior="auto",
        equations="file",
        max_iter=1000,
        exact=True,
        label_column="auto",
        member_label=None,
        response_method="auto",
        max_fpr=0.05,
    ):
        self.target_estimator = target_estimator
        self.prior = prior
        self.equations = equations
        self.max_iter = max_iter
        self.exact = exact
        self.label_column = label_column
        self.member_label = member_label
        self.response_method = response_method
        self.max_fpr = max_fpr

    @property
    def access(self):
        """What an attacker has to hold: the file of the model or its outputs."""
        return self.equations

    @classmethod
    def handles(cls, model):
        """Tell whether a part of the model is of a class that has equations.

        Parameters
        ----------
        model : fitted classifier
            The target in question.

        Returns
        -------
        handles : bool
            Where it is False a fit raises TypeError, and so does an audit.
        """
        return has_equations(model)

    def _check_handled(self):
        if not self.handles(self.target_estimator):
            raise TypeError(
                f"LinearReconstructionAttack knows no equation that "
                f"{model_name(self.target_estimator)} stores. There are some for "
                f"{', '.join(known_families())}. Tell it those of a class of your own "
                "with sklearn_mia.equations.register_equations, or use an attack on "
                "any model, such as RMIA."
            )

    def _fit_scores(self, pool, is_member):
        ids, first, back, copies = np.unique(
            pool.ids, return_index=True, return_inverse=True, return_counts=True
        )
        features, codes = take(pool.features, first), pool.codes[first]
        self._found = None
        if self.equations == "outputs":
            answers = take(pool.answer, first)
            model = self.target_estimator
            self._found = model_from_answers(model, features, answers)
        system = self._system(features, codes)
        self.equations_, self.n_equations_ = system.table(), system.n_equations
        self.n_members_ = system.n_members
        n_unread = sum(n for _, n in system.unread)
        is_little = auc_ceiling(n_unread, len(pool.ids)) <= _LITTLE
        self.unread_ = [] if is_little else [name for name, _ in system.unread]
        solution = self._solve(system, copies)
        self._pool_ids, self._scores = ids, solution.score
        self.n_iter_ = max(solution.n_iterations, 1)
        self.stopped_early_ = solution.is_falling
        own = ~system.of_pool
        self._residual, self._precision = (
            solution.residual[own],
            solution.precision[own],
        )
        seen = evidence(system.without_pool_rows(), self._residual, self._precision)
        self._scales = [_center_and_width(v) for v in (seen, solution.score)]
        kept = system.without_pool_rows().blocks
        self._rows = [(e.step, e.kind, len(e.b)) for e in kept]
        return solution.score[back]

    def _solve(self, system, copies):
        n_pool, n_members = copies.sum(), self.n_members_
        settings = {"copies": copies, "max_iter": self.max_iter, "exact": self.exact}
        self.prior_ = self.prior
        if isinstance(self.prior, str):
            whole = 0.5 if n_members is None else n_members / n_pool
            least = _FEWEST_OUTSIDE * (n_members or 0.0)
            for outside in (0.0, least) if whole < 1 else ():
                self.n_outside_ = outside
                self.prior_ = float(np.clip(whole - outside / n_pool, 0.01, 0.99))
                given = {"prior": self.prior_, "n_outside": outside}
                solution = _solved(system, given | settings)
                if n_members is None or solution.fits:
                    return solution
            self.prior_ = share_of_pool(system, copies)
            self.n_outside_ = float(max(n_members - self.prior_ * n_pool, least))
        else:
            outside = (n_members or 0.0) - self.prior_ * n_pool
            few = _FEW_OUTSIDE * self.prior_ * n_pool
            self.n_outside_ = float(outside) if outside > few else 0.0
        given = {"prior": self.prior_, "n_outside": self.n_outside_}
        return _solved(system, given | settings)

    def _system(self, features, codes):
        classes, model = self._responder.classes, self.target_estimator
        labels = codes if classes is None else classes[codes]
        if self._found is not None:
            features = open_model(model, features, same_answers=True).features
            # A wrapper may encode the labels, in their order.
            labels, model = self._found.classes_[codes], self._found
        return linear_equations(model, features, labels)

    def in_pool(self, X):
        """Tell which records are in the pool, by content.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} or Records
            Records as in `fit`.

        Returns
        -------
        in_pool : ndarray of shape (n_records,), dtype bool
            True for a record of the pool.
        """
        check_is_fitted(self)
        features, _, codes = self._split_queries(X)
        return find_ids(self._pool_ids, self._ids(features, codes)) >= 0

    def _score_queries(self, queries):
        place = find_ids(self._pool_ids, queries.ids)
        scores = self._scores[place]
        outside = np.flatnonzero(place < 0)
        if len(outside):
            scores[outside] = self._score_outside(
                take(queries.features, outside), queries.codes[outside]
            )
        return scores

    def _score_outside(self, features, codes):
        system = self._system(features, codes).without_pool_rows()
        rows = self._same_rows(system.blocks)
        if rows is None:
            return np.full(len(codes), np.nan)
        found = evidence(system, self._residual[rows], self._precision[rows])
        (center, width), (own_center, own_width) = self._scales
        return own_center + (found - center) * (own_width / width)

    def _same_rows(self, blocks):
        """Rows of the pool's equations that these are, None if there are others.

        A part that never saw the class of any of these records has no rows here.
        """
        waiting, rows, start = list(blocks), [], 0
        for step, kind, n_rows in self._rows:
            here = waiting and (waiting[0].step, waiting[0].kind) == (step, kind)
            if here and len(waiting[0].b) == n_rows:
                rows.append(np.arange(start, start + n_rows))
                waiting.pop(0)
            start += n_rows
        return None if waiting or not rows else np.concatenate(rows)

    def _why_unscored(self):
        return (
            "they are in no equation of the file that holds for records outside the "
            "pool",
            "Put them into the pool.",
        )


def _solved(system, settings):
    """A solution, which may take minutes: of a long work it is kept."""
    return kept(
        "the solution of the equations",
        lambda: (system, settings),
        partial(solve, system, **settings),
    )


def _center_and_width(values):
    """Median, and what half of the values are within."""
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, center, high = np.quantile(values, [0.25, 0.5, 0.75])
    return center, (high - low) or 1.0
