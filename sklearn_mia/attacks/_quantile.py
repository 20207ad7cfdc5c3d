"""The attack that predicts how a non-member would look, without shadows."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.parallel import delayed

from sklearn_mia._compat import set_random_states
from sklearn_mia.base import BaseAttack
from sklearn_mia.identity import cell_values, find_ids, mix
from sklearn_mia.items import item_numbers, one_shape
from sklearn_mia.shadows import root_seed
from sklearn_mia.signals import as_signal
from sklearn_mia.tables import columns_of, is_table, numbers_of
from sklearn_mia.workers import parallel

_MOST_CATEGORIES = 200
_MOST_ONE_HOT = 20
_COLUMNS_OF_ITEMS = 64
_RECORDS_ABOVE_QUANTILE = 10
_TINY_SQUARE = 1e-6


def draw_folds(ids, n_folds, seed):
    """Assign records to folds of equal size by content, equal records together.

    Parameters
    ----------
    ids : ndarray of shape (n_records,), dtype uint64

    n_folds : int

    seed : int

    Returns
    -------
    folds : ndarray of shape (n_records,), dtype int
    """
    unique, inverse = np.unique(ids, return_inverse=True)
    lottery = mix(unique ^ mix(np.uint64(seed % 2**64)))
    folds = np.empty(len(unique), dtype=int)
    folds[np.argsort(lottery, kind="stable")] = np.arange(len(unique)) % n_folds
    return folds[inverse]


class RecordTable:
    """Records as a table of numbers for a regressor.

    Numbers stay as they are, with NaN for what is missing, and so does the value that a
    regressor predicts. The class label and the columns that are not numbers are
    categories: coded 0, 1, ... by frequency, or one column each. Documents, images and
    the like are told by about 64 numbers: counts of hashed words, cells or statistics
    of them, and lengths.

    Parameters
    ----------
    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)
        Features of the pool.

    n_classes : int or None
        Classes of the target, None of a regressor.

    one_hot : bool
        Whether a category becomes one column a value.

    Attributes
    ----------
    is_category : ndarray of shape (n_columns,), dtype bool
        Columns of category codes.
    """

    def __init__(self, features, n_classes, one_hot):
        self.n_classes, self.one_hot = n_classes, one_hot
        self._known = {}
        self._item_shape = one_shape(features)
        features = self._as_columns(features)
        for j, column in enumerate(columns_of(features)):
            if numbers_of(column) is None:
                values, counts = np.unique(cell_values(column), return_counts=True)
                most = _MOST_ONE_HOT if one_hot else _MOST_CATEGORIES
                self._known[j] = values[np.argsort(-counts, kind="stable")[:most]]
        self.is_category = np.array(
            [c in self._known for c in range(j + 1)]
            + [n_classes is not None and n_classes <= _MOST_CATEGORIES]
        )

    def transform(self, features, codes):
        """Make the table.

        Parameters
        ----------
        features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

        codes : ndarray of shape (n_records,)
            Column of the class label, or the value to predict.

        Returns
        -------
        table : ndarray of shape (n_records, n_columns)
        """
        features = self._as_columns(features)
        parts = [
            self._coded(cell_values(column), self._known[j])
            if j in self._known
            else numbers_of(column)
            for j, column in enumerate(columns_of(features))
        ]
        is_code = self.one_hot and self.n_classes is not None
        parts.append(np.eye(self.n_classes)[codes] if is_code else codes)
        return np.column_stack(parts).astype(np.float64)

    def _as_columns(self, features):
        """Items as a small table of numbers; a table as it is."""
        if is_table(features):
            return features
        return item_numbers(features, _COLUMNS_OF_ITEMS, self._item_shape)

    def _coded(self, cells, known):
        same = cells[:, None] == known
        if self.one_hot:
            return same.astype(np.float64)
        # A rare or unknown value is one more category.
        return np.where(same.any(axis=1), same.argmax(axis=1), len(known))


def _fit(estimator, table, target):
    """Fit a clone; a column without a value, which boosting does not take, is zero."""
    empty = np.all(np.isnan(table), axis=0)
    return clone(estimator).fit(np.where(empty, 0.0, table), target)


def _fit_fold(estimators, head, table, signal, halves):
    """Regressors of one fold: the location and, for the Gaussian head, the spread."""
    location, spread = estimators
    fitted = _without_bins(_fit(location, table, signal))
    if head != "gaussian":
        return fitted, None
    squares = np.empty(len(signal))
    for half in (halves, ~halves):
        # Residuals of a model that did not see the record: its own are too small.
        other = _fit(location, table[~half], signal[~half])
        squares[half] = (signal[half] - other.predict(table[half])) ** 2
    squares += _TINY_SQUARE
    if getattr(spread, "loss", None) != "gamma":
        squares = np.log(squares)
    return fitted, _without_bins(_fit(spread, table, squares))


def _without_bins(regressor):
    """Forget the edges of the bins, cells of records that only training needs."""
    bins = getattr(regressor, "_bin_mapper", None)
    if bins is not None:
        bins.bin_thresholds_ = [
            edges if is_category else edges[:0]
            for edges, is_category in zip(
                bins.bin_thresholds_, bins.is_categorical_, strict=True
            )
        ]
    return regressor


def _excess(models, table, signal):
    """Signal above its predicted value, in predicted standard deviations if any."""
    location, spread = models
    excess = signal - location.predict(table)
    if spread is None:
        return excess
    variance = spread.predict(table)
    if getattr(spread, "loss", None) != "gamma":
        variance = np.exp(np.clip(variance, -50, 50))
    return excess / np.sqrt(np.maximum(variance, _TINY_SQUARE))


class QuantileRegressionAttack(BaseAttack):
    r"""Compare a record's signal with what a regression expects of such a record.

    A regression learns, from the records of the pool, which signal h the target gives
    to records with features x and class y. The score is how far the signal of a record
    is above that:

    ===========  ================================================================
    head         score
    ===========  ================================================================
    "mean"       :math:`h - \mu(x, y)`
    "gaussian"   :math:`(h - \mu(x, y)) / \sigma(x, y)`
    "quantile"   :math:`h - q_{1-\alpha}(x, y)`, above 0 for a share of about
                 :math:`\alpha` of the pool
    ===========  ================================================================

    It trains no shadow model and needs no knowledge of how the target was trained,
    only records. Each record of the pool is scored by the regression that did not see
    its fold (equal records share one), another record by one of the regressions, by its
    content: no score is in-sample, so that the pool may hold the records in question.

    Parameters
    ----------
    target_estimator : classifier or regressor
        The fitted model under attack. Never refitted, never changed; a clone of the
        attack keeps it by identity.

    estimator : regressor or None, default=None
        Learns the signal. None is a
        :class:`~sklearn.ensemble.HistGradientBoostingRegressor` that takes the class
        and other categories as such. Another one gets them one-hot, numbers as they
        are, and is fitted as given: for ``head="quantile"`` pass one with a quantile
        loss.

    head : {"mean", "gaussian", "quantile"}, default="mean"
        What is learned of the signal. The papers use "gaussian" (on tables) and
        "quantile"; "mean" is one regression where "gaussian" is four.

    quantile : float in (0, 1) or "auto", default="auto"
        Quantile of the default estimator for ``head="quantile"``; "auto" is
        ``1 - max_fpr``, or less in a pool too small for it: 10 records should be above.

    signal : str or callable, default="auto"
        What is read from the target's answer; formulas in
        :mod:`sklearn_mia.signals`. "auto" is "logit", of a regressor "absolute_error".

    n_folds : int, default=5
        Folds of the pool.

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

    n_jobs : int or None, default=None
        Folds at a time. None is 1 unless in a `joblib.parallel_config`.

    random_state : int, RandomState instance or None, default=None
        Seeds the folds and `estimator`. The result does not depend on `n_jobs`.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Non-member and member.

    estimators_ : list of (regressor, regressor or None)
        The location and the spread of the signal, by fold.

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
    RMIA : Learns the same from shadow models; stronger, for as many fits.
    ThresholdAttack : The signal as it is.

    Notes
    -----
    With members in the pool the regression expects a little too much of every record;
    that moves the threshold, not the ranking. Sparse records are made dense.

    A pickle of the fitted attack holds the regressions. The default one splits at
    values some of which are cells of the pool; another `estimator` may keep whole
    records, as neighbours do.

    References
    ----------
    .. [1] M. Bertran, S. Tang, M. Kearns, J. Morgenstern, A. Roth and Z. S. Wu, 2023,
       "Scalable membership inference attacks via quantile regression".

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import as_records
    >>> from sklearn_mia import QuantileRegressionAttack
    >>> X, y = make_classification(400, flip_y=0.2, random_state=0)
    >>> model = RandomForestClassifier(20, random_state=0).fit(X[:200], y[:200])
    >>> records, is_member = as_records(X, y), [True] * 200 + [False] * 200
    >>> attack = QuantileRegressionAttack(model, random_state=0).fit(records)
    >>> attack.score(records, is_member) > 0.8
    True
    """

    explanation = (
        "Learns what answer to expect for a record like this one, and looks how far "
        "the real one is above that."
    )
    _parameter_constraints: dict = {
        **BaseAttack._parameter_constraints,
        "estimator": [HasMethods(["fit", "predict"]), None],
        "head": [StrOptions({"mean", "gaussian", "quantile"})],
        "quantile": [Interval(Real, 0, 1, closed="neither"), StrOptions({"auto"})],
        "signal": [str, callable],
        "n_folds": [Interval(Integral, 2, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }
    has_regression = True

    def __init__(
        self,
        target_estimator=None,
        *,
        estimator=None,
        head="mean",
        quantile="auto",
        signal="auto",
        n_folds=5,
        label_column="auto",
        member_label=None,
        response_method="auto",
        max_fpr=0.05,
        n_jobs=None,
        random_state=None,
    ):
        self.target_estimator = target_estimator
        self.estimator = estimator
        self.head = head
        self.quantile = quantile
        self.signal = signal
        self.n_folds = n_folds
        self.label_column = label_column
        self.member_label = member_label
        self.response_method = response_method
        self.max_fpr = max_fpr
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _fit_scores(self, pool, is_member):
        self._function = as_signal(self.signal, self._signals)
        signal, units = self._signal(pool), pool.units
        # A record without a signal teaches nothing and gets no score.
        usable = np.isfinite(signal)
        n_different = len(np.unique(units[usable]))
        if n_different < 2 * self.n_folds:
            what = "records" if pool.groups is None else "groups"
            which = "" if usable.all() else " with a finite signal"
            raise ValueError(
                f"n_folds={self.n_folds!r}, but the pool has only {n_different} "
                f"different {what}{which}; at least 2 a fold are expected. Pass a "
                "larger pool or fewer folds."
            )
        self._seed = seed = root_seed(self.random_state)
        self._table = RecordTable(
            pool.features,
            None if pool.answer.ndim == 1 else pool.answer.shape[1],
            self.estimator is not None,
        )
        table = self._table.transform(pool.features, pool.codes)
        # By content, so that the order of the pool does not matter.
        order = np.argsort(pool.ids, kind="stable")
        folds = draw_folds(units, self.n_folds, seed)
        estimators = self._estimators(seed, len(order))
        training = [
            order[usable[order] & (folds[order] != f)] for f in range(self.n_folds)
        ]
        self.estimators_ = parallel(n_jobs=self.n_jobs)(
            delayed(_fit_fold)(
                estimators,
                self.head,
                table[rows],
                signal[rows],
                draw_folds(units[rows], 2, seed + 1) == 0,
            )
            for rows in training
        )
        scores = np.empty(len(order))
        for f, models in enumerate(self.estimators_):
            own = folds == f
            scores[own] = _excess(models, table[own], signal[own])
        self._pool_ids, first = np.unique(pool.ids, return_index=True)
        self._pool_scores = scores[first]
        return scores

    def _estimators(self, seed, n_records):
        """Unfitted regressors of the location and of the spread."""
        if self.estimator is not None:
            location = spread = self.estimator
        else:
            own = {
                "early_stopping": False,
                "categorical_features": self._table.is_category,
            }
            location = HistGradientBoostingRegressor(**own)
            if self.head == "quantile":
                quantile = self.quantile
                if quantile == "auto":
                    enough = 1 - _RECORDS_ABOVE_QUANTILE / n_records
                    quantile = max(0.5, min(1 - self.max_fpr, enough))
                # A quantile needs more records a leaf than a mean.
                location.set_params(
                    loss="quantile",
                    quantile=quantile,
                    max_leaf_nodes=8,
                    min_samples_leaf=50,
                )
            spread = HistGradientBoostingRegressor(
                loss="gamma", max_leaf_nodes=8, min_samples_leaf=40, **own
            )
        random_state = np.random.RandomState(seed % 2**32)
        location, spread = clone(location), clone(spread)
        set_random_states(location, random_state)
        set_random_states(spread, random_state)
        return location, spread

    def _signal(self, queries):
        return self._function(queries.answer, queries.codes)

    def _score_queries(self, queries):
        # One regression a record, as in the pool: the mean of all would be less noisy
        # than the scores of the pool, and no longer comparable with them.
        folds = mix(queries.ids ^ mix(np.uint64(self._seed % 2**64)))
        folds = (folds % np.uint64(self.n_folds)).astype(int)
        place = find_ids(self._pool_ids, queries.ids)
        in_pool = place >= 0
        scores = self._pool_scores[place]
        if not in_pool.all():
            table = self._table.transform(queries.features, queries.codes)
            signal = self._signal(queries)
        for fold in np.unique(folds[~in_pool]):
            own = ~in_pool & (folds == fold)
            scores[own] = _excess(self.estimators_[fold], table[own], signal[own])
        return scores
