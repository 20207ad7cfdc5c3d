"""Labels drawn by coins: what an audit of label differential privacy needs.

An attacker who has the features of a record and two candidate labels asks which of them
the model was trained on.
"""

from dataclasses import dataclass

import numpy as np

from sklearn_mia import checks
from sklearn_mia._views import TableViewMixin
from sklearn_mia.records import as_labels, check_no_gaps
from sklearn_mia.response import check_classifier, find_labels, make_responder
from sklearn_mia.tables import take

__all__ = ["LabelCanaries", "make_label_canaries"]

# Of a class that the model never saw, or gives no probability: below any other.
_LEAST_LOG_PROBABILITY = -745.0


@dataclass(frozen=True, repr=False, eq=False)
class LabelCanaries(TableViewMixin):
    """Labels to train with, some of which a coin chose among two candidates.

    Attributes
    ----------
    y : ndarray of shape (n_records,)
        The labels to train with.

    positions : ndarray of shape (n_canaries,)
        Which records have a label by a coin, ascending.

    first, second : ndarray of shape (n_canaries,)
        Their candidates: the label given, and another.

    is_first : ndarray of shape (n_canaries,), dtype bool
        What the coins chose: `y_true` of
        :func:`~sklearn_mia.metrics.epsilon_lower_bound`.

    See Also
    --------
    make_label_canaries : Tosses the coins.

    Examples
    --------
    >>> from sklearn_mia import make_label_canaries
    >>> canaries = make_label_canaries([0, 1, 2, 0, 1, 2], 4)
    >>> canaries
    LabelCanaries(4 of 6 labels)
    >>> canaries.first != canaries.second
    array([ True,  True,  True,  True])
    """

    y: np.ndarray
    positions: np.ndarray
    first: np.ndarray
    second: np.ndarray
    is_first: np.ndarray

    def __repr__(self):
        return f"LabelCanaries({len(self.positions)} of {len(self.y)} labels)"

    def score_samples(self, model, X, *, response_method="auto"):
        """How much likelier the model finds the first candidate than the second.

        The difference of both log-probabilities, which asks the model about the
        features alone and not about the coins.

        Parameters
        ----------
        model : fitted classifier
            Trained on `X` and `y`.

        X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)
            The features of all records, in the order of `y`.

        response_method : str, default="auto"
            How the target is asked: "predict_proba", "decision_function", "predict", or
            "auto" for the first of them that it has.

        Returns
        -------
        scores : ndarray of shape (n_canaries,)
            Higher is more likely trained with the first candidate.
        """
        classes = check_classifier(model, "LabelCanaries.score_samples")
        checks.check_same_length(len(self.y), np.shape(X)[0], "X")
        _, answer = make_responder(
            model, take(X, self.positions), classes, response_method
        )
        answer = np.maximum(answer, _LEAST_LOG_PROBABILITY)
        answer = np.column_stack([answer, np.full(len(answer), _LEAST_LOG_PROBABILITY)])
        rows = np.arange(len(answer))
        # A label that the model does not know has the place -1, the last column.
        first, second = (
            answer[rows, find_labels(labels, classes)]
            for labels in (self.first, self.second)
        )
        return first - second


def _classes_of(y):
    """The classes in order, of labels that a classifier can be trained on."""
    try:
        classes = np.unique(y)
    except TypeError:
        types = ", ".join(sorted({type(label).__name__ for label in y.tolist()}))
        raise ValueError(
            f"y has labels of the types {types}, which have no order; expected labels "
            "of one type."
        ) from None
    if y.dtype.kind == "f" and np.any(y != np.rint(y)):
        raise ValueError(
            f"y has {len(classes)!r} different numbers, some with a fraction: values "
            "to predict, and no classes; expected class labels, as whole numbers or "
            "text."
        )
    if len(classes) < 2:
        raise ValueError(
            f"y has {len(y)!r} labels and {len(classes)!r} classes; expected at least "
            "two classes, between which a coin can choose."
        )
    return classes


def make_label_canaries(y, n=1000, *, random_state=0):
    """Let a fair coin choose between two candidate labels of some records.

    For an audit of label differential privacy, under which a data set differs from its
    neighbour in one label: of `n` records, drawn at random, each keeps its label or
    takes that of another class, drawn beforehand, by its own coin. Train one model on
    the labels returned, and bound epsilon by what it says about both candidates.

    Parameters
    ----------
    y : array-like of shape (n_records,)
        Class labels.

    n : int, default=1000
        Of how many records a coin chooses the label, or all if there are fewer.

    random_state : int, Generator, RandomState or None, default=0
        Seed of the records, the other candidates and the coins. A generator given here
        is not advanced.

    Returns
    -------
    canaries : LabelCanaries
        The labels to train with, both candidates and the coins.

    Raises
    ------
    ValueError
        If there are fewer than two classes, a label is missing, or `y` has values to
        predict in place of classes.

    See Also
    --------
    sklearn_mia.metrics.epsilon_lower_bound : The bound, with ``neighbours="label"``.

    References
    ----------
    .. [1] B. Ghazi, N. Golowich, R. Kumar, P. Manurangsi and C. Zhang (2021). Deep
       Learning with Label Differential Privacy. NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_mia import make_label_canaries
    >>> from sklearn_mia.metrics import epsilon_lower_bound
    >>> X, y = make_classification(2000, random_state=0)
    >>> canaries = make_label_canaries(y, 1000)
    >>> model = DecisionTreeClassifier(min_samples_leaf=5).fit(X, canaries.y)
    >>> scores = canaries.score_samples(model, X)
    >>> bound = epsilon_lower_bound(canaries.is_first, scores, neighbours="label")
    >>> bound.epsilon > 0.5
    True
    """
    n = checks.check_count(n, "n", 2)
    y = as_labels(y).copy()
    check_no_gaps(y)
    classes = _classes_of(y)
    generator = checks.generator_of(random_state, "make_label_canaries")
    positions = np.sort(generator.permutation(len(y))[:n])
    first = y[positions]
    # Any class but its own, all alike.
    step = generator.integers(1, len(classes), size=len(positions))
    second = classes[(np.searchsorted(classes, first) + step) % len(classes)]
    is_first = generator.random(len(positions)) < 0.5
    y[positions] = np.where(is_first, first, second)
    return LabelCanaries(y, positions, first, second, is_first)
