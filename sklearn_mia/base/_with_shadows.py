"""What all attacks with shadow models share."""

from abc import abstractmethod
from numbers import Integral, Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.validation import check_is_fitted

from sklearn_mia._compat import CallbackSupportMixin
from sklearn_mia._warn import warn
from sklearn_mia.base._contract import BaseAttack
from sklearn_mia.base._evidence import ShadowEvidence, shadows_without_class
from sklearn_mia.base._mixture import check_mixture
from sklearn_mia.base._shadow_recipe import (
    check_before_asking,
    check_pairs,
    checked_recipe,
    fit_first_steps,
    recipe_of,
    shadow_fit_params,
    way_to_ask_both,
)
from sklearn_mia.base._sides import played_members, some_rows
from sklearn_mia.base._target import Queries
from sklearn_mia.hooks import frozen
from sklearn_mia.identity import cell_values, count_different, find_ids
from sklearn_mia.memory import cache_key, open_memory
from sklearn_mia.readers import (
    BLOCK,
    USUAL_READERS,
    check_reader,
    read_target,
    reader_key,
    reader_of,
)
from sklearn_mia.shadows import (
    ShadowWork,
    draw_members,
    query_shadows,
    root_seed,
    train_shadows,
)
from sklearn_mia.signals import as_signal, true_log_proba
from sklearn_mia.tables import own_copy, take
from sklearn_mia.workers import check_timeout

_PROBE_SIZE = 1000
_MOST_STAND_INS = 4


class BaseShadowAttack(CallbackSupportMixin, BaseAttack):
    """Base class of the attacks with shadow models.

    An attack adds a docstring, its parameters and its formula, `_score`. It may replace

    - `_signal`, what is read from the answers; the logit by default, of a regressor
      minus the absolute error,
    - `_calibrate`, to freeze what the formula needs from the pool,
    - `_reader`, if models are asked for something else than probabilities: the target
      and the shadows through the same reader,
    - `_recipe_and_number`, if it trains shadows of its own kind.

    Everything else is here: shadows, their cache, records in and outside the pool, and
    the threshold, for which shadows play the target. What these methods return is
    checked; the arrays that they get cannot be written to.

    Parameters
    ----------
    target_estimator : classifier or regressor
        The fitted model under attack. Never refitted, never changed; a clone of the
        attack keeps it by identity.

    shadow_estimator : estimator or None, default=None
        The recipe of the shadows, cloned for each; None takes the target's (what a
        `FrozenEstimator` holds, the `best_estimator_` of a search).

    n_shadows : int, default=16
        Shadow models to train, each at the processor time of a fit of the whole target
        and its answers for the pool; even, since they come in complementary pairs.

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

    response_method : str, default="auto"
        How the target and its shadows are asked: "predict_proba", "decision_function",
        "predict", or "auto" for the first of them that both have.

    max_fpr : float, default=0.05
        Share of the reference non-members, a fraction in [0, 1), that `predict` may
        call members. The reference is the known non-members, else what shadows say
        of records that they did not see; that holds for a target trained, like them,
        on about half of the pool.

    n_jobs : int or None, default=None
        Shadows trained at a time. None is 1 unless in a `joblib.parallel_config`.

    timeout : float or None, default=None
        Seconds for one shadow; one that takes longer is named in an error, and the
        workers are ended. Needs worker processes, `n_jobs` of 2 or more.

    random_state : int, RandomState instance or None, default=None
        Seeds the splits and the shadows. The result does not depend on `n_jobs`.

    See Also
    --------
    BaseAttack : Base class of all attacks.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_mia import as_records
    >>> from sklearn_mia.base import BaseShadowAttack
    >>> class AboveTheOthers(BaseShadowAttack):
    ...     def _score(self, target, signals, members, in_pool):
    ...         others = np.where(members & in_pool, np.nan, signals)
    ...         return target - np.nanmax(others, axis=0)
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DecisionTreeClassifier(random_state=0).fit(X[::2], y[::2])
    >>> attack = AboveTheOthers(model, n_shadows=4, random_state=0)
    >>> attack.fit_score(as_records(X, y)).shape
    (150,)
    """

    _parameter_constraints: dict = {
        **BaseAttack._parameter_constraints,
        "shadow_estimator": [HasMethods(["fit", "get_params"]), None],
        "n_shadows": [Interval(Integral, 2, None, closed="left")],
        "keep_models": ["boolean"],
        "memory": [str, HasMethods(["cache"]), None],
        "n_jobs": [Integral, None],
        "timeout": [Interval(Real, 0, None, closed="neither"), None],
        "random_state": ["random_state"],
    }
    # "auto" and "online" are the parameter of attacks that use IN shadows.
    mode = "offline"
    # What a subclass of a user without this parameter has.
    timeout = None
    _asks_models = True
    _thin = False
    # What attacks with thin shadows let the user choose.
    refit_preprocessing = True

    def __init__(
        self,
        target_estimator=None,
        *,
        shadow_estimator=None,
        n_shadows=16,
        keep_models=True,
        memory=None,
        label_column="auto",
        member_label=None,
        response_method="auto",
        max_fpr=0.05,
        n_jobs=None,
        timeout=None,
        random_state=None,
    ):
        self.target_estimator = target_estimator
        self.shadow_estimator = shadow_estimator
        self.n_shadows = n_shadows
        self.keep_models = keep_models
        self.memory = memory
        self.label_column = label_column
        self.member_label = member_label
        self.response_method = response_method
        self.max_fpr = max_fpr
        self.n_jobs = n_jobs
        self.timeout = timeout
        self.random_state = random_state

    def _signal(self):
        """Function ``(answer, codes) -> values``, the same for target and shadows.

        It travels to workers, so it is a module-level function or a partial of one. It
        is asked for once, when the attack is fitted, and a reader of its own replaces
        it. Higher = more likely a member.
        """
        return as_signal("auto", self._signals)

    def _calibrate(self, pool, signals, members):
        """Freeze what the formula needs from the pool.

        Parameters
        ----------
        pool : Queries

        signals, members : ndarray
            As in `_score`, for the pool.
        """

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

    @_fit_context(
        # The target is trained already: its parameters are not ours to validate.
        prefer_skip_nested_validation=False
    )
    def fit(self, X, y=None, *, groups=None, **fit_params):
        """Train shadows on halves of the pool.

        Parameters
        ----------
        X : {array-like, sparse matrix, pandas or polars DataFrame} of shape \
                (n_records, n_columns), or Records
            The pool: records, features and class label, from which the shadows draw.
            See :func:`sklearn_mia.as_records`. Put members and non-members in it:
            scores are fair among records of the pool.

        y : array-like of shape (n_records,), default=None
            Membership where it is known. It sets the operating point of `predict`
            and never enters the scores.

        groups : array-like of shape (n_records,), default=None
            Key of the group of each record, of one person's say. The records of a
            group are together IN or OUT of a shadow; see `score_groups`.

        **fit_params : dict
            Passed to the `fit` of the shadows, by metadata routing if it is enabled.
            Values with one entry a record, like `sample_weight`, are cut to the
            records of each shadow.

        Returns
        -------
        self : estimator instance
            The fitted attack.
        """
        self._fit(X, y, groups=groups, **fit_params)
        return self

    def _fit(self, X, y, groups=None, **fit_params):
        if self.memory is not None and self.random_state is None:
            raise ValueError(
                "memory is set but random_state is None: no shadow would ever be "
                "found again. Pass an integer random_state."
            )
        return super()._fit(X, y, groups=groups, fit_params=fit_params)

    def _fit_scores(self, pool, is_member, fit_params=None):
        check_timeout(self.timeout, self.n_jobs)
        recipe, n_shadows = self._recipe_and_number()
        fit_params = shadow_fit_params(self, recipe, fit_params or {}, len(pool.ids))
        seed = root_seed(self.random_state)
        identities = pool.units
        if count_different(identities) < 2:
            raise ValueError(
                f"The pool holds {len(pool.ids)} records, all equal or of one group; "
                "shadows need at least 2 different ones."
            )
        members = draw_members(identities, n_shadows, seed)
        reader = self._choose_reader()
        shared = self._thin and not (self.refit_preprocessing or fit_params)
        memory, key = None, None
        if self.memory is not None:
            memory = open_memory(self.memory)
            key = cache_key(
                recipe,
                np.concatenate([pool.ids, identities, cell_values(pool.codes)]),
                pool.features,
                self._responder.classes,
                (*reader_key(reader), shared),
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
        self._first_steps, work = fit_first_steps(work) if shared else (None, work)
        trained = self._train(work, members, pool)
        self.shadow_signals_, self.models_, self._shadow_log_proba = trained
        self.shadow_members_ = members
        self._remember(pool)
        self._calibrate(pool, frozen(self.shadow_signals_), frozen(members))
        told = self._log_proba_of_shadows()
        told = self.shadow_signals_ if told is None else told
        n_without = shadows_without_class(told, pool.codes, work.classes)
        self._loses_classes = bool(n_without.any())
        return self._score_pool(pool)

    def _why_unscored(self):
        if not self._loses_classes:
            return super()._why_unscored()
        return (
            "no shadow that trained without them (or with them) saw their class",
            "Train more shadows, or leave out the rarest classes.",
        )

    def _references(self, pool, scores, is_member):
        # Known non-members are the better reference.
        if is_member is None and len(self.shadow_members_):
            out = self._out_scores(pool.groups)
            if out:
                return out
        return super()._references(pool, scores, is_member)

    def _recipe_and_number(self):
        """Recipe of a shadow, and how many to train."""
        return self._recipe(), check_pairs(self.n_shadows)

    def _cost(self):
        """What its shadows cost together, in fits of the target."""
        return getattr(self, "n_shadows", 1)

    def _recipe(self):
        return checked_recipe(self)

    def _check_handled(self):
        super()._check_handled()
        check_before_asking(self)

    def _way_to_ask(self):
        is_usual = type(self)._reader is BaseShadowAttack._reader
        return way_to_ask_both(self) if is_usual else super()._way_to_ask()

    def _reader(self):
        """What target and shadows are asked, and what is read from the answers."""
        return reader_of(self._responder, self._signal())

    def _choose_reader(self):
        """Make the reader once: what is known here may not be known to a worker."""
        name = f"{type(self).__name__}._reader"
        self._fitted_reader = check_reader(self._reader(), name)
        return self._fitted_reader

    def get_metadata_routing(self):
        """Get the metadata routing of this attack.

        Returns
        -------
        routing : MetadataRouter
            `fit` passes metadata on to the `fit` of the shadows.
        """
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(
                shadow_estimator=recipe_of(self),
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
            work,
            members,
            n_jobs=self.n_jobs,
            timeout=self.timeout,
            on_begin=begin,
            on_end=end,
        )
        context.call_on_fit_task_end(estimator=self)
        return trained

    def shadow_evidence(self):
        """What the shadows say of the pool, for checks of an audit.

        Returns
        -------
        evidence : ShadowEvidence or None
            None if the attack did without shadows.
        """
        if not len(self.shadow_members_):
            return None
        return ShadowEvidence(
            members=self.shadow_members_,
            log_proba=self._log_proba_of_shadows(),
            response=self._responder.kind,
            thin=self._thin,
        )

    def _log_proba_of_shadows(self):
        told = self._shadow_log_proba
        if told is None and isinstance(self._fitted_reader, USUAL_READERS):
            told = true_log_proba(self._fitted_reader.signal, self.shadow_signals_)
        return told

    def _remember(self, pool):
        self._pool_ids, self._pool_rows = np.unique(pool.ids, return_index=True)
        probe = np.unique(np.linspace(0, len(pool.ids) - 1, _PROBE_SIZE).astype(int))
        self._probe_ids = self._ids(
            take(pool.features, probe),
            None if pool.labels is None else pool.codes[probe],
            dtype=np.float32,
        )

    def _target_signal(self, queries):
        """What the reader of the shadows reads from the target."""
        return read_target(
            self._fitted_reader,
            self.target_estimator,
            self._responder,
            queries.features,
            queries.codes,
            queries.answer,
        )

    def _ask_score(self, target, signals, members, in_pool):
        return self._ask_hook("_score", len(in_pool), target, signals, members, in_pool)

    def _score_pool(self, pool):
        """Score the pool once, block by block: a pool record's score never changes."""
        target = self._target_signal(pool)
        scores = np.empty(len(target))
        for start in range(0, len(scores), BLOCK):
            block = slice(start, start + BLOCK)
            scores[block] = self._ask_score(
                target[block],
                self.shadow_signals_[:, block],
                self.shadow_members_[:, block],
                np.ones(len(target[block]), dtype=bool),
            )
        scores[pool.unanswered] = np.nan
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

    def _out_scores(self, groups=None):
        """Rows that shadows which play the target left out, with their scores."""
        some = some_rows(self.shadow_members_.shape[1], groups)
        signals, members = self.shadow_signals_[:, some], self.shadow_members_[:, some]
        found = []
        for number, (shadow, others) in enumerate(self._stand_ins(len(members))):
            usable = np.isfinite(signals[shadow]).reshape(members.shape[1], -1)
            out = ~members[shadow] & usable.all(axis=1)
            rest = np.ix_(others, out)
            values = self._score_stand_in(
                number, signals[shadow][out], signals[rest], members[rest]
            )
            found.append((some[out], values))
        return found

    def _score_stand_in(self, number, target, signals, members):
        everywhere = np.ones(len(target), dtype=bool)
        return self._ask_score(target, signals, members, everywhere)

    def _find(self, ids):
        """Row of the pool of each record, -1 for one outside it."""
        place = find_ids(self._pool_ids, ids)
        return np.where(place < 0, -1, self._pool_rows[place])

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
        return self._find(self._ids(features, codes)) >= 0

    def _score_records(self, X):
        features, labels, codes = self._split_queries(X)
        ids = self._ids(features, codes)
        rows = self._find(ids)
        in_pool = rows >= 0
        self._check_mixture(in_pool, features, codes)
        scores = self._pool_scores[rows]
        if not in_pool.all():
            outside = np.flatnonzero(~in_pool)
            features = take(features, outside)
            answer = self._responder.answer(self.target_estimator, features)
            scores[outside] = self._score_asked(
                Queries(
                    features,
                    None if labels is None else labels[outside],
                    answer.argmax(axis=1) if codes is None else codes[outside],
                    ids[outside],
                    answer,
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
            reader=self._fitted_reader,
            seed=0,
            keep_models=False,
        )
        features = queries.features
        if self._first_steps is not None:
            features = self._first_steps.transform(own_copy(features))
        signals = query_shadows(
            work, self.models_, features, queries.codes, n_jobs=self.n_jobs
        )
        return self._ask_score(
            self._target_signal(queries),
            signals,
            played_members(queries.ids, len(signals)),
            np.zeros(len(queries.ids), dtype=bool),
        )

    def _check_mixture(self, in_pool, features, codes):
        lacks_models = self._asks_models and self.models_ is None
        check_mixture(in_pool, self.mode, lacks_models)
        rounded = not in_pool.any() and self._ids(features, codes, dtype=np.float32)
        if np.isin(rounded, self._probe_ids).any():
            warn(
                "No record is in the pool, but some are once they are rounded to "
                "float32. A float32 copy of a record is another record: score the "
                "records with the dtypes that the attack was fitted on."
            )

    def __getstate__(self):
        state = super().__getstate__()
        if not self.keep_models:
            # Scores of the pool are kept; what they came from grows with n_shadows.
            state = {k: v for k, v in state.items() if k not in _NOT_PICKLED}
        return state


_NOT_PICKLED = ("shadow_signals_", "shadow_members_", "_shadow_log_proba")
