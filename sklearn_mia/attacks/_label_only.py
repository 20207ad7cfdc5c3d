"""The attack that sees nothing but predicted labels."""

from dataclasses import dataclass
from numbers import Integral, Real

import joblib
import numpy as np
import scipy.sparse as sp
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_mia.attacks._tabular_noise import TabularNoise
from sklearn_mia.base import MeanGap, side_mean
from sklearn_mia.base._without_shadows import BaseOptionalShadowAttack
from sklearn_mia.hooks import cause_of
from sklearn_mia.readers import Reader, own_column, read_values
from sklearn_mia.records import Records
from sklearn_mia.response import predicted_codes
from sklearn_mia.shadows import root_seed
from sklearn_mia.signals import as_signal, signal_name
from sklearn_mia.tables import take

_RATE_ALONE = 1.0
_RATE_WITH_SHADOWS = 0.2


def robustness(correct, share):
    r"""How firmly the label stands, :math:`\tfrac12 (c + r)`.

    It ranks like the share r of noisy copies with the label of the record among the
    records that the target gets right, and puts all others below them.

    Parameters
    ----------
    correct : ndarray of shape (n_records,)
        c: 1 where the target gives the record its label, else 0.

    share : ndarray of shape (n_records,)
        r: share of the noisy copies that get this label.

    Returns
    -------
    signal : ndarray of shape (n_records,)
        Higher = more likely a member.
    """
    return 0.5 * (correct + share)


def contrast(correct, share):
    """How much more the label stands at the record than around it, c - r.

    Parameters
    ----------
    correct : ndarray of shape (n_records,)
        c: 1 where the target gives the record its label, else 0.

    share : ndarray of shape (n_records,)
        r: share of the noisy copies that get this label.

    Returns
    -------
    signal : ndarray of shape (n_records,)
        Higher = more likely a member.
    """
    return correct - share


_SIGNALS = {"contrast": contrast, "robustness": robustness}


@dataclass(frozen=True, repr=False)
class NoisyLabelReader(Reader):
    """Ask a model for the labels of a record and of noisy copies of it.

    A pickle of it holds what its `noise` does.

    Attributes
    ----------
    noise : TabularNoise

    classes : ndarray of shape (n_classes,)
        Classes of the target.

    n_queries : int
        Noisy copies a record.

    batch_size : int
        Rows a call of `predict`.

    signal : callable
        ``signal(correct, share)``.
    """

    noise: TabularNoise
    classes: np.ndarray
    n_queries: int
    batch_size: int
    signal: object

    @property
    def name(self):
        """What an answer depends on besides the shadow, for the cache."""
        noise = self.noise
        settings = (noise.rate, noise.scale, noise.units, noise.seed, self.n_queries)
        return f"noisy labels {joblib.hash(settings)}"

    def ask(self, model, seen, features, codes=None, members=None):
        """Labels of the records, one-hot, and shares of the labels of their copies.

        Parameters
        ----------
        model : fitted classifier

        seen : ndarray of shape (n_seen,)

        features : {ndarray, DataFrame} of shape (n_records, n_features)

        codes, members : object, default=None
            Not used.

        Returns
        -------
        answer : ndarray of shape (2, n_records, n_seen)
        """
        clean = np.concatenate(
            [
                self._codes(model, take(features, rows))
                for rows in self._batches(len(features))
            ]
        )
        return np.stack([np.eye(len(seen))[clean], self.shares(model, features)])

    def shares(self, model, features):
        """Share of each label among the noisy copies of each record.

        Parameters
        ----------
        model : fitted classifier

        features : {ndarray, DataFrame} of shape (n_records, n_features)

        Returns
        -------
        share : ndarray of shape (n_records, n_seen)
            Of the copies that were answered, NaN if none was.
        """
        n_records, n_seen = len(features), len(model.classes_)
        # The first copy of each record, then the second: a budget ends with all alike.
        places = self._batches(n_records * self.n_queries)
        rows = [place % n_records for place in places]
        numbers = [place // n_records for place in places]
        counts = np.zeros(n_records * n_seen)
        batches = self.noise.copies(features, rows, numbers)
        for row, batch in zip(rows, batches, strict=True):
            codes = self._codes(model, batch)
            cells = (row * n_seen + codes)[codes >= 0]
            counts += np.bincount(cells, minlength=len(counts))
        counts = counts.reshape(n_records, n_seen)
        with np.errstate(invalid="ignore"):
            return counts / counts.sum(axis=1, keepdims=True)

    def read(self, answer, seen, codes):
        """Read the signal from an answer.

        Parameters
        ----------
        answer : ndarray of shape (2, n_records, n_seen)

        seen : ndarray of shape (n_seen,)

        codes : ndarray of shape (n_records,)

        Returns
        -------
        values : ndarray of shape (n_records,)
            NaN for a record whose class the model never saw.
        """
        own = own_column(codes, seen)
        values = self.signal(*answer[:, np.arange(len(codes)), own])
        return np.where(own < 0, np.nan, values)

    def _batches(self, n):
        starts = range(0, n, self.batch_size)
        return [np.arange(s, min(s + self.batch_size, n)) for s in starts]

    @staticmethod
    def _codes(model, features):
        return predicted_codes(model, features)


def _try_signal(signal):
    """Raise ValueError, before any query, for a function that reads something else."""
    try:
        signal(np.array([1.0, 0.0]), np.array([0.5, 0.5]))
    except Exception as error:
        raise ValueError(
            f"The signal {signal_name(signal)!r} of LabelOnlyAttack failed on two "
            f"records: {cause_of(error)} It is called as signal(correct, share), two "
            "arrays of shape (n_records,): 1 where the target gives a record its "
            "label, else 0, and the share of its noisy copies with that label."
        ) from error


class LabelOnlyAttack(BaseOptionalShadowAttack):
    r"""Attack a model that answers with labels alone, by asking about noisy copies.

    Only `predict` of the target is called. With c = 1 where the target gives the
    record its label and r the share of noisy copies that get it too:

    ==============  ==================================================================
    signal          formula
    ==============  ==================================================================
    "contrast"      c - r: the label stands at the record, not around it
    "robustness"    (c + r) / 2: the label stands firmly; ranks like the papers' r, 0
                    for a record that the target gets wrong
    ==============  ==================================================================

    Papers take firm labels for a sign of membership. On tables an easy record has a
    firm label whether or not it is a member, and a hard member of an overfitted model
    is an island among other labels. So without shadows the contrast is the better
    signal; with shadows the difficulty is known, and the score is the robustness minus
    its mean over models with and without the record.

    Parameters
    ----------
    target_estimator : classifier
        The fitted model under attack. Never refitted, never changed; a clone of the
        attack keeps it by identity.

    shadow_estimator : estimator or None, default=None
        The recipe of the shadows, cloned for each; None takes the target's (what a
        `FrozenEstimator` holds, the `best_estimator_` of a search).

    signal : {"auto", "contrast", "robustness"} or callable, default="auto"
        "auto" is "contrast" without shadows and "robustness" with them. A callable is
        ``signal(correct, share)``: c and r of each record, two arrays of shape
        (n_records,) that it cannot write to, in; one number a record out, higher =
        more likely a member. The functions of :mod:`sklearn_mia.signals` read
        probabilities and do not fit.

    n_queries : int, default=100
        Noisy copies of each record, the budget: the target labels
        ``n_records * (n_queries + 1)`` rows, and so does each shadow.

    noise_rate : float in (0, 1] or "auto", default="auto"
        Probability that a cell is changed; "auto" is 1 without shadows, to ask far
        from the record, and .2 with them.

    noise_scale : float, default=1.0
        Noise of a changed number, in standard deviations of its column.

    categorical_features : {"from_dtype"} or array-like, default="from_dtype"
        Features to replace as a whole by a value from the pool: names, positions or a
        mask, without the class label. "from_dtype" takes what is not a number.
        Columns of two values are always among them.

    one_hot_groups : sequence of array-like or None, default=None
        Columns that encode one category: each group is replaced as a whole, so that a
        copy is never of two categories or none.

    batch_size : int, default=10000
        Rows a call of `predict`. It does not change the scores.

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
        Seeds the noise, the splits and the shadows. The result does not depend on
        `n_jobs`.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Non-member and member.

    noise_rate_ : float
        The rate in use.

    signal_ : str or callable
        The signal in use.

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
    ThresholdAttack : With ``signal="correctness"`` the gap attack, one query a record.
    RMIA : Far stronger where the target gives probabilities.

    Notes
    -----
    The noise is a function of the content of a record, the number of the copy and the
    seed, so a score depends neither on the order of the records nor on their number.
    Sparse records are refused: noise would fill them.

    A pickle of the fitted attack holds what the noise is drawn from: the categories of
    the records of the pool, and the smallest and the largest value of each number.

    References
    ----------
    .. [1] C. A. Choquette-Choo, F. Tramer, N. Carlini and N. Papernot, 2021,
       "Label-only membership inference attacks".
    .. [2] Z. Li and Y. Zhang, 2021, "Membership leakage in label-only exposures".

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import as_records
    >>> from sklearn_mia import LabelOnlyAttack
    >>> X, y = make_classification(400, 8, flip_y=0.4, random_state=0)
    >>> model = RandomForestClassifier(20, random_state=0).fit(X[:200], y[:200])
    >>> records, is_member = as_records(X, y), [True] * 200 + [False] * 200
    >>> attack = LabelOnlyAttack(model, n_queries=20, random_state=0).fit(records)
    >>> attack.score(records, is_member) > 0.6
    True
    """

    explanation = (
        "Sees predicted labels alone: it asks about slightly changed copies of a "
        "record, too, and looks whether the label of the record itself stands out."
    )
    _parameter_constraints: dict = {
        **BaseOptionalShadowAttack._parameter_constraints,
        "signal": [str, callable],
        "n_queries": [Interval(Integral, 1, None, closed="left")],
        "noise_rate": [Interval(Real, 0, 1, closed="right"), StrOptions({"auto"})],
        "noise_scale": [Interval(Real, 0, None, closed="neither")],
        "categorical_features": [StrOptions({"from_dtype"}), "array-like"],
        "one_hot_groups": ["array-like", list, tuple, None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
    }
    del _parameter_constraints["response_method"]
    response_method = "predict"

    def __init__(
        self,
        target_estimator=None,
        *,
        shadow_estimator=None,
        signal="auto",
        n_queries=100,
        noise_rate="auto",
        noise_scale=1.0,
        categorical_features="from_dtype",
        one_hot_groups=None,
        batch_size=10_000,
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
        self.signal = signal
        self.n_queries = n_queries
        self.noise_rate = noise_rate
        self.noise_scale = noise_scale
        self.categorical_features = categorical_features
        self.one_hot_groups = one_hot_groups
        self.batch_size = batch_size
        self.n_shadows = n_shadows
        self.keep_models = keep_models
        self.memory = memory
        self.label_column = label_column
        self.member_label = member_label
        self.max_fpr = max_fpr
        self.n_jobs = n_jobs
        self.timeout = timeout
        self.random_state = random_state

    def _refuse_records(self, X):
        if isinstance(X, Records):
            raise TypeError(
                f"{type(self).__name__} changes single cells of a table, and X is "
                "Records. Use an attack by the answers, such as RMIA with "
                "response_method='predict'; images can be flattened to a table, for a "
                "target that takes it."
            )
        if sp.issparse(X):
            raise TypeError(
                f"{type(self).__name__} got sparse records, which noise would fill. "
                "Pass X.toarray() with a target that takes it, or another attack."
            )

    def _check_records(self, X, reset):
        self._refuse_records(X)
        return super()._check_records(X, reset)

    def _fit_target(self, X):
        self.signal_ = self.signal
        if isinstance(self.signal, str) and self.signal == "auto":
            self.signal_ = "robustness" if self.n_shadows else "contrast"
        signal = as_signal(self.signal_, _SIGNALS)
        _try_signal(signal)
        pool = super()._fit_target(X)
        self.noise_rate_ = self.noise_rate
        if self.noise_rate_ == "auto":
            self.noise_rate_ = _RATE_WITH_SHADOWS if self.n_shadows else _RATE_ALONE
        noise = TabularNoise(
            pool.features,
            rate=self.noise_rate_,
            scale=self.noise_scale,
            categorical_features=self.categorical_features,
            one_hot_groups=self.one_hot_groups,
            seed=root_seed(self.random_state),
        )
        self._noisy_labels = NoisyLabelReader(
            noise,
            self._responder.classes,
            self.n_queries,
            self.batch_size,
            signal,
        )
        return pool

    def _split_queries(self, X):
        features, *codes = super()._split_queries(X)
        # A model may refuse a type or a category that it was not trained on.
        return self._noisy_labels.noise.typed(features), *codes

    def _reader(self):
        return self._noisy_labels

    def _target_signal(self, queries):
        n_classes = len(self._responder.classes)
        clean = np.eye(n_classes)[queries.log_proba.argmax(axis=1)]
        share = self._noisy_labels.shares(self.target_estimator, queries.features)
        answer = np.stack([clean, share])
        seen = np.arange(n_classes)
        return read_values(self._noisy_labels, answer, seen, queries.codes)

    def _log_proba_of_shadows(self):
        return None  # labels alone

    def _calibrate(self, pool, signals, members):
        self._gap = MeanGap(
            *(side_mean(signals, members, side) for side in (True, False))
        )

    def _score(self, target, signals, members, in_pool):
        if not len(signals):
            return target
        means = (side_mean(signals, members, side) for side in (True, False))
        sides = self._gap.complete(*means, in_pool)
        return target - np.mean(sides, axis=0)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags
