"""Which families of estimators have equations, and where each is found."""

from dataclasses import replace

import numpy as np
from sklearn.utils.validation import _num_samples, check_consistent_length

from sklearn_mia.equations._parts import (
    estimators_in,
    n_numbers,
    parts_of,
    unread_in,
)
from sklearn_mia.equations._system import Equations, LinearSystem
from sklearn_mia.items import as_items
from sklearn_mia.models import open_model
from sklearn_mia.records import as_labels
from sklearn_mia.response import find_labels
from sklearn_mia.tables import check_container, is_table, own_copy, take

_FAMILIES = {}
# Numbers of records that are drawn differ by less than this.
_SAME_SIZE = 0.01
# Where each category is one of several records there is nothing to tell.
_LOOKED_UP = {"OneHotEncoder", "OrdinalEncoder"}


def register_equations(*classes):
    """Tell what the estimators of a class store, as a decorator.

    Parameters
    ----------
    *classes : type or str
        Exact classes: a subclass may train in another way, and is asked for under its
        own name. One of another package by its module and name, as
        "lightgbm.sklearn.LGBMClassifier", so that nobody needs to import it.

    Returns
    -------
    decorator : callable
        For a function ``(estimator, X, y)`` that gets the fitted estimator, the
        features of the pool as it gets them and the labels as it was given them, and
        returns or yields :class:`Equations`. It returns the function.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.base import BaseEstimator
    >>> from sklearn_mia.equations import (
    ...     Equations, linear_equations, register_equations)
    >>> class Centre(BaseEstimator):
    ...     def fit(self, X, y=None):
    ...         self.n_, self.centre_ = len(X), np.mean(X, axis=0)
    ...         return self
    >>> @register_equations(Centre)
    ... def equations_of_a_centre(estimator, X, y):
    ...     yield Equations("mean", X.T, estimator.n_ * estimator.centre_)
    >>> X = np.arange(6.0).reshape(3, 2)
    >>> system = linear_equations(Centre().fit(X[:2]), X)
    >>> system.toarray() @ [1, 1, 0] - system.b
    array([0., 0.])
    """
    if not classes or not all(isinstance(c, (type, str)) for c in classes):
        raise TypeError(
            f"register_equations got {classes!r}; expected classes, or their names "
            "with their modules: @register_equations(MyClassifier)."
        )

    def decorator(function):
        _FAMILIES.update(dict.fromkeys(classes, function))
        return function

    return decorator


def _family(estimator):
    own = type(estimator)
    named = _FAMILIES.get(f"{own.__module__}.{own.__qualname__}")
    return _FAMILIES.get(own, named)


def known_families():
    """Names of the classes that have equations.

    Returns
    -------
    names : list of str
        In alphabetical order.
    """
    names = (c if isinstance(c, str) else c.__name__ for c in _FAMILIES)
    return sorted({name.rpartition(".")[2] for name in names})


def has_equations(model):
    """Tell whether some part of a model is of a class that has equations.

    Parameters
    ----------
    model : fitted estimator
        In any wrappers.

    Returns
    -------
    has_equations : bool
        Settings of that part may still leave none of them.
    """
    return any(_family(part) is not None for part in estimators_in(model))


def linear_equations(estimator, X, y=None):
    r"""What a fitted estimator stores, as equations in the membership of a pool.

    .. math:: A m = b + \text{noise}

    with one column of A a record of the pool and :math:`m_i` how often the record is
    in the training data. Nothing is fitted, and membership is not asked for. Steps of
    pipelines, columns of a ColumnTransformer, the estimators of voting, stacking,
    bagging and calibrated ones and what a search found are gone through; what has no
    equations is left out.

    Parameters
    ----------
    estimator : fitted estimator
        A classifier, or a transformer.

    X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)
        Features of the pool, as the estimator gets them.

    y : array-like of shape (n_records,) or None, default=None
        Class labels of the pool; a classifier needs them.

    Returns
    -------
    system : LinearSystem
        The rows: ``system.dot(m)``, ``system.b``, ``system.scale``, and
        ``system.table()``.

    Raises
    ------
    ValueError
        If no part of the estimator has equations.

    See Also
    --------
    register_equations : Tell what an estimator of your own stores.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn_mia.equations import linear_equations
    >>> X, y = load_iris(return_X_y=True)
    >>> system = linear_equations(GaussianNB().fit(X[::2], y[::2]), X, y)
    >>> for line in system.table():
    ...     print(line.kind, line.n_equations)
    class count 3
    class mean 12
    class variance 12
    """
    check_container(X)
    if not is_table(X):
        found = as_items(X)
        X = np.asarray(X) if found is None else found
    n_records = _num_samples(X)
    if y is not None:
        y = as_labels(y)
        check_consistent_length(X, y)
    elif hasattr(estimator, "classes_"):
        raise ValueError(
            f"y=None, but {type(estimator).__name__} is a classifier: its equations "
            "need the class labels of the pool. Pass them as y."
        )
    blocks, read = [], set()
    for part in parts_of(estimator, own_copy(X), y):
        found = _of_part(part, n_records)
        tells = any(np.isfinite(block.scale).any() for block in found)
        if tells or type(part.estimator).__name__ in _LOOKED_UP:
            read.add(id(part.estimator))
        blocks += found
    if not blocks:
        _check_resamples_nothing(estimator)
        name = type(open_model(estimator).classifier).__name__
        raise ValueError(
            f"No linear equation is known for {name} as it was trained. There are some "
            f"for {', '.join(known_families())}, at the settings that their "
            "documentation names; see register_equations for estimators of your own."
        )
    unread = [
        (type(part).__name__, n_numbers(part)) for part in unread_in(estimator, read)
    ]
    return LinearSystem(tuple(_of_one_training_set(blocks)), n_records, tuple(unread))


def _check_resamples_nothing(estimator):
    """Raise ValueError, with the reason, if a step chose the training records."""
    opened = open_model(estimator)
    if opened.samplers:
        name = type(opened.classifier).__name__
        raise ValueError(
            f"No linear equation is known for {name} after "
            f"{type(opened.samplers[0]).__name__}, which chose the records that it was "
            "trained on and is not asked which. Use an attack by the answers, such as "
            "RMIA."
        )


def _of_one_training_set(blocks):
    """Bring steps with other numbers of records to those of the step that tells most.

    One of them held records out, to stop early: of the larger set the smaller is a
    random share.
    """
    told, sizes = {}, {}
    for block in blocks:
        sizes[block.step] = sizes.get(block.step, 0) + len(block.b)
        if block.n_members is not None:
            told[block.step] = max(block.n_members, told.get(block.step, 0.0))
    if not told:
        return blocks
    n_members = told[max(told, key=sizes.get)]
    return [_resized(b, told.get(b.step, n_members), n_members) for b in blocks]


def _resized(block, n_own, n_members):
    ratio = n_members / n_own
    if abs(ratio - 1) < _SAME_SIZE:
        return block
    return replace(
        block,
        b=block.b * ratio,
        scale=block.scale * ratio,
        sampling=block.sampling + abs(1 - ratio),
        n_members=n_members,
    )


def _of_part(part, n_records):
    family = _family(part.estimator)
    if family is None:
        return []
    features, labels, records = part.features, part.labels, None
    classes = getattr(part.estimator, "classes_", None)
    if labels is not None and isinstance(classes, np.ndarray):
        # A part that never saw a class has no record of it.
        seen = find_labels(labels, classes) >= 0
        if not seen.all():
            records = np.flatnonzero(seen)
            features, labels = take(features, records), take(labels, records)
    n_given = n_records if records is None else len(records)
    if n_given == 0:
        return []
    return [
        _adapted(equations, part, records, n_given, family)
        for equations in family(part.estimator, features, labels)
    ]


def _adapted(equations, part, records, n_given, family):
    if not isinstance(equations, Equations):
        raise TypeError(
            f"{family.__name__}, registered for {type(part.estimator).__name__}, gave "
            f"{type(equations).__name__}; expected Equations."
        )
    if equations.records is None and equations.matrix.shape[1] != n_given:
        raise ValueError(
            f"{family.__name__}, registered for {type(part.estimator).__name__}, gave "
            f"a matrix of {equations.matrix.shape[1]} columns for {n_given} records; "
            "expected a column a record, or their positions as `records`."
        )
    if records is not None and equations.records is not None:
        records = records[equations.records]
    elif records is None:
        records = equations.records
    n_members = equations.n_members
    return replace(
        equations,
        b=equations.b / part.share,
        scale=equations.scale / part.share,
        # The draws of a part within a part add up, in a first approximation.
        sampling=equations.sampling + part.sampling,
        n_members=None if n_members is None else n_members / part.share,
        records=records,
        step=part.step,
    )
