"""What other models say: shadow models trained on halves of the pool.

Shadows come in complementary pairs: shadow 2k + 1 trains on what shadow 2k left out,
so that each record is IN exactly half of them. All results depend on
``(random_state, number of the shadow)`` alone, never on the number of workers.
"""

import inspect
import os
import sys
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace

import joblib
import numpy as np
import sklearn
from joblib import effective_n_jobs
from joblib.parallel import get_active_backend
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.base import clone
from sklearn.ensemble._base import _set_random_states
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits

from sklearn_mia._warn import warn
from sklearn_mia.hooks import cause_of, frozen
from sklearn_mia.identity import cell_values, mix
from sklearn_mia.readers import read_true_log_proba, read_values, reader_key
from sklearn_mia.response import encode_labels
from sklearn_mia.tables import take

__all__ = [
    "ShadowFitError",
    "ShadowWork",
    "draw_members",
    "query_shadows",
    "root_seed",
    "train_shadows",
]


class ShadowFitError(ValueError):
    """A shadow model could not be trained."""


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


def merged_identities(ids, groups):
    """Identities under which equal records and records of one group are one.

    Parameters
    ----------
    ids : ndarray of shape (n_records,), dtype uint64

    groups : array-like of shape (n_records,)
        One person, many records.

    Returns
    -------
    identities : ndarray of shape (n_records,), dtype uint64
        Independent of the order of the records.
    """
    group_ids = mix(cell_values(groups))
    _, record = np.unique(ids, return_inverse=True)
    unique, group = np.unique(group_ids, return_inverse=True)
    links = coo_array(
        (np.ones(len(ids), dtype=bool), (group, len(unique) + record)),
        shape=(len(unique) + record.max() + 1,) * 2,
    )
    _, component = connected_components(links, directed=False)
    smallest = np.full(component.max() + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(smallest, component[group], group_ids)
    return smallest[component[group]]


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
    _set_random_states(estimator, state)
    if n_jobs is not None:
        names = [
            name
            for name, value in estimator.get_params(deep=True).items()
            if (name == "n_jobs" or name.endswith("__n_jobs"))
            and value not in (None, 1)
        ]
        estimator.set_params(**dict.fromkeys(names, n_jobs))
    return estimator


@dataclass(frozen=True)
class ShadowWork:
    """All that one shadow needs, but for its number and its members.

    Attributes
    ----------
    recipe : estimator instance
        Cloned for each shadow.

    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    codes : ndarray of shape (n_records,)
        Column of the class label of each record.

    classes : ndarray of shape (n_classes,)
        Classes of the target.

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
        From :func:`cache_key`; None trains without the cache.
    """

    recipe: object
    features: object
    codes: np.ndarray
    classes: np.ndarray
    reader: object
    seed: int
    keep_models: bool
    fit_params: dict = field(default_factory=dict)
    n_jobs_inside: int | None = None
    memory: object = None
    key: str | None = None


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
        Columns of the target's classes that the shadow knows, in its own order.

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
        if len(np.unique(y)) == 2:
            _for_two_classes(estimator)
        # Cut for each try: a step that works in place changes what it gets.
        features = take(work.features, rows)
        return estimator.fit(features, y, **fit_params)

    try:
        model = fitted(classes[codes])
    except Exception as error:
        trained = np.unique(codes)
        gap = len(trained) < len(classes)
        if gap and np.array_equal(classes, np.arange(len(classes))):
            # Some classifiers take only the labels 0..k-1 without a gap.
            with suppress(Exception):
                return fitted(np.searchsorted(trained, codes)), trained
        counts = np.bincount(codes, minlength=len(classes))
        shown = zip(classes.tolist(), counts.tolist(), strict=True)
        hint = _hint(
            error,
            "a rare class or category is the cause, drop its records or let the recipe "
            "ignore it",
            lost_class=gap,
        )
        raise ShadowFitError(
            f"Shadow {shadow} could not be trained: {cause_of(error)} It saw "
            f"{len(rows)} records, by class {dict(shown)}.{hint}"
        ) from error
    return model, encode_labels(np.asarray(model.classes_), classes)


def _hint(error, what, lost_class=False):
    """What to do about a class or a category, where the error speaks of one."""
    words = ("categor", "unseen", *["class", "label"] * lost_class)
    if not any(word in str(error).lower() for word in words):
        return ""
    return f" If {what}, as OneHotEncoder(handle_unknown='ignore') does."


def _model_of_shadow(key, shadow, work, members):
    return fit_shadow(work, shadow, members)


def _answer_of_shadow(key, shadow, work, members, trained=None):
    model, seen = fit_shadow(work, shadow, members) if trained is None else trained
    answer = _ask(work, shadow, model, seen, work.features, work.codes, members)
    return answer, seen


def _ask(work, shadow, model, seen, features, codes, members=None):
    given = map(frozen, (features, codes, members))
    try:
        return work.reader.ask(model, frozen(seen), *given)
    except Exception as error:
        hint = _hint(
            error,
            "it met a category that it was not trained on, let the recipe ignore it",
        )
        raise ShadowFitError(
            f"Shadow {shadow} was trained but could not answer for the pool: "
            f"{cause_of(error)} It saw the classes {work.classes[seen].tolist()}.{hint}"
        ) from error


def _shadow_task(shadow, work, members, main_process):
    """Train and ask one shadow: the function that workers run."""
    with threadpool_limits(1) if os.getpid() != main_process else nullcontext():
        trained = None
        if work.key is None:
            trained = fit_shadow(work, shadow, members)
            answer, seen = _answer_of_shadow(None, shadow, work, members, trained)
        else:
            if work.keep_models:
                fit = work.memory.cache(_model_of_shadow, ignore=["work", "members"])
                trained = fit(work.key, shadow, work, members)
            ask = work.memory.cache(
                _answer_of_shadow, ignore=["work", "members", "trained"]
            )
            answer, seen = ask(work.key, shadow, work, members, trained)
        read = [
            f(work.reader, answer, seen, work.codes)
            for f in (read_values, read_true_log_proba)
        ]
    return shadow, read, trained if work.keep_models else None


def train_shadows(work, members, *, n_jobs=None, on_begin=None, on_end=None):
    """Train all shadows and read their signals for the pool.

    With one worker BLAS is held to one thread and OpenMP left alone; with more
    workers both get one thread each, in the worker.

    Parameters
    ----------
    work : ShadowWork
        What every shadow needs.

    members : ndarray of shape (n_shadows, n_records), dtype bool
        From :func:`draw_members`.

    n_jobs : int or None, default=None
        Shadows trained at a time; None is 1 unless in a `joblib.parallel_config`.

    on_begin, on_end : callable or None, default=None
        Called in this process with the number of each shadow.

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
    with threadpool_limits(1, user_api=None if limit else "blas"):
        tasks = (
            delayed(_shadow_task)(shadow, work, members[shadow], os.getpid())
            for shadow in _announced(range(n_shadows), on_begin)
        )
        results = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks)
        tables, models = None, [None] * n_shadows
        for shadow, read, trained in results:
            if tables is None:
                tables = [
                    v if v is None else np.empty((n_shadows, *v.shape), dtype=v.dtype)
                    for v in read
                ]
            for table, values in zip(tables, read, strict=True):
                _check_same_shape(work.reader, values, table)
                if values is not None:
                    table[shadow] = values
            models[shadow] = trained
            if on_end is not None:
                on_end(shadow)
    signals, log_proba = tables
    return signals, models if work.keep_models else None, log_proba


def _check_same_shape(reader, values, table):
    shape = None if values is None else values.shape
    expected = None if table is None else table.shape[1:]
    if shape != expected:
        raise ValueError(
            f"{type(reader).__name__} read values of shape {shape} from one shadow and "
            f"of shape {expected} from another; expected one shape, whatever classes a "
            "shadow saw."
        )


def _announced(numbers, on_begin):
    for number in numbers:
        if on_begin is not None:
            on_begin(number)
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
    answers = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(_query_task)(work, shadow, *trained, features, codes)
        for shadow, trained in enumerate(models)
    )
    return np.stack(answers)


def _query_task(work, shadow, model, seen, features, codes):
    answer = _ask(work, shadow, model, seen, features, codes)
    return read_values(work.reader, answer, seen, codes)


def cache_key(recipe, ids, features, classes, reader, seed, fit_params):
    """Key of the cache of one fit, hashed once for all its shadows.

    It holds the ordered record ids and the dtypes, the class set, the unfitted recipe
    with the code of the functions and classes of the user inside it, the fit
    parameters, the versions of the packages and the root seed. Code that the recipe
    reaches in other modules is not tracked.

    Parameters
    ----------
    recipe : estimator instance

    ids : ndarray of shape (n_records,)
        From :func:`sklearn_mia.records.record_ids`.

    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    classes : ndarray of shape (n_classes,)

    reader : Reader

    seed : int

    fit_params : dict

    Returns
    -------
    key : str or None
        None, with a warning, if something in the recipe cannot be hashed.
    """
    from sklearn_mia import __version__

    dtypes = getattr(features, "dtypes", getattr(features, "dtype", None))
    names = getattr(features, "columns", None)
    try:
        parts = [
            ids,
            type(features).__qualname__,
            [str(d) for d in np.atleast_1d(np.asarray(dtypes, dtype=object))],
            None if names is None else [str(name) for name in names],
            [repr(c) for c in classes.tolist()],
            reader_key(reader),
            _describe(recipe),
            {k: np.asarray(v) for k, v in fit_params.items()},
            (sklearn.__version__, __version__),
            seed,
        ]
        return joblib.hash(parts)
    except Exception as error:  # whatever a user's object does when it is pickled
        warn(
            f"memory is not used: the recipe {type(recipe).__name__} cannot be hashed "
            f"({type(error).__name__}: {error}). Its shadows are trained again at "
            "every fit."
        )
        return None


def _describe(value):
    """What a value in a recipe is, code of functions and classes included."""
    if hasattr(value, "get_params") and not inspect.isclass(value):
        params = value.get_params(deep=False)
        return _describe(type(value)), {k: _describe(v) for k, v in params.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__qualname__, [_describe(v) for v in value]
    if isinstance(value, dict):
        return [(repr(k), _describe(v)) for k, v in value.items()]
    if inspect.isclass(value):
        package = sys.modules.get(value.__module__.partition(".")[0])
        version = getattr(package, "__version__", None)
        source = None if version is not None else inspect.getsource(value)
        return value.__module__, value.__qualname__, version, source
    code = getattr(value, "__code__", None)
    if code is not None:
        closure = [c.cell_contents for c in value.__closure__ or ()]
        bound = getattr(value, "__defaults__", None), closure
        return _describe_code(code), _describe(list(bound))
    if callable(value) and hasattr(value, "__qualname__"):
        return value.__module__, value.__qualname__
    return value


def _describe_code(code):
    constants = [
        _describe_code(c) if inspect.iscode(c) else repr(c) for c in code.co_consts
    ]
    return code.co_code, constants, code.co_names
