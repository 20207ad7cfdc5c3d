"""Canaries put into training by fair coins: one run, and a bound on epsilon."""

from functools import partial

import numpy as np
import scipy.sparse as sp
from sklearn.metrics import roc_auc_score
from sklearn.utils.validation import _num_samples

from sklearn_mia._choices import CANARIES
from sklearn_mia.auditing._canaries import make_of_kinds
from sklearn_mia.auditing._case import one_table, side_table
from sklearn_mia.auditing._evaluation import plain_interval
from sklearn_mia.auditing._recipe_plan import FEWEST_CANARIES
from sklearn_mia.auditing._recipe_target import attacked
from sklearn_mia.auditing._run import judged_rows
from sklearn_mia.auditing._trained_beside import TrainedBeside
from sklearn_mia.checks import check_count
from sklearn_mia.identity import count_duplicates, record_ids
from sklearn_mia.items import one_shape
from sklearn_mia.memory import described, kept, table_key
from sklearn_mia.metrics import epsilon_lower_bound, roc_auc_interval
from sklearn_mia.progress import Stage, expect, stage
from sklearn_mia.records import as_labels, check_no_gaps
from sklearn_mia.shadows import prepare_recipe
from sklearn_mia.tables import take

_ATTACKS = ("ThresholdAttack", "RMIA", "LiRA")
# Models trained by coins of their own, on which the attack is chosen.
_REHEARSALS = 2
# Streams of the seed; 1 and 2 are those of attacks and of halves.
_COINS, _LOOKS, _PLACES = 3, 4, 5


def canaries_of(X, y, canaries, seed):
    """Canaries as they were given, or made.

    Parameters
    ----------
    X : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    canaries : int or pair of features and labels

    seed : int

    Returns
    -------
    X_canaries : same container as X

    labels : ndarray of shape (n,)

    kinds : list of str
    """
    if not isinstance(canaries, (tuple, list)):
        looks = np.random.default_rng([seed, _LOOKS])
        made, labels, kinds = make_of_kinds(X, y, canaries, CANARIES, looks)
        return made, as_labels(labels), kinds.tolist()
    made = side_table(canaries[0], "canaries[0]")
    labels = as_labels(canaries[1], "canaries[1]")
    n = _num_samples(made)
    if len(labels) != n:
        raise ValueError(f"canaries[1] has {len(labels)} labels for {n} canaries.")
    check_no_gaps(labels, "canaries[1]")
    check_count(n, "the number of canaries", FEWEST_CANARIES)
    ids = record_ids(made, labels, item_shape=one_shape(made))
    known = record_ids(X, as_labels(y), item_shape=one_shape(X))
    n_known = int(np.isin(ids, known).sum())
    if n_known:
        raise ValueError(
            f"{n_known} of {n} canaries equal a record of X, which is trained on "
            "whatever their coins say; expected records that X does not have. Leave "
            "them out of X, or out of the canaries."
        )
    equal = count_duplicates(ids)
    if equal:
        raise ValueError(
            f"{equal} of {n} canaries equal an earlier one, whose coin they would "
            "tell; expected different ones. Leave them out."
        )
    return made, labels, ["given"] * n


def audit_canaries(
    estimator, X, y, canaries, *, attacks, epsilon, delta, adjacency, settings, **how
):
    """Train once on the canaries that a coin chose, and bound epsilon.

    Parameters
    ----------
    estimator : estimator instance
        The procedure.

    X : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)
        Records that are trained on in any case.

    y : array-like of shape (n_records,)

    canaries : int or pair of features and labels

    attacks : attack, str, list, dict or None

    epsilon : float or None
        What is claimed.

    delta : float

    adjacency : {"add", "replace"}

    settings : Settings

    **how : dict
        For :func:`~sklearn_mia.auditing._run.run_attacks`.

    Returns
    -------
    content : dict
        What a report has under "canaries".

    told : list of dict
        What it shows of each attack.
    """
    seed = settings.seed
    base_labels = as_labels(y)
    made, labels, kinds = canaries_of(X, y, canaries, seed)
    X, made = (_by_rows(table) for table in (X, made))
    n = len(labels)
    is_in = _coins(n, seed, 0)
    # Before anything is trained: whether so many canaries could show anything.
    _bound(is_in, is_in, delta, settings)
    recipe = _recipe(estimator, X, base_labels, made, labels, adjacency, seed)
    attacks = list(_ATTACKS) if attacks is None else attacks
    n_rehearsals = _REHEARSALS if _are_several(attacks) else 0
    # The first run is the one that counts, and the last to be made.
    runs = [*range(1, n_rehearsals + 1), 0]
    coming = [Stage(f"rehearsal {k}", fits=1) for k in runs[:-1]]
    coming.append(Stage("the model", fits=1))
    expect(coming)

    def one_run(place):
        run = runs[place]
        is_in = _coins(n, seed, run)
        rows = np.flatnonzero(is_in)
        model = prepare_recipe(recipe, run, seed + 1)
        model = model.fit(take(made, rows), labels[rows]).estimator_
        case = one_table(model, made, labels, is_in)
        scored, told = attacked(
            model,
            recipe,
            case,
            attacks,
            settings,
            coming=coming[place + 1 :],
            trained=place > 0,
            **how,
        )
        judged = {name: (judged_rows(s), s.scores) for name, s in scored.items()}
        return judged, told

    def inputs():
        return (
            described(estimator),
            described(attacks),
            table_key(record_ids(X, base_labels, item_shape=one_shape(X)), X),
            table_key(record_ids(made, labels, item_shape=one_shape(made)), made),
            adjacency,
            settings,
        )

    rehearsals = []
    for place, run in enumerate(runs):
        stage(coming[place].name)
        judged, told = kept(f"run {run} on canaries", inputs, partial(one_run, place))
        if run:
            rehearsals.append(_strengths(judged, _coins(n, seed, run), delta, settings))
    chosen = _strongest(rehearsals) if rehearsals else next(iter(judged))
    rows, scores = judged[chosen]
    used = np.zeros(n, dtype=bool)
    used[rows] = True
    bound = _bound(is_in[rows], scores[rows], delta, settings)
    interval = roc_auc_interval(
        is_in[rows], scores[rows], confidence=settings.confidence
    )
    return {
        "n_included": int(is_in.sum()),
        "attack": chosen,
        "rehearsals": [
            {
                "attack": name,
                "epsilon": float(np.mean([r[name][0] for r in rehearsals])),
                "auc": float(np.mean([r[name][1] for r in rehearsals])),
            }
            for name in (rehearsals[0] if rehearsals else ())
        ],
        "n_rehearsals": n_rehearsals,
        "auc": plain_interval(interval),
        "epsilon": bound.epsilon,
        "ceiling": _bound(is_in[rows], is_in[rows], delta, settings).epsilon,
        "delta": bound.delta,
        "method": bound.method,
        "statement": bound.statement,
        "claim": epsilon,
        "adjacency": adjacency,
        "table": {
            "kind": kinds,
            "included": is_in.tolist(),
            "score": [
                float(s) if u else None for s, u in zip(scores, used, strict=True)
            ],
        },
    }, told


def _by_rows(table):
    """A sparse table in the form that gives rows."""
    return table.tocsr() if sp.issparse(table) else table


def _recipe(estimator, X, y, made, labels, adjacency, seed):
    """The procedure, with the records that are trained on in any case."""
    if adjacency == "add":
        return TrainedBeside(estimator, X, y)
    n, n_records = len(labels), len(y)
    if n > n_records // 2:
        raise ValueError(
            f"adjacency='replace' puts {n} canaries in the place of {n_records} "
            f"records; expected at most {n_records // 2}, half of them. Pass fewer "
            "canaries, or more records."
        )
    order = np.random.default_rng([seed, _PLACES]).permutation(n_records)
    others, base = np.sort(order[:n]), np.sort(order[n:])
    known = record_ids(made, labels, item_shape=one_shape(X))
    places = known, take(X, others), y[others]
    return TrainedBeside(estimator, take(X, base), y[base], places)


def _coins(n, seed, run):
    """A fair coin for each canary, tossed for one run."""
    # Of four parts: shadow models are seeded by three.
    return np.random.default_rng([seed, _COINS, run, _COINS]).random(n) < 0.5


def _are_several(attacks):
    return isinstance(attacks, (list, tuple, dict)) and len(attacks) > 1


def _bound(is_in, scores, delta, settings):
    return epsilon_lower_bound(
        is_in,
        scores,
        delta=delta,
        confidence=settings.confidence,
        random_state=settings.seed,
    )


def _strengths(judged, is_in, delta, settings):
    """Bound and AUC of each attack on a rehearsal."""
    return {
        name: (
            _bound(is_in[rows], scores[rows], delta, settings).epsilon,
            float(roc_auc_score(is_in[rows], scores[rows])),
        )
        for name, (rows, scores) in judged.items()
    }


def _strongest(rehearsals):
    """The attack of the largest mean bound, of equal ones that of the largest AUC."""
    means = {
        name: np.mean([r[name] for r in rehearsals], axis=0) for name in rehearsals[0]
    }
    return max(means, key=lambda name: tuple(means[name]))
