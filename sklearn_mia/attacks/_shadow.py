"""What all attacks with shadow models share."""

import warnings
from abc import abstractmethod
from numbers import Integral

import numpy as np
from sklearn.base import _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted, check_memory

from sklearn_mia.attacks._base import BaseAttack, Queries
from sklearn_mia.records import mix, record_ids
from sklearn_mia.response import unfitted_recipe
from sklearn_mia.shadows import (
    ShadowWork,
    cache_key,
    draw_members,
    query_shadows,
    root_seed,
    train_shadows,
)

_ODD_DUPLICATES = 0.02
_PROBE_SIZE = 1000
_MOST_STAND_INS = 4
_RECORDS_PER_BIN = 50
_MOST_BINS = 20


def masked_mean(values, mask):
    """Mean over shadows of the cells where `mask` holds; NaN where there is none.

    Parameters
    ----------
    values : ndarray of shape (n_shadows, n_records)
        Missing cells must not be in `mask`.

    mask : ndarray of shape (n_shadows, n_records), dtype bool

    Returns
    -------
    mean : ndarray of shape (n_records,)
    """
    total, count = masked_sum(values, mask)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def masked_sum(values, mask):
    """Sum over shadows of the cells where `mask` holds, and their number.

    Shadow after shadow, so that a record's sum depends on its own cells alone and no
    second table is made.

    Parameters
    ----------
    values : ndarray of shape (n_shadows, n_records)

    mask : ndarray of shape (n_shadows, n_records), dtype bool

    Returns
    -------
    total : ndarray of shape (n_records,)

    count : ndarray of shape (n_records,)
    """
    n_records = mask.shape[1]
    total, count = np.zeros(n_records), np.zeros(n_records, dtype=int)
    for row, used in zip(values, mask, strict=True):
        np.add(total, row, out=total, where=used)
        count += used
    return total, count


class MeanGap:
    """Mean gap between the IN and the OUT mean of a record, seen in the pool.

    Frozen when an attack is fitted; it stands in for the side of a record that no
    shadow shows. The gap is the mean over records with a like mean on the known side:
    equal-count bins, joined by straight lines.

    Parameters
    ----------
    mean_in, mean_out : ndarray of shape (n_records,)
        Means over the IN and the OUT shadows, NaN where there is none.
    """

    def __init__(self, mean_in, mean_out):
        usable = np.isfinite(mean_in) & np.isfinite(mean_out)
        gap = (mean_in - mean_out)[usable]
        self._from_out = self._binned(mean_out[usable], gap)
        self._from_in = self._binned(mean_in[usable], gap)

    @staticmethod
    def _binned(known, gap):
        if len(known) == 0:
            return np.zeros(1), np.zeros(1)
        n_bins = int(np.clip(len(known) // _RECORDS_PER_BIN, 1, _MOST_BINS))
        bins = np.array_split(np.argsort(known, kind="stable"), n_bins)
        # Bins that share a center, because of ties, become one.
        centers, group = np.unique([known[b].mean() for b in bins], return_inverse=True)
        sizes = np.bincount(group, weights=[len(b) for b in bins])
        totals = np.bincount(group, weights=[gap[b].sum() for b in bins])
        return centers, totals / sizes

    def complete(self, mean_in, mean_out, in_pool):
        """Give every record both means.

        Parameters
        ----------
        mean_in, mean_out : ndarray of shape (n_records,)
            NaN where a side is missing. Outside the pool, the shadows that play IN
            are OUT shadows too: their mean is raised by the gap.

        in_pool : ndarray of shape (n_records,), dtype bool

        Returns
        -------
        mean_in, mean_out : ndarray of shape (n_records,)
            NaN only where both sides are missing.
        """
        played = np.isfinite(mean_in) & np.isfinite(mean_out) & ~in_pool
        raised = np.where(
            played, mean_in + np.interp(mean_out, *self._from_out), mean_in
        )
        from_out = mean_out + np.interp(mean_out, *self._from_out)
        from_in = mean_in - np.where(in_pool, np.interp(mean_in, *self._from_in), 0.0)
        return (
            np.where(np.isnan(mean_in), from_out, raised),
            np.where(np.isnan(mean_out), from_in, mean_out),
        )


class BaseShadowAttack(CallbackSupportMixin, BaseAttack):
    """Base class of the attacks with shadow models.

    An attack adds its parameters, a docstring, `_signal` and `_score`, and freezes
    what it needs from the pool in `_calibrate`.
    """

    _parameter_constraints: dict = {
        **BaseAttack._parameter_constraints,
        "shadow_estimator": [HasMethods(["fit", "get_params"]), None],
        "n_shadows": [Interval(Integral, 2, None, closed="left")],
        "keep_models": ["boolean"],
        "memory": [str, HasMethods(["cache"]), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    @abstractmethod
    def _signal(self):
        """Function ``(log_proba, codes) -> values``, the same for target and shadows.

        It travels to workers, so it is a module-level function or a partial of one.
        """

    def _calibrate(self, signals, members):
        """Freeze what the formula needs from the pool."""

    @abstractmethod
    def _score(self, target, signals, members, in_pool):
        """Score records by the formula of the attack.

        Parameters
        ----------
        target : ndarray of shape (n_records,)
            Signals of the target.

        signals : ndarray of shape (n_shadows, n_records)
            Signals of the shadows, NaN where a cell is missing.

        members : ndarray of shape (n_shadows, n_records), dtype bool
            True where the shadow trained on the record. A record outside the pool
            plays IN for one shadow of each pair.

        in_pool : ndarray of shape (n_records,), dtype bool

        Returns
        -------
        scores : ndarray of shape (n_records,)
            NaN for a record without a usable cell.
        """

    def _uses_in_cells(self):
        return getattr(self, "mode", "offline") != "offline"

    @_fit_context(
        # The target is trained already: its parameters are not ours to validate.
        prefer_skip_nested_validation=False
    )
    def fit(self, X, y=None):
        """Train shadows on halves of the pool.

        Parameters
        ----------
        X : {array-like, sparse matrix, pandas or polars DataFrame} of shape \
                (n_records, n_columns)
            The pool: records, features and class label, from which the shadows draw.
            See :func:`sklearn_mia.as_records`. Put members and non-members in it:
            scores are fair among records of the pool.

        y : array-like of shape (n_records,), default=None
            Membership where it is known. It sets the operating point of `predict`
            and never enters the scores.

        Returns
        -------
        self : estimator instance
            The fitted attack.
        """
        if self.n_shadows % 2:
            raise ValueError(
                f"n_shadows={self.n_shadows!r} is odd, but shadows are trained in "
                f"complementary pairs. Pass {self.n_shadows + 1}."
            )
        if self.memory is not None and self.random_state is None:
            raise ValueError(
                "memory is set but random_state is None: no shadow would ever be "
                "found again. Pass an integer random_state."
            )
        return self._fit(X, y)

    def _fit_scores(self, pool, is_member):
        recipe = self.shadow_estimator
        if recipe is None:
            recipe = unfitted_recipe(self.target_estimator)
        seed = root_seed(self.random_state)
        members = draw_members(pool.ids, self.n_shadows, seed)
        if len(np.unique(pool.ids)) < 2:
            raise ValueError(
                f"The pool holds {len(pool.ids)} records and they are all equal; "
                "shadows need at least 2 different ones."
            )
        memory, key = None, None
        if self.memory is not None:
            memory = check_memory(self.memory)
            key = cache_key(recipe, pool.ids, pool.features, self._responder, seed, {})
        work = ShadowWork(
            recipe=recipe,
            features=pool.features,
            codes=pool.codes,
            responder=self._responder,
            signal=self._signal(),
            seed=seed,
            keep_models=self.keep_models,
            memory=memory,
            key=key,
        )
        signals, self.models_ = self._train(work, members, pool)
        self._remember_pool(pool, signals, members)
        return self._fit_formula(pool)

    def _train(self, work, members, pool):
        context = self._init_callback_context(
            max_subtasks=self.n_shadows, sequential_subtasks=False
        )
        context.call_on_fit_task_begin(estimator=self, X=pool.features, y=pool.codes)
        running = {}

        def begin(shadow):
            running[shadow] = context.subcontext(task_name="shadow", task_id=shadow)
            running[shadow].call_on_fit_task_begin(estimator=self)

        def end(shadow):
            running.pop(shadow).call_on_fit_task_end(estimator=self)

        trained = train_shadows(
            work, members, n_jobs=self.n_jobs, on_begin=begin, on_end=end
        )
        context.call_on_fit_task_end(estimator=self)
        return trained

    def _remember_pool(self, pool, signals, members):
        self.shadow_signals_ = signals
        self.shadow_members_ = members
        self._pool_ids, self._pool_rows = np.unique(pool.ids, return_index=True)
        self._pool_target = self._signal()(pool.log_proba, pool.codes)
        probe = np.unique(np.linspace(0, len(pool.ids) - 1, _PROBE_SIZE).astype(int))
        self._probe_ids = record_ids(
            _safe_indexing(pool.features, probe),
            None if pool.labels is None else pool.labels[probe],
            dtype=np.float32,
        )

    def _fit_formula(self, pool):
        signals, members = self.shadow_signals_, self.shadow_members_
        in_pool = np.ones(len(pool.ids), dtype=bool)
        self._calibrate(signals, members)
        scores = self._score(self._pool_target, signals, members, in_pool)
        return scores, self._out_scores(signals, members)

    def _stand_ins(self):
        """Shadows that play the target, each with the shadows left to attack it.

        Without its own pair, a stand-in's membership is independent of the number
        of IN shadows of a record.
        """
        for shadow in range(0, min(self.n_shadows, 2 * _MOST_STAND_INS), 2):
            others = np.ones(self.n_shadows, dtype=bool)
            others[[shadow, shadow + 1]] = False
            if others.any():
                yield shadow, others

    def _out_scores(self, signals, members):
        """Scores of non-members: shadows play the target for what they left out."""
        scores = []
        for shadow, others in self._stand_ins():
            out = ~members[shadow] & np.all(
                np.isfinite(signals[shadow].reshape(members.shape[1], -1)), axis=1
            )
            scores.append(
                self._score(
                    signals[shadow][out],
                    signals[np.ix_(others, out)],
                    members[np.ix_(others, out)],
                    np.ones(out.sum(), dtype=bool),
                )
            )
        return np.concatenate(scores) if scores else None

    def _find(self, ids):
        """Row of the pool of each record, -1 for one outside it."""
        place = np.searchsorted(self._pool_ids, ids)
        place[place == len(self._pool_ids)] = 0
        found = self._pool_ids[place] == ids
        return np.where(found, self._pool_rows[place], -1)

    def in_pool(self, X):
        """Tell which records are in the pool, by content.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_columns)
            Records as in `fit`.

        Returns
        -------
        in_pool : ndarray of shape (n_records,), dtype bool
        """
        check_is_fitted(self)
        features, labels, _ = self._split_queries(X)
        return self._find(record_ids(features, labels)) >= 0

    def _score_records(self, X):
        features, labels, codes = self._split_queries(X)
        ids = record_ids(features, labels)
        rows = self._find(ids)
        in_pool = rows >= 0
        self._check_mixture(in_pool, features, labels)
        if in_pool.all():
            return self._score(
                self._pool_target[rows],
                self.shadow_signals_[:, rows],
                self.shadow_members_[:, rows],
                in_pool,
            )
        log_proba = self._responder.log_proba(self.target_estimator, features)
        if codes is None:
            codes = log_proba.argmax(axis=1)
        return self._score_queries(Queries(features, labels, codes, ids, log_proba))

    def _score_queries(self, queries):
        rows = self._find(queries.ids)
        in_pool = rows >= 0
        target = self._signal()(queries.log_proba, queries.codes)
        work = ShadowWork(
            recipe=None,
            features=None,
            codes=None,
            responder=self._responder,
            signal=self._signal(),
            seed=0,
            keep_models=False,
        )
        signals = query_shadows(
            work, self.models_, queries.features, queries.codes, n_jobs=self.n_jobs
        )
        members = _played_members(queries.ids, self.n_shadows)
        signals[:, in_pool] = self.shadow_signals_[:, rows[in_pool]]
        members[:, in_pool] = self.shadow_members_[:, rows[in_pool]]
        return self._score(target, signals, members, in_pool)

    def _check_mixture(self, in_pool, features, labels):
        n_queries, n_in = len(in_pool), int(in_pool.sum())
        n_out = n_queries - n_in
        if n_out and self.models_ is None:
            raise ValueError(
                f"{n_out} of {n_queries} records are outside the pool, and "
                "keep_models=False left no shadow to ask about them. Put them in the "
                "pool, or fit with keep_models=True."
            )
        mode = getattr(self, "mode", "offline")
        if n_out and mode == "online":
            raise ValueError(
                f"{n_out} of {n_queries} records are outside the pool, and "
                "mode='online' scores records of the pool only. Put them in the pool, "
                "or use mode='auto'."
            )
        if mode == "auto" and min(n_in, n_out) > _ODD_DUPLICATES * n_queries:
            warnings.warn(
                f"{n_in} records are in the pool and {n_out} are not. They are scored "
                "on one scale, but by different evidence: if being in the pool goes "
                "with membership, compare them with mode='offline', or put all "
                "records in the pool.",
                UserWarning,
                stacklevel=4,
            )
        if (
            not n_in
            and np.isin(
                record_ids(features, labels, dtype=np.float32), self._probe_ids
            ).any()
        ):
            warnings.warn(
                "No record is in the pool, but some are once they are rounded to "
                "float32. A float32 copy of a record is another record: score the "
                "records with the dtypes that the attack was fitted on.",
                UserWarning,
                stacklevel=4,
            )


def _played_members(ids, n_shadows):
    """Which shadow of each pair plays IN for a record outside the pool, by content."""
    members = np.empty((n_shadows, len(ids)), dtype=bool)
    for pair in range(n_shadows // 2):
        members[2 * pair] = mix(ids ^ np.uint64(pair + 1)) & np.uint64(1) == 1
        members[2 * pair + 1] = ~members[2 * pair]
    return members
