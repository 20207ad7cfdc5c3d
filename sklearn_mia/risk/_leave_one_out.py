"""What a model gives away by its formula or its structure, without shadow models.

For the owner of the training data: the risk that each record runs, and what releasing
the model itself would disclose.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.linalg import solve
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    BaggingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import check_array, compute_class_weight
from sklearn.utils.extmath import softmax
from sklearn.utils.validation import _num_samples, check_consistent_length

from sklearn_mia._views import TableViewMixin
from sklearn_mia.models import AVERAGING, forest_table, open_model
from sklearn_mia.records import as_labels
from sklearn_mia.response import check_classifier, encode_labels
from sklearn_mia.signals import logit
from sklearn_mia.tables import as_array, check_container, own_copy

__all__ = [
    "LeaveOneOutRisk",
    "leave_one_out_risk",
]

_NEARLY_ALONE = 1e-8


@dataclass(frozen=True, repr=False)
class LeaveOneOutRisk(TableViewMixin):
    """What each training record adds to its own prediction.

    Attributes
    ----------
    log_odds : ndarray of shape (n_records,)
        Log-odds of the label of each record by the model, which was trained on it.

    loo_log_odds : ndarray of shape (n_records,)
        The same by the model without that record. ``-inf`` if no other record has its
        class, NaN if every tree of a forest was trained on it.

    risk : ndarray of shape (n_records,)
        ``log_odds - loo_log_odds``; higher = easier to tell that it was a member.

    method : str
        The formula.

    exact : bool
        Whether `loo_log_odds` is what training again without the record gives, up to
        rounding.
    """

    log_odds: np.ndarray
    loo_log_odds: np.ndarray
    risk: np.ndarray
    method: str
    exact: bool

    def __repr__(self):
        """Describe the result without the records."""
        kind = "exact" if self.exact else "approximate"
        return f"LeaveOneOutRisk({len(self.risk)} records, {self.method}, {kind})"


def leave_one_out_risk(model, X, y):
    r"""Risk of each training record, by formula instead of refits.

    The risk is :math:`\varphi(x, y; D) - \varphi(x, y; D \setminus (x, y))`, how much
    the log-odds :math:`\varphi` of the label fall if the record is left out of the
    training data D. It is no attack, since it needs D: it tells the owner of D which
    records an attack will find first.

    ============================  ===============================================
    model                         method
    ============================  ===============================================
    KNeighborsClassifier          votes of the other records; exact
    GaussianNB, MultinomialNB     counts and moments without the record; exact
    LinearDiscriminantAnalysis    rank-one downdate (without shrinkage); exact
    RidgeClassifier               leverage; exact
    LogisticRegression            one Newton step from the fitted model
    RandomForestClassifier,       trees that left the record out; a forest of
    ExtraTreesClassifier,         e^-1 of the trees, so noisy for few trees
    BaggingClassifier
    ============================  ===============================================

    Parameters
    ----------
    model : classifier
        Fitted on `X` and `y` without sample weights; one of the table, alone or as the
        last step of a pipeline. What a pipeline does before it is taken as given, which
        makes the method approximate.

    X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)
        The training data, in the order of training.

    y : array-like of shape (n_records,)
        Their labels.

    Returns
    -------
    risk : LeaveOneOutRisk
        Arrays in the order of `X`.

    Raises
    ------
    TypeError
        For another model.

    ValueError
        If the model was not fitted on these records, or with a setting that the
        formula does not cover.

    See Also
    --------
    structural_risk : What a released model stores.

    Notes
    -----
    Probabilities of neighbours and trees are kept at least :math:`1/(2k)` from 0 and 1,
    k the number of neighbours or trees. For `RidgeClassifier` the decision function
    stands for the log-odds. The Newton step of logistic regression is
    :math:`\eta + A (I - W A)^{-1} (p - e_y)`, with W the variance of the label and A
    the block of the inverse Hessian at the record.

    The risk is that of the model inside any wrapper: calibration with a single inner
    model, and defences that change answers alone, as
    :class:`~sklearn_mia.CoarsenedClassifier` does, are looked through.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_mia import leave_one_out_risk
    >>> X, y = load_iris(return_X_y=True)
    >>> result = leave_one_out_risk(GaussianNB().fit(X, y), X, y)
    >>> result
    LeaveOneOutRisk(150 records, Gaussian moments, exact)
    >>> int(result.risk.argmax())
    43
    """
    classes = check_classifier(model, "leave_one_out_risk")
    check_container(X)
    codes = encode_labels(as_labels(y), classes)
    check_consistent_length(X, codes)
    opened = open_model(model, own_copy(X))
    inner, X = opened.classifier, opened.features
    direct = all(isinstance(w, FrozenEstimator) for w in opened.wrappers)
    formula = next((f for kinds, f in _FORMULAS if isinstance(inner, kinds)), None)
    if formula is None:
        raise TypeError(
            f"leave_one_out_risk got a {type(inner).__name__}; it knows "
            f"{', '.join(k.__name__ for kinds, _ in _FORMULAS for k in kinds)}. For "
            "another model train shadows, for instance with RMIA."
        )
    if opened.samplers:
        raise ValueError(
            f"{type(opened.samplers[0]).__name__} chooses the records that "
            f"{type(inner).__name__} is trained on, and would choose others without "
            "one of them; no formula covers that. Train shadows, for instance with "
            "RMIA."
        )
    log_proba, loo_log_proba, method, exact = formula(inner, X, codes)
    log_odds = logit(log_proba, codes)
    with np.errstate(invalid="ignore"):
        loo_log_odds = logit(loo_log_proba, codes)
    alone = np.bincount(codes, minlength=len(classes))[codes] == 1
    loo_log_odds = np.where(alone, -np.inf, loo_log_odds)
    return LeaveOneOutRisk(
        log_odds, loo_log_odds, log_odds - loo_log_odds, method, exact and direct
    )


def _require(condition, model, what):
    if not condition:
        raise ValueError(
            f"{type(model).__name__} was not fitted on these records: {what} differ. "
            "Pass the training data, in the order of training, with no sample weights "
            "in fit."
        )


def _dense(X):
    X = X.toarray() if sp.issparse(X) else X
    return check_array(X, dtype=np.float64)


def _log(proba, floor):
    """Log-probabilities, the wrong classes sharing the floor."""
    with np.errstate(invalid="ignore"):
        return np.log(np.maximum(proba, floor / max(proba.shape[1] - 1, 1)))


def _two_columns(decision):
    decision = np.asarray(decision)
    decision = decision.reshape(len(decision), -1)
    if decision.shape[1] == 1:
        return np.hstack([np.zeros_like(decision), decision])
    return decision


def _neighbours(model, X, codes):
    same = model.n_samples_fit_ == _num_samples(X) and np.array_equal(
        model.classes_[codes], model.classes_[np.asarray(model._y).ravel()]
    )
    stored = model._fit_X
    if same and not sp.issparse(stored):
        same = np.array_equal(np.asarray(stored), _dense(X), equal_nan=True)
    _require(same, model, "the stored records")
    # As `kneighbors()` does: one neighbour more, then drop the record itself, or the
    # nearest if k + 1 copies hide it.
    distances, neighbours = model.kneighbors(X, n_neighbors=model.n_neighbors + 1)
    others = neighbours != np.arange(len(codes))[:, None]
    others[others.all(axis=1), 0] = False
    sides = []
    for kept in (np.arange(model.n_neighbors + 1) < model.n_neighbors, others):
        kept = np.broadcast_to(kept, others.shape)
        shape = len(codes), model.n_neighbors
        weights = _vote_weights(distances[kept].reshape(shape), model.weights)
        voters = codes[neighbours[kept].reshape(shape)]
        votes = np.stack(
            [(weights * (voters == c)).sum(axis=1) for c in range(len(model.classes_))],
            axis=1,
        )
        sides.append(votes / votes.sum(axis=1, keepdims=True))
    floor = 1 / (2 * model.n_neighbors)
    return *(_log(side, floor) for side in sides), "votes of the others", True


def _vote_weights(distances, weights):
    """Weight of each neighbour by the `weights` of the model."""
    if weights == "uniform":
        return np.ones_like(distances)
    if weights != "distance":
        return weights(distances)
    # A neighbour at no distance outvotes all others.
    same = distances == 0
    with np.errstate(divide="ignore"):
        return np.where(same.any(axis=1, keepdims=True), same, 1 / distances)


def _prior_without(model, codes, prior):
    """Log-prior of each class without the record: (n_records, n_classes)."""
    n_records, n_classes = len(codes), len(model.classes_)
    if prior is not None:
        return np.tile(np.log(prior), (n_records, 1))
    counts = np.tile(np.bincount(codes, minlength=n_classes), (n_records, 1))
    counts[np.arange(n_records), codes] -= 1
    with np.errstate(divide="ignore"):
        return np.log(counts) - np.log(n_records - 1)


def _gaussian_nb(model, X, codes):
    X = _dense(X)
    n, n_classes = len(X), len(model.classes_)
    counts = np.bincount(codes, minlength=n_classes).astype(float)
    _require(np.array_equal(model.class_count_, counts), model, "the class counts")
    own_means = np.stack([X[codes == c].mean(axis=0) for c in range(n_classes)])
    _require(np.allclose(own_means, model.theta_), model, "the means")
    # The smoothing is a share of the largest variance, which the record has part in.
    center, variance = X.mean(axis=0), X.var(axis=0)
    without = n / (n - 1) * variance - n / (n - 1) ** 2 * (X - center) ** 2
    epsilon = model.var_smoothing * np.maximum(without, 0).max(axis=1)
    log_prior = _prior_without(model, codes, model.priors)
    loo = np.empty((n, n_classes))
    moments = np.stack([X[codes == c].var(axis=0) for c in range(n_classes)])
    for c in range(n_classes):
        mean = np.tile(model.theta_[c], (n, 1))
        spread = np.tile(moments[c], (n, 1))
        own, rest = codes == c, counts[c] - 1
        if rest > 0:
            shift = X[own] - model.theta_[c]
            mean[own] -= shift / rest
            spread[own] = counts[c] / rest * moments[c] - counts[c] / rest**2 * shift**2
        spread = np.maximum(spread, 0) + epsilon[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.log(2 * np.pi * spread) + (X - mean) ** 2 / spread
        loo[:, c] = log_prior[:, c] - 0.5 * terms.sum(axis=1)
    return model.predict_log_proba(X), loo, "Gaussian moments", True


def _multinomial_nb(model, X, codes):
    X = check_array(X, accept_sparse="csr", dtype=np.float64)
    n, n_classes = X.shape[0], len(model.classes_)
    counts = np.bincount(codes, minlength=n_classes)
    features = np.stack(
        [np.asarray(X[codes == c].sum(axis=0)).ravel() for c in range(n_classes)]
    )
    _require(
        np.array_equal(model.class_count_, counts)
        and np.allclose(model.feature_count_, features),
        model,
        "the counts",
    )
    alpha = np.broadcast_to(model.alpha, X.shape[1]).astype(float)
    alpha = alpha if model.force_alpha else np.maximum(alpha, 1e-10)
    prior = model.class_prior
    if prior is None and not model.fit_prior:
        prior = np.full(n_classes, 1 / n_classes)
    loo = np.asarray(X @ model.feature_log_prob_.T) + _prior_without(
        model, codes, prior
    )
    rows = sp.csr_array(X)
    owner = np.repeat(np.arange(n), np.diff(rows.indptr))
    cells = features[codes[owner], rows.indices] - rows.data + alpha[rows.indices]
    with np.errstate(divide="ignore"):
        inside = np.bincount(owner, rows.data * np.log(cells), minlength=n)
    sums = np.asarray(rows.sum(axis=1)).ravel()
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.log(features.sum(axis=1)[codes] - sums + alpha.sum())
        own = inside - np.where(sums > 0, sums * total, 0.0)
    log_prior = _prior_without(model, codes, prior)
    loo[np.arange(n), codes] = own + log_prior[np.arange(n), codes]
    return model.predict_log_proba(X), loo, "counts", True


def _lda(model, X, codes):
    if model.shrinkage is not None or model.covariance_estimator is not None:
        raise ValueError(
            f"LinearDiscriminantAnalysis has shrinkage={model.shrinkage!r} and "
            f"covariance_estimator={model.covariance_estimator!r}; the formula needs "
            "the plain covariance, None for both."
        )
    if model.priors is not None and model.solver != "svd":
        raise ValueError(
            f"LinearDiscriminantAnalysis has priors and solver={model.solver!r}; the "
            "formula covers given priors for solver='svd' alone."
        )
    given = X = _dense(X)
    n, n_classes = len(X), len(model.classes_)
    counts = np.bincount(codes, minlength=n_classes).astype(float)
    means = np.stack([X[codes == c].mean(axis=0) for c in range(n_classes)])
    _require(np.allclose(means, model.means_), model, "the means")
    own = _two_columns(model.decision_function(X))
    scatter_of = X - means[codes]
    if model.solver == "svd":
        # As the solver does, leave out the directions without spread in a class.
        scale = scatter_of.std(axis=0)
        scale[scale == 0] = 1.0
        _, spread, axes = np.linalg.svd(
            scatter_of / scale / np.sqrt(n), full_matrices=False
        )
        axes = axes[spread > model.tol].T / scale[:, None]
        X, means, scatter_of = X @ axes, means @ axes, scatter_of @ axes
    scatter = scatter_of.T @ scatter_of
    if np.linalg.cond(scatter) > 1e12:
        raise ValueError(
            f"Features are collinear within classes, where solver={model.solver!r} has "
            "no unique answer. Use solver='svd', or drop the features."
        )
    rest = counts[codes] - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        share = counts[codes] / rest
        moved = means[codes] - scatter_of / rest[:, None]
        solved = solve(scatter, scatter_of.T, assume_a="pos").T
        lever = np.sum(scatter_of * solved, axis=1)
        left = 1 - share * lever
        gain = share / left
        by_x = solve(scatter, X.T, assume_a="pos").T
        of_x = np.sum(X * solved, axis=1)
        of_means = solve(scatter, means.T, assume_a="pos").T
        middle = 0.5 * np.sum(means * of_means, axis=1)
        divisor = _lda_divisor(model, own, X @ of_means.T - middle)
        log_prior = _prior_without(model, codes, model.priors)
        loo = np.empty((n, n_classes))
        for c in range(n_classes):
            mean = np.where((codes == c)[:, None], moved, means[c])
            of_mean = np.sum(mean * solved, axis=1)
            whitened = solve(scatter, np.nan_to_num(mean).T, assume_a="pos").T
            loo[:, c] = log_prior[:, c] + (divisor - 1) * (
                np.sum(mean * by_x, axis=1)
                + gain * of_mean * of_x
                - 0.5 * (np.sum(mean * whitened, axis=1) + gain * of_mean**2)
            )
    # Without a record that alone spans a direction, the space itself is smaller.
    for i in np.flatnonzero((left < _NEARLY_ALONE) & (rest > 0)):
        others = np.arange(n) != i
        refit = clone(model).fit(given[others], codes[others])
        loo[i] = _two_columns(refit.decision_function(given[[i]]))[0]
    return own, loo, "rank-one downdate", True


def _lda_divisor(model, own, slopes):
    """What the scatter was divided by: n, by older versions n less the classes."""
    n, n_classes = slopes.shape
    told = own - own[:, [0]]

    def error(divisor):
        values = np.log(model.priors_) + divisor * slopes
        return np.abs(told - (values - values[:, [0]])).max()

    return min(n, n - n_classes, key=error)


def _ridge(model, X, codes):
    if model.class_weight is not None or model.positive:
        raise ValueError(
            f"RidgeClassifier has class_weight={model.class_weight!r} and positive="
            f"{model.positive!r}; the formula needs None and False."
        )
    X = _dense(X)
    n, n_classes = len(X), len(model.classes_)
    targets = np.where(np.eye(n_classes, dtype=bool)[codes], 1.0, -1.0)
    targets = targets[:, 1:] if n_classes == 2 else targets
    center = X.mean(axis=0) if model.fit_intercept else 0.0
    level = targets.mean(axis=0) if model.fit_intercept else 0.0
    left, spread, _ = np.linalg.svd(X - center, full_matrices=False)
    kept = spread > np.finfo(float).eps * max(X.shape) * spread.max()
    left, spread = left[:, kept], spread[kept]
    filtered = left * (spread**2 / (spread**2 + model.alpha))
    fitted = level + filtered @ (left.T @ (targets - level))
    own = model.decision_function(X).reshape(n, -1)
    _require(np.allclose(fitted, own, atol=1e-2), model, "the predictions")
    leverage = np.sum(filtered * left, axis=1) + (1 / n if model.fit_intercept else 0)
    loo = targets - (targets - fitted) / (1 - leverage)[:, None]
    return _two_columns(fitted), _two_columns(loo), "leverage", True


def _logistic(model, X, codes):
    l1_ratio = getattr(model, "l1_ratio", None) or 0.0
    penalty = getattr(model, "penalty", "l2")
    if l1_ratio > 0 or penalty in ("l1", "elasticnet"):
        raise ValueError(
            f"LogisticRegression has l1_ratio={l1_ratio!r} and penalty={penalty!r}; "
            "the Newton step needs a smooth penalty, l2 or none."
        )
    X = _dense(X)
    n, n_classes = len(X), len(model.classes_)
    _require(model.coef_.shape[1] == X.shape[1], model, "the numbers of features")
    ridge = np.full(X.shape[1], 0.0 if penalty is None else 1 / model.C)
    if model.fit_intercept:
        X = np.column_stack([X, np.ones(n)])
        penalised = model.solver == "liblinear"
        ridge = np.append(ridge, 1 / model.intercept_scaling**2 / model.C * penalised)
    weight = np.ones(n)
    if model.class_weight is not None:
        labels = model.classes_[codes]
        by_class = compute_class_weight(
            model.class_weight, classes=model.classes_, y=labels
        )
        weight = by_class[codes]
    coef = model.coef_
    if model.fit_intercept:
        coef = np.column_stack([coef, model.intercept_])
    eta = X @ coef.T
    # Two classes have one equation, as many as their coefficients.
    if len(coef) == 1:
        proba = 1 / (1 + np.exp(-eta))
        error, variance = proba - codes[:, None], (proba * (1 - proba))[:, :, None]
    else:
        proba = softmax(eta)
        error = proba - np.eye(n_classes)[codes]
        variance = -proba[:, :, None] * proba[:, None, :]
        variance[:, np.arange(n_classes), np.arange(n_classes)] += proba
    variance, error = variance * weight[:, None, None], error * weight[:, None]
    # At the optimum the slope is far below that of as many records by chance.
    slope = np.linalg.norm(X.T @ error + ridge[:, None] * coef.T)
    by_chance = np.linalg.norm(
        np.linalg.norm(X, axis=1) * np.linalg.norm(error, axis=1)
    )
    unfinished = 2 * model.tol * n * np.sqrt(coef.size)
    _require(slope < 0.3 * by_chance + unfinished, model, "the slopes of the loss")
    block = _inverse_blocks(X, variance, ridge)
    step = np.linalg.solve(np.eye(block.shape[1]) - variance @ block, error[:, :, None])
    loo = eta + (block @ step)[:, :, 0]
    return _two_columns(eta), _two_columns(loo), "one Newton step", False


def _inverse_blocks(X, variance, ridge):
    """Blocks of the inverse Hessian at each record: (n, n_equations, n_equations)."""
    n, n_columns = X.shape
    k = variance.shape[1]
    hessian = np.empty((k, n_columns, k, n_columns))
    for a in range(k):
        for b in range(k):
            hessian[a, :, b] = X.T @ (variance[:, a, b, None] * X)
            if a == b:
                hessian[a, :, b] += np.diag(ridge)
            if k > 1:
                # Adding one vector to all classes changes nothing: fix that freedom.
                hessian[a, :, b] += np.eye(n_columns) / k
    inverse = np.linalg.inv(hessian.reshape(k * n_columns, -1))
    inverse = inverse.reshape(k, n_columns, k, n_columns)
    block = np.empty((n, k, k))
    for a in range(k):
        for b in range(k):
            block[:, a, b] = np.sum((X @ inverse[a, :, b]) * X, axis=1)
    return block


def _out_of_bag(model, X, codes):
    if not model.bootstrap and not isinstance(model, BaggingClassifier):
        raise ValueError(
            f"{type(model).__name__} has bootstrap=False: every tree was trained on "
            "every record, and none can say what the forest would be without it. Train "
            "shadows, for instance with RMIA."
        )
    n, n_classes = _num_samples(X), len(model.classes_)
    samples = model.estimators_samples_
    _require(
        getattr(model, "_n_samples", n) == n and max(s.max() for s in samples) < n,
        model,
        "the numbers of records",
    )
    own = model.predict_proba(X)
    bagging = isinstance(model, BaggingClassifier)
    table = as_array(X) if bagging else forest_table(X)
    total, count = np.zeros((n, n_classes)), np.zeros(n)
    features = model.estimators_features_ if bagging else [None] * len(samples)
    for tree, bag, columns in zip(model.estimators_, samples, features, strict=True):
        out = np.ones(n, dtype=bool)
        out[bag] = False
        if not out.any():
            continue
        rows = table[out] if columns is None else table[out][:, columns]
        seen = tree.classes_.astype(int) if bagging else np.arange(n_classes)
        total[np.ix_(out, seen)] += tree.predict_proba(rows)
        count[out] += 1
    with np.errstate(invalid="ignore"):
        loo = total / count[:, None]
    floor = 1 / (2 * len(samples))
    return _log(own, floor), _log(loo, floor), "out-of-bag trees", False


_FORMULAS = (
    ((KNeighborsClassifier,), _neighbours),
    ((GaussianNB,), _gaussian_nb),
    ((MultinomialNB,), _multinomial_nb),
    ((LinearDiscriminantAnalysis,), _lda),
    ((RidgeClassifier,), _ridge),
    ((LogisticRegression,), _logistic),
    (AVERAGING, _out_of_bag),
)
