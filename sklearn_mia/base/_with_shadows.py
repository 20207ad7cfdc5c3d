"""What all attacks with shadow models share."""

import warnings
from inspect import isclass
from numbers import Integral

import numpy as np
from sklearn.base import _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._metadata_requests import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import (
    _num_samples,
    check_consistent_length,
    check_is_fitted,
    check_memory,
)

from sklearn_mia.base._contract import BaseAttack, Queries
from sklearn_mia.identity import mix, record_ids
from sklearn_mia.models import final_fit_param, trains_anew, unfitted_recipe
from sklearn_mia.records import as_labels
from sklearn_mia.response import is_regressor_model
from sklearn_mia.shadows import (
    BLOCK,
    LogProbaReader,
    ShadowWork,
    cache_key,
    draw_members,
    merged_identities,
    query_shadows,
    root_seed,
    train_shadows,
)
from sklearn_mia.tables import take

_ODD_DUPLICATES = 0.02
_PROBE_SIZE = 1000
_MOST_STAND_INS = 4
_MOST_REFERENCES = 20_000


class BaseShadowAttack(CallbackSupportMixin, BaseAttack):
    """Base class of the attacks with shadow models.

    An attack adds its parameters, a docstring, `_signal` and `_score`, and freezes
    what it needs from the pool in `_calibrate`. One that is no formula over shadows
    replaces `_fit_formula` and `_score_queries` instead.
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
    # "auto" and "online" are the parameter of attacks that use IN shadows.
    mode = "offline"
    _asks_models = True

    def _signal(self):
        """Function ``(log_proba, codes) -> values``, the same for target and shadows.

        It travels to workers, so it is a module-level function or a partial of one.
        """

    def _calibrate(self, signals, members):
        """Freeze what the formula needs from the pool."""

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

    @_fit_context(
        # The target is trained already: its parameters are not ours to validate.
        prefer_skip_nested_validation=False
    )
    def fit(self, X, y=None, *, groups=None, **fit_params):
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

        groups : array-like of shape (n_records,), default=None
            Records with the same value, one person's say, are together IN or OUT of
            a shadow.

        **fit_params : dict
            Passed to the `fit` of the shadows, by metadata routing if it is enabled.
            Values with one entry a record, like `sample_weight`, are cut to the
            records of each shadow.

        Returns
        -------
        self : estimator instance
            The fitted attack.
        """
        if self.memory is not None and self.random_state is None:
            raise ValueError(
                "memory is set but random_state is None: no shadow would ever be "
                "found again. Pass an integer random_state."
            )
        return self._fit(X, y, groups=groups, fit_params=fit_params)

    def _fit_scores(self, pool, is_member, groups=None, fit_params=None):
        recipe, n_shadows = self._recipe_and_number()
        fit_params = self._shadow_fit_params(recipe, fit_params or {}, len(pool.ids))
        seed = root_seed(self.random_state)
        identities = pool.ids
        if groups is not None:
            groups = as_labels(groups, "groups")
            check_consistent_length(pool.ids, groups)
            identities = merged_identities(pool.ids, groups)
        if len(np.unique(identities)) < 2:
            raise ValueError(
                f"The pool holds {len(pool.ids)} records, all equal or of one group; "
                "shadows need at least 2 different ones."
            )
        members = draw_members(identities, n_shadows, seed)
        reader = self._reader()
        memory, key = None, None
        if self.memory is not None:
            memory = check_memory(self.memory)
            key = cache_key(
                recipe,
                np.concatenate([pool.ids, identities, pool.codes.astype(np.uint64)]),
                pool.features,
                self._responder.classes,
                reader,
                seed,
                fit_params,
            )
        work = ShadowWork(
            recipe=recipe,
            features=pool.features,
            codes=pool.codes,
            classes=self._responder.classes,
            reader=reader,
            seed=seed,
            keep_models=self.keep_models,
            fit_params=fit_params,
            memory=memory,
            key=key,
        )
        signals, self.models_ = self._train(work, members, pool)
        self.shadow_signals_, self.shadow_members_ = signals, members
        self._remember(pool)
        return self._fit_formula(pool, is_member)

    def _fit_formula(self, pool, is_member):
        """Score the pool and reference non-members, once the shadows are trained."""
        self._calibrate(self.shadow_signals_, self.shadow_members_)
        scores = self._score_pool(pool)
        # Known non-members are the better reference.
        return scores, None if is_member is not None else self._out_scores()

    def _recipe_and_number(self):
        """Recipe of a shadow, and how many to train."""
        if self.n_shadows % 2:
            raise ValueError(
                f"n_shadows={self.n_shadows!r} is odd, but shadows are trained in "
                f"complementary pairs. Pass {self.n_shadows + 1}."
            )
        return self._recipe(), self.n_shadows

    def _recipe(self):
        recipe = self.shadow_estimator
        if recipe is None:
            recipe = unfitted_recipe(self.target_estimator)
        check_recipe(recipe)
        return recipe

    def _reader(self):
        return LogProbaReader(self._responder, self._signal())

    def _shadow_fit_params(self, recipe, fit_params, n_records):
        """What every shadow gets in `fit`, by the names that the recipe knows."""
        if not fit_params:
            return {}
        if "eval_set" in fit_params:
            raise ValueError(_EARLY_STOPPING.format("eval_set was passed"))
        for name, value in fit_params.items():
            if _num_samples(value) != n_records:
                raise ValueError(
                    f"{name} has {_num_samples(value)} values, but the pool has "
                    f"{n_records} records; one value a record is expected."
                )
        if _routing_enabled():
            # The recipe stands where the router looks for it.
            routed = process_routing(self, "fit", **fit_params)
            return dict(routed.shadow_estimator.fit)
        return {final_fit_param(recipe, k): v for k, v in fit_params.items()}

    def get_metadata_routing(self):
        """Get the metadata routing of this attack.

        Returns
        -------
        routing : MetadataRouter
            `fit` passes metadata on to the `fit` of the shadows.
        """
        recipe = self.shadow_estimator
        if recipe is None:
            recipe = unfitted_recipe(self.target_estimator)
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                shadow_estimator=recipe,
                method_mapping=MethodMapping().add(caller="fit", callee="fit"),
            )
        )

    def _train(self, work, members, pool):
        n_shadows = len(members)
        context = self._init_callback_context(
            max_subtasks=n_shadows, sequential_subtasks=False
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

    def _remember(self, pool):
        self._pool_ids, self._pool_rows = np.unique(pool.ids, return_index=True)
        probe = np.unique(np.linspace(0, len(pool.ids) - 1, _PROBE_SIZE).astype(int))
        self._probe_ids = record_ids(
            take(pool.features, probe),
            None if pool.labels is None else pool.codes[probe],
            dtype=np.float32,
        )

    def _target_signal(self, queries):
        return self._signal()(queries.log_proba, queries.codes)

    def _score_pool(self, pool):
        """Score the pool once, block by block: a pool record's score never changes."""
        target = self._target_signal(pool)
        scores = np.empty(len(target))
        for start in range(0, len(scores), BLOCK):
            block = slice(start, start + BLOCK)
            scores[block] = self._score(
                target[block],
                self.shadow_signals_[:, block],
                self.shadow_members_[:, block],
                np.ones(len(target[block]), dtype=bool),
            )
        self._pool_scores = scores
        return scores

    def _stand_ins(self, n_shadows):
        """Shadows that play the target, each with the shadows left to attack it.

        Without its own pair, a stand-in's membership is independent of the number
        of IN shadows of a record.
        """
        for shadow in range(0, min(n_shadows, 2 * _MOST_STAND_INS), 2):
            others = np.ones(n_shadows, dtype=bool)
            others[[shadow, shadow + 1]] = False
            if others.any():
                yield shadow, others

    def _out_scores(self):
        """Scores of non-members: shadows play the target for what they left out."""
        signals, members = self.shadow_signals_, self.shadow_members_
        some = slice(None, None, max(1, members.shape[1] // _MOST_REFERENCES))
        signals, members = signals[:, some], members[:, some]
        scores = []
        for shadow, others in self._stand_ins(len(members)):
            out = ~members[shadow] & np.isfinite(signals[shadow])
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
        features, _, codes = self._split_queries(X)
        return self._find(record_ids(features, codes)) >= 0

    def _score_records(self, X):
        features, labels, codes = self._split_queries(X)
        ids = record_ids(features, codes)
        rows = self._find(ids)
        in_pool = rows >= 0
        self._check_mixture(in_pool, features, codes)
        scores = self._pool_scores[rows]
        if not in_pool.all():
            outside = np.flatnonzero(~in_pool)
            features = take(features, outside)
            log_proba = self._responder.log_proba(self.target_estimator, features)
            scores[outside] = self._score_queries(
                Queries(
                    features,
                    None if labels is None else labels[outside],
                    log_proba.argmax(axis=1) if codes is None else codes[outside],
                    ids[outside],
                    log_proba,
                )
            )
        return scores

    def _score_queries(self, queries):
        """Score records outside the pool."""
        work = ShadowWork(
            recipe=None,
            features=None,
            codes=None,
            classes=self._responder.classes,
            reader=self._reader(),
            seed=0,
            keep_models=False,
        )
        signals = query_shadows(
            work, self.models_, queries.features, queries.codes, n_jobs=self.n_jobs
        )
        return self._score(
            self._target_signal(queries),
            signals,
            played_members(queries.ids, len(signals)),
            np.zeros(len(queries.ids), dtype=bool),
        )

    def _check_mixture(self, in_pool, features, codes):
        n_queries, n_in = len(in_pool), int(in_pool.sum())
        n_out = n_queries - n_in
        if n_out and self._asks_models and self.models_ is None:
            raise ValueError(
                f"{n_out} of {n_queries} records are outside the pool, and "
                "keep_models=False left no shadow to ask about them. Put them in the "
                "pool, or fit with keep_models=True."
            )
        if n_out and self.mode == "online":
            raise ValueError(
                f"{n_out} of {n_queries} records are outside the pool, and "
                "mode='online' scores records of the pool only. Put them in the pool, "
                "or use mode='auto'."
            )
        if self.mode == "auto" and min(n_in, n_out) > _ODD_DUPLICATES * n_queries:
            warnings.warn(
                f"{n_in} records are in the pool and {n_out} are not. They are scored "
                "on one scale, but by different evidence: if being in the pool goes "
                "with membership, compare them with mode='offline', or put all "
                "records in the pool.",
                UserWarning,
                stacklevel=4,
            )
        rounded = not n_in and record_ids(features, codes, dtype=np.float32)
        if np.isin(rounded, self._probe_ids).any():
            warnings.warn(
                "No record is in the pool, but some are once they are rounded to "
                "float32. A float32 copy of a record is another record: score the "
                "records with the dtypes that the attack was fitted on.",
                UserWarning,
                stacklevel=4,
            )

    def __getstate__(self):
        state = super().__getstate__()
        if not self.keep_models:
            # Scores of the pool are kept; what they came from grows with n_shadows.
            state = {k: v for k, v in state.items() if k not in _NOT_PICKLED}
        return state


class BaseOptionalShadowAttack(BaseShadowAttack):
    """Base class of the attacks that can do without shadows, ``n_shadows=0``."""

    _parameter_constraints: dict = {
        **BaseShadowAttack._parameter_constraints,
        "n_shadows": [Interval(Integral, 0, None, closed="left")],
    }

    @property
    def mode(self):
        """How records of the pool and others are told apart."""
        return "auto" if self.n_shadows else "offline"

    def _fit_scores(self, pool, is_member, groups=None, fit_params=None):
        if self.n_shadows:
            return super()._fit_scores(pool, is_member, groups, fit_params)
        if groups is not None or fit_params:
            given = ["groups"] * (groups is not None) + list(fit_params or {})
            raise ValueError(
                f"{', '.join(given)} passed to fit with n_shadows=0: they are for the "
                "training of shadows. Leave them out, or pass n_shadows=16."
            )
        self.models_ = []
        self.shadow_signals_ = np.empty((0, len(pool.ids)))
        self.shadow_members_ = np.empty((0, len(pool.ids)), dtype=bool)
        self._remember(pool)
        return self._score_pool(pool), None

    def _score_queries(self, queries):
        if self.n_shadows:
            return super()._score_queries(queries)
        n_records = len(queries.ids)
        return self._score(
            self._target_signal(queries),
            np.empty((0, n_records)),
            np.empty((0, n_records), dtype=bool),
            np.zeros(n_records, dtype=bool),
        )


_NOT_PICKLED = ("shadow_signals_", "shadow_members_")


def played_members(ids, n_shadows):
    """Draw which shadow of each pair plays IN for a record outside the pool.

    Parameters
    ----------
    ids : ndarray of shape (n_records,), dtype uint64

    n_shadows : int

    Returns
    -------
    members : ndarray of shape (n_shadows, n_records), dtype bool
        By content, so that a record's score does not depend on its neighbours.
    """
    members = np.empty((n_shadows, len(ids)), dtype=bool)
    for pair in range(n_shadows // 2):
        members[2 * pair] = mix(ids ^ np.uint64(pair + 1)) & np.uint64(1) == 1
        members[2 * pair + 1] = ~members[2 * pair]
    return members


_EARLY_STOPPING = (
    "{}: early stopping needs an eval_set, which no shadow has. Pass a recipe without "
    "it: shadow_estimator=clone(model).set_params(early_stopping_rounds=None, "
    "n_estimators=model.best_iteration + 1)."
)


def check_recipe(recipe):
    """Raise ValueError for a recipe that no shadow could be trained with.

    Parameters
    ----------
    recipe : estimator instance
    """
    if isclass(recipe):
        raise TypeError(
            f"shadow_estimator must be an instance, got the class {recipe.__name__}. "
            f"Pass {recipe.__name__}()."
        )
    if not hasattr(recipe, "get_params"):
        raise TypeError(
            f"The recipe {type(recipe).__name__} has no get_params, so that it cannot "
            "be cloned for shadows. Derive it from sklearn.base.BaseEstimator, or use "
            "an attack without shadows."
        )
    if is_regressor_model(recipe):
        raise TypeError(
            f"shadow_estimator must be a classifier, got the regressor {recipe!r}."
        )
    if not trains_anew(recipe):
        raise ValueError(
            f"shadow_estimator={recipe!r} holds a frozen classifier, which no shadow "
            "would train anew. Pass the estimator itself in its place."
        )
    for name, value in recipe.get_params(deep=True).items():
        if name.endswith(("early_stopping_rounds", "early_stopping_round")) and value:
            raise ValueError(_EARLY_STOPPING.format(f"The recipe has {name}={value!r}"))
