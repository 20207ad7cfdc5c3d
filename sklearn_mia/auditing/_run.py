"""The attacks of an audit: chosen, aimed at the model, fitted and scored."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral

import joblib
import numpy as np
import sklearn
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from sklearn_mia import _compat
from sklearn_mia._views import visible
from sklearn_mia.auditing._case import half_of_units
from sklearn_mia.base import BaseAttack, BaseShadowAttack
from sklearn_mia.black_box import asks_a_service, black_box_of
from sklearn_mia.groups import centred_scores
from sklearn_mia.hooks import shown
from sklearn_mia.memory import described, kept, memory_at_work, table_key
from sklearn_mia.progress import stage
from sklearn_mia.tables import take
from sklearn_mia.workers import temporary_folder


@dataclass(frozen=True, repr=False)
class Scored:
    """What one attack said.

    A pickle of it holds what the fitted attack does.

    Attributes
    ----------
    scores : ndarray of shape (n_records,)
        NaN for the records that the attack learned from.

    used : ndarray of shape (n_records,), dtype bool, or None
        The records that it is judged on; None is all.

    description : str

    n_unscored : int

    fitted : object
        The fitted attack, or None.

    ratios : ndarray of shape (n_records,) or None
        Scores on the scale on which those of a group add up, if there are groups.

    rows : ndarray of shape (n_records,) or None, default=None
        Place of each record among those that the attack was fitted on; None is all.
    """

    scores: np.ndarray
    used: np.ndarray | None
    description: str
    n_unscored: int = 0
    fitted: object = None
    ratios: np.ndarray | None = None
    rows: np.ndarray | None = None


def _named(attacks):
    """Attacks by name: a dictionary, a list or a single one."""
    if isinstance(attacks, Mapping):
        return {str(name): attack for name, attack in attacks.items()}
    if hasattr(attacks, "fit"):
        attacks = [attacks]
    try:
        attacks = list(attacks)
    except TypeError:
        attacks = []
    named = {}
    for attack in attacks:
        if isinstance(attack, tuple) and len(attack) == 2:
            name, attack = attack
        else:
            name = attack.__class__.__name__
        unique, number = str(name), 2
        while unique in named:
            unique, number = f"{name} {number}", number + 1
        named[unique] = attack
    return named


def check_attacks(attacks, model):
    """Check the attacks of an audit before anything is trained.

    Parameters
    ----------
    attacks : estimator, list or dict

    model : classifier or regressor

    Returns
    -------
    attacks : dict
        Clones, aimed at the model.

    fitted_before : list of str
        Names of those that came in fitted.
    """
    named = _named(attacks)
    if not named:
        raise ValueError(
            f"attacks={attacks!r} holds no attack; pass an attack, a list or a dict of "
            "them, or None for the default."
        )
    checked, fitted_before = {}, []
    for name, attack in named.items():
        if isinstance(attack, type) or not hasattr(attack, "fit"):
            raise TypeError(
                f"attacks holds {shown(attack)}; pass instances, such as RMIA(model)."
            )
        try:
            check_is_fitted(attack)
            fitted_before.append(name)
        except (NotFittedError, TypeError):
            pass
        copied = clone(attack)
        if isinstance(copied, BaseAttack):
            if copied.target_estimator is None:
                copied.target_estimator = model
            elif copied.target_estimator is not model:
                raise ValueError(
                    f"The attack {name} has another target_estimator than the model "
                    "under audit; pass the same object, or leave it None."
                )
            copied._check_handled()
        checked[name] = copied
    return checked, fitted_before


def _learns_membership(attack):
    return not isinstance(attack, BaseAttack) or get_tags(attack).target_tags.required


def _equip(attack, *, memory, seed, n_jobs, timeout, callbacks):
    """Give an attack what the audit decides, where its user left it open."""
    if not isinstance(attack, BaseAttack):
        return attack
    params = attack.get_params(deep=False)
    if "random_state" in params and params["random_state"] is None:
        attack.random_state = seed
    if isinstance(attack, BaseShadowAttack):
        if attack.memory is None and isinstance(attack.random_state, Integral):
            attack.memory = memory
            attack.keep_models = False
        if attack.n_jobs is None:
            attack.n_jobs = n_jobs
        if attack.timeout is None:
            attack.timeout = timeout
    if callbacks and hasattr(attack, "set_callbacks"):
        attack.set_callbacks(*callbacks)
    return attack


def description_of(attack):
    """What a report shows of an attack."""
    describe = getattr(attack, "describe", partial(shown, attack))
    return " ".join(describe().split())


# What the result of an attack does not depend on.
_NO_INPUTS = {"memory", "n_jobs", "timeout", "_skl_callbacks"}
_NO_RESULTS = {"target_estimator", "shadow_estimator", *_NO_INPUTS}


def _scored(name, attack, case, half):
    """What an attack says, found again if it was found before.

    Of an attack with shadow models these are kept, each as soon as it is trained.
    """
    if isinstance(attack, BaseShadowAttack) and attack._cost():
        return _run_attack(attack, case, half)
    if asks_a_service(attack):
        # What is left of a budget decides, too; the answers have a memory of their own.
        return _run_attack(attack, case, half)

    def inputs():
        own = attack
        if isinstance(attack, BaseAttack):
            own = {k: v for k, v in vars(attack).items() if k not in _NO_INPUTS}
        records = table_key(case.content_ids, case.features)
        sides = case.groups, case.is_member, half, case.answered
        return described(attack), own, records, *sides

    def make():
        result = _run_attack(attack, case, half)
        learned = {}
        if isinstance(attack, BaseAttack):
            learned = {k: v for k, v in vars(attack).items() if k not in _NO_RESULTS}
        return replace(result, fitted=None), learned

    result, learned = kept(f"the attack {name}", inputs, make)
    vars(attack).update(learned)
    return replace(result, fitted=attack)


def _run_attack(attack, case, half):
    records, groups = case.records, case.groups
    description = description_of(attack)
    by_group = {}
    if not _learns_membership(attack):
        if groups is not None:
            by_group["groups"] = groups
        with warnings.catch_warnings():
            # Counted in a finding.
            warnings.filterwarnings("ignore", ".*could not be scored", UserWarning)
            scores = attack.fit_score(records, **by_group)
        ratios = None if groups is None else attack._log_ratios(scores)
        return Scored(scores, None, description, attack.n_unscored_, attack, ratios)
    answered = np.ones(len(half), bool) if case.answered is None else case.answered
    used = ~half & answered
    train, judged = np.flatnonzero(half & answered), np.flatnonzero(used)
    is_attack = isinstance(attack, BaseAttack)
    if groups is not None and is_attack:
        by_group["groups"] = groups[train]
    inner = getattr(attack, "estimator", None)
    if groups is not None and isinstance(inner, BaseAttack):
        _fit_search(attack, take(records, train), case.is_member[train], groups[train])
    else:
        attack.fit(take(records, train), case.is_member[train], **by_group)
    scores = np.full(len(half), np.nan)
    scores[judged] = values = _scores_of(attack, take(records, judged))
    ratios = None
    if groups is not None:
        ratios = np.full(len(half), np.nan)
        ratios[judged] = (
            attack._log_ratios(values) if is_attack else centred_scores(values)
        )
    return Scored(scores, used, description, 0, attack, ratios)


def _fit_search(search, records, is_member, groups):
    """Fit a search over an attack by group: its folds and its shadow models."""
    with sklearn.config_context(enable_metadata_routing=True):
        search.estimator.set_fit_request(groups=True)
        search.fit(records, is_member, groups=groups)


def _scores_of(attack, records):
    for method in ("score_samples", "decision_function"):
        if hasattr(attack, method):
            return np.asarray(getattr(attack, method)(records), dtype=float)
    proba = np.asarray(attack.predict_proba(records), dtype=float)
    return proba[:, list(attack.classes_).index(True)]


def run_attacks(
    attacks, case, *, seed, n_jobs=None, timeout=None, callbacks=None, memory=None
):
    """Fit every attack on both sides and score all records.

    Parameters
    ----------
    attacks : dict
        From :func:`check_attacks`.

    case : Case

    seed : int

    n_jobs : int or None, default=None

    timeout : float or None, default=None
        Seconds for one shadow.

    callbacks : list or None, default=None

    memory : joblib.Memory or None, default=None
        None takes that of the work that is going on, or a folder that is removed
        afterwards.

    Returns
    -------
    scored : dict
        Name mapped to a `Scored`.
    """
    if callbacks and not _compat.HAS_CALLBACKS:
        raise ValueError(
            f"callbacks={callbacks!r} need scikit-learn 1.9 or newer; running "
            f"{sklearn.__version__}. Leave them out."
        )
    for attack in attacks.values():
        if isinstance(attack, BaseAttack):
            attack._refuse_records(case.records)
    half = _half(case, seed)
    if callbacks is not None and not isinstance(callbacks, (list, tuple)):
        callbacks = [callbacks]
    with temporary_folder() as folder:
        memory = memory or memory_at_work()
        if memory is None:
            memory = joblib.Memory(folder, verbose=0)
        scored = {}
        for name, attack in attacks.items():
            _equip(
                attack,
                memory=memory,
                seed=seed,
                n_jobs=n_jobs,
                timeout=timeout,
                callbacks=callbacks,
            )
            stage(visible(name))
            try:
                scored[name] = _scored(name, attack, case, half)
            except ValueError as error:
                if "shadow_estimator" not in str(error):
                    raise
                raise ValueError(
                    f"{error} In an audit it goes with the attack: "
                    f"attacks=[{name}(shadow_estimator=...)]."
                ) from error
            if scored[name].n_unscored == len(case.is_member):
                service = black_box_of(attack.target_estimator)
                if service is not None and service.n_unasked_ and len(attacks) > 1:
                    # Said in a finding; the others stand.
                    del scored[name]
                    continue
                raise ValueError(
                    f"The attack {name} could score none of the "
                    f"{len(case.is_member)} records, which says nothing about the "
                    "model. Look at what its signal or formula returns."
                )
            n_bad = int(
                np.sum(~np.isfinite(scored[name].scores[judged_rows(scored[name])]))
            )
            if n_bad:
                raise ValueError(
                    f"The attack {name} gave {n_bad} scores that are not finite."
                )
    return scored


def judged_rows(scored):
    """Index of the records that an attack is judged on."""
    return slice(None) if scored.used is None else scored.used


def record_rows(case, scored):
    """Membership and scores of the records that an attack is judged on."""
    rows = judged_rows(scored)
    return case.is_member[rows], scored.scores[rows]


def most_shadows(scored):
    """The largest `n_shadows` of the attacks, None if they have none."""
    attacks = (s.fitted for s in scored.values())
    told = (getattr(a, "n_shadows", None) for a in attacks)
    return max((int(n) for n in told if n), default=None)


def _half(case, seed):
    """A random half of the units, for the attacks that learn from membership."""
    return half_of_units(case.units, np.random.default_rng([seed, 1]))
