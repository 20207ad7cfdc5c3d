"""How the trees of bagged forests vote, and how much they agree."""

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import BaggingClassifier

from sklearn_mia.models import forest_table, open_model
from sklearn_mia.readers import Reader, own_column
from sklearn_mia.tables import as_array, own_copy

_DEFAULT_CORRELATION = 0.02


_CLASS_WEIGHTS = (0.3, 20.0)


@dataclass(frozen=True)
class VoteModel:
    """How trees without a record vote, and how much they agree within a forest.

    Attributes
    ----------
    correlation : float
        Correlation rho of two trees of one forest.

    class_mean : ndarray of shape (n_classes,)
        Mean share of right votes mu of the trees without the record.

    weight : float
        Records s0 that the class mean counts as.
    """

    correlation: float
    class_mean: np.ndarray
    weight: float

    def effective_trees(self, n_out):
        r"""Independent trees that the OUT trees are worth.

        .. math:: n_e = \sum_k \frac{N_k}{1 + (N_k - 1) \rho}

        Parameters
        ----------
        n_out : ndarray of shape (n_shadows, n_records)

        Returns
        -------
        n_effective : ndarray of shape (n_records,)
        """
        total = np.zeros(n_out.shape[1])
        for n in n_out:
            total += n / (1 + np.maximum(n - 1, 0) * self.correlation)
        return total

    def beta(self, votes, n_out, codes):
        r"""Distribution of the share of right votes of a new forest without the record.

        .. math:: m = \frac{n_e \hat p + s_0 \mu}{n_e + s_0}, \quad
                  \alpha = m s, \quad \beta = (1 - m) s

        with :math:`s = 1 / icc - 1` and
        :math:`icc = \rho + (1 - \rho) / (n_e + s_0 + 1)`.

        Parameters
        ----------
        votes, n_out : ndarray of shape (n_shadows, n_records)
            Right votes of the OUT trees of each shadow, and their number.

        codes : ndarray of shape (n_records,)

        Returns
        -------
        alpha, beta : ndarray of shape (n_records,)
        """
        n_effective = self.effective_trees(n_out)
        total, count = votes.sum(axis=0), n_out.sum(axis=0)
        share = np.divide(total, count, out=np.zeros(len(count)), where=count > 0)
        prior = self.weight * self.class_mean[codes]
        mean = (n_effective * share + prior) / (n_effective + self.weight)
        mean = np.clip(mean, 1e-6, 1 - 1e-6)
        spread = 1 / (n_effective + self.weight + 1)
        size = 1 / (self.correlation + (1 - self.correlation) * spread) - 1
        return mean * size, (1 - mean) * size


def tree_correlation(votes, n_out):
    r"""Correlation of two trees of one forest, beyond that of trees of two forests.

    .. math:: \rho = (A - B) / (M - B)

    with A the mean agreement of pairs of trees of one shadow, B that of trees of two
    shadows, and M the mean share of right votes.

    Parameters
    ----------
    votes, n_out : ndarray of shape (n_shadows, n_records)

    Returns
    -------
    correlation : float
        Between 0 and .5; .02 where it cannot be estimated.
    """
    within = pairs = 0.0
    n_records = votes.shape[1]
    total, squares, count = (np.zeros(n_records) for _ in range(3))
    for o, n in zip(votes, n_out, strict=True):
        many = n > 1
        within += np.sum(o[many] * (o[many] - 1) / (n[many] * (n[many] - 1)))
        pairs += many.sum()
        p = np.divide(o, n, out=np.zeros(n_records), where=n > 0)
        total += p
        squares += p**2
        count += n > 0
    several = count > 1
    if not several.any() or not pairs:
        return _DEFAULT_CORRELATION
    of_two = (total**2 - squares)[several] / (count * (count - 1))[several]
    between, mean = of_two.mean(), total.sum() / count.sum()
    if mean - between < 1e-6:
        return _DEFAULT_CORRELATION
    return float(np.clip((within / pairs - between) / (mean - between), 0.0, 0.5))


def vote_model(votes, n_out, codes, n_classes):
    r"""Fit the vote model to the votes of OUT trees.

    The weight of the class mean is
    :math:`s_0 = \overline{\mu (1 - \mu)} / V - 1`, between .3 and 20, with V the
    variance of the vote shares around their class mean beyond sampling noise.

    Parameters
    ----------
    votes, n_out : ndarray of shape (n_shadows, n_records)

    codes : ndarray of shape (n_records,)

    n_classes : int

    Returns
    -------
    model : VoteModel
    """
    correlation = tree_correlation(votes, n_out)
    total, count = votes.sum(axis=0), n_out.sum(axis=0)
    seen = count > 0
    share = np.divide(total, count, out=np.zeros(len(count)), where=seen)
    overall = total.sum() / max(count.sum(), 1)
    of_class = np.bincount(codes, weights=count, minlength=n_classes)
    right = np.bincount(codes, weights=total, minlength=n_classes)
    class_mean = np.divide(
        right, of_class, out=np.full(n_classes, overall), where=of_class > 0
    )
    model = VoteModel(correlation, class_mean, _CLASS_WEIGHTS[0])
    n_effective = model.effective_trees(n_out)[seen]
    mu, share = class_mean[codes][seen], share[seen]
    variance = np.mean((share - mu) ** 2) - np.mean(share * (1 - share) / n_effective)
    weight = np.mean(mu * (1 - mu)) / variance - 1 if variance > 0 else np.inf
    return VoteModel(correlation, class_mean, float(np.clip(weight, *_CLASS_WEIGHTS)))


@dataclass(frozen=True)
class VoteReader(Reader):
    """Ask the trees of a shadow, those that saw a record apart from the others."""

    name = "votes"

    def ask(self, model, seen, features, codes, members):
        """Count the right votes of the OUT and of the in-bag trees.

        Parameters
        ----------
        model : fitted forest, or wrappers that answer as one

        seen : ndarray of shape (n_seen,)

        features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

        codes : ndarray of shape (n_records,)

        members : ndarray of shape (n_records,), dtype bool, or None
            Records that the shadow trained on; None outside the pool.

        Returns
        -------
        votes : ndarray of shape (n_records, 3), dtype float32
            Right votes of OUT trees, their number, right votes of in-bag trees.
        """
        opened = open_model(model, own_copy(features), same_answers=True)
        model, features = opened.classifier, opened.features
        own = own_column(codes, seen)
        known = own >= 0
        right_out, n_out, right_in = np.zeros((3, len(codes)), dtype=np.float32)
        rows = None if members is None else np.flatnonzero(members)
        for sampler in [] if rows is None else opened.samplers:
            rows = rows[sampler.sample_indices_]
        tables = _tree_tables(model, features)
        for tree, sample in zip(tables, model.estimators_samples_, strict=True):
            right = tree(own)
            out = known
            if rows is not None:
                out = known.copy()
                out[rows[sample]] = False
                _add(right_in, right * (known & ~out))
            _add(right_out, right * out)
            _add(n_out, out)
        return np.column_stack([right_out, n_out, right_in])

    def read(self, answer, seen, codes):
        """Return the votes as they are."""
        return answer


def _add(total, values):
    np.add(total, values, out=total, casting="same_kind")


def _tree_tables(forest, features):
    """Yield, for each tree, a function that gives its vote for a column of classes."""
    if isinstance(forest, BaggingClassifier):
        features = as_array(features)
        for tree, used in zip(
            forest.estimators_, forest.estimators_features_, strict=True
        ):
            position = {int(c): i for i, c in enumerate(tree.classes_)}
            proba = tree.predict_proba(features[:, used])
            yield lambda own, proba=proba, position=position: np.array(
                [
                    proba[i, position[c]] if c in position else 0.0
                    for i, c in enumerate(own)
                ]
            )
        return
    features = forest_table(features)
    rows = np.arange(features.shape[0])
    for tree in forest.estimators_:
        proba = tree.predict_proba(features, check_input=False)
        first = rows * proba.shape[1]
        yield lambda own, proba=proba, first=first: proba.ravel()[first + own]
