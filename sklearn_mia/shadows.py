"""What other models say: shadow models trained on halves of the pool.

Shadows come in complementary pairs: shadow 2k + 1 trains on what shadow 2k left out,
so that each record is IN exactly half of them. All results depend on
``(random_state, number of the shadow)`` alone, never on the number of workers.
"""

import warnings
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from uuid import uuid4

import numpy as np
from joblib import effective_n_jobs
from joblib.parallel import get_active_backend
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from sklearn_mia._compat import set_random_states
from sklearn_mia._warn import warn
from sklearn_mia.hooks import FAILURES, cause_of, frozen, in_one_order
from sklearn_mia.identity import mix
from sklearn_mia.memory import answer_of_shadow, found, model_of_shadow, remembered
from sklearn_mia.progress import advance, steps
from sklearn_mia.readers import read_true_log_proba, read_values
from sklearn_mia.response import encode_labels
from sklearn_mia.tables import take
from sklearn_mia.workers import (
    IN_WORKER,
    end_with,
    is_lost,
    jobs_for,
    listed,
    packed,
    sending_once,
    share_files,
    single_threads,
    this_process,
    unpacked,
    watch,
    watched,
    why_lost,
)

__all__ = [
    "ShadowFitError",
    "ShadowWork",
    "draw_members",
    "query_shadows",
    "root_seed",
    "train_shadows",
]


class ShadowFitError(ValueError):
    """A shadow model could not be trained.

    Its text holds no cell of a record; `__context__` is the error of the recipe, as
    far as it comes from this process.
    """


def root_seed(random_state):
    """One integer from which every split and every shadow is seeded.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        A RandomState is read, not advanced; None gives a fresh seed.

    Returns
    -------
    seed : int
        The integer given, else one drawn.
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    if isinstance(random_state, np.random.RandomState):
        copied = np.random.RandomState()
        copied.set_state(random_state.get_state())
        return int(copied.randint(np.iinfo(np.int32).max))
    return int(random_state)


def _derived_seed(seed, *path):
    return np.random.SeedSequence([seed, *path]).generate_state(1, np.uint64)[0]


def draw_members(identities, n_shadows, seed):
    """Draw which records each shadow trains on, in complementary pairs.

    Parameters
    ----------
    identities : ndarray of shape (n_records,), dtype uint64
        Records with the same identity share their membership.

    n_shadows : int
        An even number of at least 2.

    seed : int
        From :func:`root_seed`. The first shadows do not depend on how many follow.

    Returns
    -------
    members : ndarray of shape (n_shadows, n_records), dtype bool
        True where the record is IN the shadow: half of the identities each, whatever
        the order of the records.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia.shadows import draw_members
    >>> members = draw_members(np.arange(6, dtype=np.uint64), 4, seed=0)
    >>> members.sum(axis=0)
    array([2, 2, 2, 2, 2, 2])
    """
    unique, inverse = np.unique(identities, return_inverse=True)
    members = np.empty((n_shadows, len(identities)), dtype=bool)
    half = len(unique) // 2
    for pair in range(n_shadows // 2):
        lottery = mix(unique ^ _derived_seed(seed, pair, 0))
        chosen = np.zeros(len(unique), dtype=bool)
        chosen[np.argpartition(lottery, half)[:half]] = True
        members[2 * pair] = chosen[inverse]
        members[2 * pair + 1] = ~members[2 * pair]
    return members


def prepare_recipe(recipe, shadow, seed, n_jobs=None):
    """Clone the recipe with the seeds of one shadow, nested ones included.

    Parameters
    ----------
    recipe : estimator instance

    shadow : int
        Number of the shadow.

    seed : int
        From :func:`root_seed`.

    n_jobs : int or None, default=None
        Value for every `n_jobs` inside the recipe that asks for several workers;
        None leaves them as they are.

    Returns
    -------
    estimator : estimator instance
        Unfitted.
    """
    estimator = clone(recipe)
    state = np.random.RandomState(int(_derived_seed(seed, shadow, 1) % 2**32))
    set_random_states(estimator, state)
    if n_jobs is not None:
        names = [
            name
            for name, value in estimator.get_params(deep=True).items()
            if (name == "n_jobs" or name.endswith("__n_jobs"))
            and value not in (None, 1)
        ]
        estimator.set_params(**dict.fromkeys(names, n_jobs))
    return estimator


@dataclass(frozen=True, repr=False)
class ShadowWork:
    """All that one shadow needs, but for its number and its members.

    A pickle of it holds the records: it travels to workers.

    Attributes
    ----------
    recipe : estimator instance
        Cloned for each shadow.

    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    codes : ndarray of shape (n_records,)
        Column of the class label of each record, or the value to predict.

    classes : ndarray of shape (n_classes,) or None
        Classes of the target, None of a regressor.

    reader : Reader

    seed : int
        From :func:`root_seed`.

    keep_models : bool

    fit_params : dict, default={}
        Metadata with one value a record, sliced with the rows.

    n_jobs_inside : int or None, default=None
        For every `n_jobs` inside the recipe.

    memory : joblib.Memory or None, default=None

    key : str or None, default=None
        From :func:`sklearn_mia.memory.cache_key`; None trains without the cache.
    """

    recipe: object
    features: object
    codes: np.ndarray
    classes: np.ndarray | None
    reader: object
    seed: int
    keep_models: bool
    fit_params: dict = field(default_factory=dict)
    n_jobs_inside: int | None = None
    memory: object = None
    key: str | None = None

    def __dask_tokenize__(self):
        # Never the same as that of an earlier fit, which may be about to be removed.
        return uuid4().hex


def _for_two_classes(estimator):
    """Undo the objective for many classes that XGBoost keeps from its last fit."""
    for name, value in estimator.get_params(deep=True).items():
        if name.endswith("objective") and value in ("multi:softprob", "multi:softmax"):
            estimator.set_params(**{name: "binary:logistic"})


def fit_shadow(work, shadow, members):
    """Train one shadow on its members, in the order of the pool.

    Parameters
    ----------
    work : ShadowWork

    shadow : int
        Number of the shadow.

    members : ndarray of shape (n_records,), dtype bool

    Returns
    -------
    model : fitted estimator

    seen : ndarray of shape (n_seen,)
        Columns of the target's classes that the shadow knows, in its own order; empty
        for a regressor.

    Raises
    ------
    ShadowFitError
        Names the shadow, the classes that it saw and the cause.
    """
    classes = work.classes
    rows = np.flatnonzero(members)
    codes = work.codes[rows]
    fit_params = {k: take(v, rows) for k, v in work.fit_params.items()}

    def fitted(y):
        estimator = prepare_recipe(work.recipe, shadow, work.seed, work.n_jobs_inside)
        if classes is not None and len(np.unique(y)) == 2:
            _for_two_classes(estimator)
        # Cut for each try: a step that works in place changes what it gets.
        features = take(work.features, rows)
        with in_one_order():
            return estimator.fit(features, y, **fit_params)

    try:
        model = fitted(codes if classes is None else classes[codes])
    except FAILURES as error:
        if classes is None:
            raise _not_trained(work, shadow, error, len(rows), ".") from None
        trained = np.unique(codes)
        gap = len(trained) < len(classes)
        if gap and np.array_equal(classes, np.arange(len(classes))):
            # Some classifiers take only the labels 0..k-1 without a gap.
            with suppress(Exception):
                return fitted(np.searchsorted(trained, codes)), trained
        counts = np.bincount(codes, minlength=len(classes))
        shown = zip(classes.tolist(), counts.tolist(), strict=True)
        by_class = f", by class {dict(shown)}."
        raise _not_trained(
            work, shadow, error, len(rows), by_class, lost_class=gap
        ) from None
    if classes is None:
        return model, np.arange(0)
    return model, encode_labels(np.asarray(model.classes_), classes)


def _not_trained(work, shadow, error, n_records, of_what, *, lost_class=False):
    # The chain of causes would quote cells in a traceback.
    hint = _hint(
        error,
        "a rare class or category is the cause, drop its records or let the recipe "
        "ignore it",
        lost_class=lost_class,
    )
    return ShadowFitError(
        f"Shadow {shadow} could not be trained: {cause_of(error, work.features)} "
        f"It saw {n_records} records{of_what}{hint}"
    )


def _hint(error, what, lost_class=False):
    """What to do about a class or a category, where the error speaks of one."""
    words = ("categor", "unseen", *["class", "label"] * lost_class)
    if not any(word in str(error).lower() for word in words):
        return ""
    return f" If {what}, as OneHotEncoder(handle_unknown='ignore') does."


def _ask(work, shadow, model, seen, features, codes, members=None):
    given = map(frozen, (features, codes, members))
    try:
        return work.reader.ask(model, frozen(seen), *given)
    except FAILURES as error:
        hint = _hint(
            error,
            "it met a category that it was not trained on, let the recipe ignore it",
        )
        saw = ""
        if work.classes is not None:
            saw = f" It saw the classes {work.classes[seen].tolist()}."
        raise ShadowFitError(
            f"Shadow {shadow} was trained but could not answer for the pool: "
            f"{cause_of(error, features)}{saw}{hint}"
        ) from None


def _answer(work, shadow, members, trained=None):
    model, seen = fit_shadow(work, shadow, members) if trained is None else trained
    return _ask(work, shadow, model, seen, work.features, work.codes, members), seen


def _remote_task(shadow, work, members, home):
    """Train and ask one shadow, of which what is kept is kept at home."""
    with nullcontext() if this_process() == home else IN_WORKER:
        trained = fit_shadow(work, shadow, members)
        answer = _answer(work, shadow, members, trained)
    return shadow, trained if work.keep_models else None, answer


def _is_kept(work, shadow):
    kinds = (answer_of_shadow, model_of_shadow)[: 1 + work.keep_models]
    try:
        return all(found(work.memory, f, work.key, shadow) for f in kinds)
    except LookupError:
        return False


def _shadow_task(shadow, work, members, home, place=None, done=None):
    """Train and ask one shadow: the function that workers run.

    What another worker has done is read and kept only.
    """
    inside = this_process() != home
    if inside:
        end_with(home[1])
    damaged, trained, made = [], None, work.key is None

    def kept(function, make):
        def run():
            nonlocal made
            made = True
            return make()

        value, was_damaged = remembered(work.memory, function, work.key, shadow, run)
        damaged.append(was_damaged)
        return value

    with IN_WORKER if inside else nullcontext(), watched(shadow, place):
        if work.key is None:
            trained = fit_shadow(work, shadow, members)
            answer, seen = _answer(work, shadow, members, trained)
        else:
            if work.keep_models:
                trained = kept(
                    model_of_shadow,
                    lambda: done[0] if done else fit_shadow(work, shadow, members),
                )
            answer, seen = kept(
                answer_of_shadow,
                lambda: done[1] if done else _answer(work, shadow, members, trained),
            )
        read = [
            f(work.reader, answer, seen, work.codes)
            for f in (read_values, read_true_log_proba)
        ]
    return shadow, read, trained if work.keep_models else None, any(damaged), made


def _not_sent(error):
    return ShadowFitError(
        "A shadow was trained, but its worker process could not send it: "
        f"{cause_of(error)} Pass keep_models=False, n_jobs=1, or a recipe whose "
        "fitted models can be pickled."
    )


def train_shadows(work, members, *, on_begin, on_end, n_jobs=None, timeout=None):
    """Train all shadows and read their signals for the pool.

    With one worker BLAS is held to one thread and OpenMP left alone; with more
    workers both get one thread each, in the worker.

    Parameters
    ----------
    work : ShadowWork
        What every shadow needs.

    members : ndarray of shape (n_shadows, n_records), dtype bool
        From :func:`draw_members`.

    on_begin, on_end : callable
        Called in this process with the number of each shadow.

    n_jobs : int or None, default=None
        Shadows trained at a time; None is 1 unless in a `joblib.parallel_config`.

    timeout : float or None, default=None
        Seconds for one shadow, see :func:`sklearn_mia.workers.check_timeout`.

    Returns
    -------
    signals : ndarray of shape (n_shadows, n_records) or more axes
        NaN where a shadow never saw the class of a record.

    models : list of (estimator, ndarray) or None
        Each shadow and the columns that it saw; None if models are not kept.

    log_proba : ndarray of shape (n_shadows, n_records) or None
        From `true_log_proba` of the reader.
    """
    n_shadows = len(members)
    n_jobs = jobs_for(n_jobs, n_shadows)
    n_workers = min(effective_n_jobs(n_jobs), n_shadows)
    if n_workers > 1:
        work = replace(work, n_jobs_inside=1)
    elif isinstance(work.features, np.ndarray):
        # Records hold the label beside the features: packed, they are read faster by
        # every shadow. Workers get a packed copy anyway.
        # Read-only, as they were, so that no step works in place on them.
        packed = np.ascontiguousarray(work.features).view()
        packed.flags.writeable = False
        work = replace(work, features=packed)
    shared = getattr(get_active_backend()[0], "supports_sharedmem", False)
    # A limit set by a thread holds for the whole process: set it once, around all.
    limit = None if n_workers == 1 or not shared else "all"
    running, damaged = set(), []
    steps(n_shadows, "shadow models")

    def begun(shadow):
        running.add(shadow)
        on_begin(shadow)

    with (
        single_threads(user_api=None if limit else "blas"),
        watch(timeout) as place,
    ):
        tables, models = None, [None] * n_shadows
        try:
            results = _all_trained(work, members, n_jobs, place, begun)
            with _ended_with(results):
                for shadow, read, trained, was_damaged, made in results:
                    if tables is None:
                        tables = [
                            v if v is None else np.empty((n_shadows, *v.shape), v.dtype)
                            for v in read
                        ]
                    for table, values in zip(tables, read, strict=True):
                        _check_same_shape(work.reader, values, table)
                        if values is not None:
                            table[shadow] = values
                    models[shadow] = trained
                    running.discard(shadow)
                    if was_damaged:
                        damaged.append(shadow)
                    on_end(shadow)
                    advance(made=made)
        except Exception as error:
            if is_lost(error):
                raise ShadowFitError(why_lost(place, running)) from None
            if "pickle" in str(error) and not isinstance(error, ShadowFitError):
                raise _not_sent(error) from None
            raise
    if damaged:
        warn(
            f"What memory held of shadow {listed(damaged)} was damaged or belonged "
            "elsewhere; trained again."
        )
    signals, log_proba = tables
    return signals, models if work.keep_models else None, log_proba


def _all_trained(work, members, n_jobs, place, begun):
    """What comes from all shadows, in any order."""
    home, numbers = this_process(), range(len(members))
    options = {"n_jobs": n_jobs, "return_as": "generator_unordered"}
    backend, _ = get_active_backend()
    if work.key is None or share_files(backend):
        parallel, sent = sending_once(work, **options)
        results = parallel(
            delayed(packed)(
                _shadow_task, home, shadow, sent, members[shadow], home, place
            )
            for shadow in _announced(numbers, begun)
        )
        yield from unpacked(results)
        return
    # Workers may be on other machines, where the folder is not, or would stay.
    missing = [shadow for shadow in numbers if not _is_kept(work, shadow)]
    for shadow in _announced(sorted(set(numbers) - set(missing)), begun):
        yield _shadow_task(shadow, work, members[shadow], home)
    bare = replace(work, memory=None, key=None)
    n_missing = len(missing)
    # Of what comes only when all is done, as by Ray, no more is lost than was begun.
    lists_all = not backend.supports_return_generator
    at_a_time = effective_n_jobs(n_jobs) if lists_all else max(n_missing, 1)
    parallel, sent = sending_once(bare, **options)
    for start in range(0, n_missing, at_a_time):
        some = missing[start : start + at_a_time]
        results = parallel(
            delayed(packed)(_remote_task, home, shadow, sent, members[shadow], home)
            for shadow in _announced(some, begun)
        )
        for shadow, *done in unpacked(results):
            yield _shadow_task(shadow, work, members[shadow], home, done=done)


@contextmanager
def _ended_with(results):
    """End the workers as soon as nobody waits for them: an interrupt, say."""
    try:
        yield
    except BaseException:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            results.close()
        raise


def _check_same_shape(reader, values, table):
    shape = None if values is None else values.shape
    expected = None if table is None else table.shape[1:]
    if shape != expected:
        raise ValueError(
            f"{type(reader).__name__} read values of shape {shape} from one shadow and "
            f"of shape {expected} from another; expected one shape, whatever classes a "
            "shadow saw."
        )


def _announced(numbers, begun):
    for number in numbers:
        begun(number)
        yield number


def query_shadows(work, models, features, codes, *, n_jobs=None):
    """Signals of trained shadows for records outside the pool.

    Parameters
    ----------
    work : ShadowWork
        Its recipe and data are not used.

    models : list of (estimator, ndarray)
        From :func:`train_shadows`.

    features : {ndarray, sparse matrix, DataFrame} of shape (n_queries, n_features)
        Features of the records.

    codes : ndarray of shape (n_queries,)
        Column of the class label of each record.

    n_jobs : int or None, default=None
        Shadows asked at a time, in threads.

    Returns
    -------
    signals : ndarray of shape (n_shadows, n_queries) or more axes
        NaN where a shadow never saw the class of a record.
    """
    n_jobs = jobs_for(n_jobs, len(models))
    answers = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(_query_task)(work, shadow, *trained, features, codes)
        for shadow, trained in enumerate(models)
    )
    return np.stack(answers)


def _query_task(work, shadow, model, seen, features, codes):
    answer = _ask(work, shadow, model, seen, features, codes)
    return read_values(work.reader, answer, seen, codes)
