"""Coded checks: what a reader must know before the numbers of an audit count."""

from dataclasses import dataclass, field

import numpy as np
from scipy.stats import rankdata

from sklearn_mia._links import finding_url
from sklearn_mia._views import TableViewMixin
from sklearn_mia.auditing._multiplicity import MeanGapStatistic, max_statistic_test
from sklearn_mia.auditing._nouns import RECORDS
from sklearn_mia.auditing._percent import in_percent
from sklearn_mia.auditing._slice_words import group_told, records_told
from sklearn_mia.metrics import (
    min_nonmembers_for_fpr,
    rate_interval,
)

SEVERITIES = ("critical", "warning", "note")

_SEPARATING_AUC = 0.95
_MOST_UNEQUAL = 4.0
_TIED_SHARE = 0.05
# What tells the key of a person from a category and from the number of a record.
_FEWEST_KEYS = 20
_MOST_RECORDS_OF_KEY = 50
_LEAST_REPEATED = 0.2
_LARGEST_KEY = 500
_LARGEST_SHARE = 0.05
_TWO_REASONS = (
    "Either the two sides were exchanged, or the model treats its own records in a way "
    "that the attack reads the wrong way round: then it can be told all the same who "
    "was in the data."
)


@dataclass(frozen=True)
class Finding(TableViewMixin):
    """Something that a reader of an audit has to know.

    ======  ==================================================  =================
    code    what was found                                      severity
    ======  ==================================================  =================
    MIA001  members and non-members differ without the model    critical
    MIA002  equal records on both sides                         warning, critical
    MIA003  groups on both sides                                warning
    MIA004  tied scores                                         note
    MIA005  false-positive rate not resolvable                  warning
    MIA006  shadow models unlike the target                     warning
    MIA007  the target is one of the shadow models              critical
    MIA008  classes lost in shadow models, records unscored     note, warning
    MIA009  a column, or the order, gives membership away       critical, warning
    MIA010  unequal sides                                       note
    MIA011  attack perhaps chosen on the reported records       warning
    MIA012  the sides look swapped                              critical
    MIA013  the model gives no probabilities                    note
    MIA014  fitted with another version of scikit-learn         warning
    MIA015  how the columns of the tables were matched          note
    MIA016  intervals count records, not groups                 note
    MIA017  only predictions were given                         warning
    MIA018  how cells of a text file were read                  note
    MIA019  shadow models without a part of the model           note
    MIA020  a check that failed, so that it is not known        warning
    MIA021  an attack ranks members below non-members           critical, warning
    MIA022  a group of records is at a risk of its own          warning
    MIA023  members of a group rank below its non-members       critical, warning
    MIA024  records counted where persons may be meant          warning
    MIA025  the model was trained on the key of the groups      warning
    MIA026  one group has a large share of the records          warning
    MIA027  the file of the model was not attacked as a whole   warning
    MIA028  the file tells of more or fewer training records    warning
    MIA029  records that the model was never asked about        warning
    MIA030  a model that can only be asked, no shadow models    warning
    MIA031  values to predict far outside all others            warning
    MIA032  all records are answered alike                      critical, warning
    MIA033  the file of the model was not read to the end       warning
    ======  ==================================================  =================

    Attributes
    ----------
    code : str
        Stable name of the check.

    severity : {"critical", "warning", "note"}
        After a critical finding the headline must not be interpreted.

    title : str
        What was checked, in a few words.

    message : str
        What was found, one sentence.

    advice : str
        What to do about it.

    numbers : dict
        The numbers behind the message.

    url : str
        Page of the documentation on the code: why it matters, how it is computed and
        what to do.

    See Also
    --------
    AuditReport : Holds the findings of an audit.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import audit_predictions
    >>> X, y = make_classification(600, flip_y=0.2, random_state=0)
    >>> model = RandomForestClassifier(20, random_state=0).fit(X[:300], y[:300])
    >>> is_member = [True] * 300 + [False] * 300
    >>> report = audit_predictions(model.predict_proba(X), y, is_member)
    >>> [(finding.code, finding.severity) for finding in report.findings]
    [('MIA005', 'warning'), ('MIA017', 'warning')]
    """

    code: str
    severity: str
    title: str
    message: str
    advice: str
    numbers: dict = field(default_factory=dict)

    @property
    def url(self):
        """Page of the documentation on the code."""
        return finding_url(self.code)

    def __str__(self):
        """Return one line for a terminal."""
        return f"[{self.code} {self.severity}] {self.message} {self.advice}"


def check_blind(blind, *, drop_shared=False):
    """MIA001: members can be told from non-members without the model."""
    if blind is None or blind["low"] <= 0.5:
        return None
    advice = (
        "Audit with a random split: draw the non-members from the same source and "
        "time as the members."
    )
    if drop_shared:
        advice += (
            " If equal records are usual in the table, leaving out the non-members "
            "that equal a member (drop_shared=True, or --drop-shared) is a reason by "
            "itself: those left are rarer than members. Take equal records out of the "
            "table before it is split."
        )
    return Finding(
        "MIA001",
        "critical",
        "Members and non-members differ without the model",
        f"A classifier that never saw the model ({blind['learner']}) tells members "
        f"from non-members with an AUC of {blind['auc']:.3f} ({blind['low']:.3f} to "
        f"{blind['high']:.3f}): the two sides are not draws from one population, so "
        "an attack may succeed without any leak.",
        advice,
        blind,
    )


def check_duplicates(ids, is_member):
    """MIA002: the same record is on both sides."""
    shared = np.intersect1d(ids[is_member], ids[~is_member])
    if not len(shared):
        return None
    n_members = int(np.isin(ids[is_member], shared).sum())
    n_nonmembers = int(np.isin(ids[~is_member], shared).sum())
    share = n_nonmembers / int((~is_member).sum())
    return Finding(
        "MIA002",
        "critical" if share > 0.5 else "warning",
        "Equal records on both sides",
        f"{n_nonmembers} of the non-members ({in_percent(share)}) "
        f"{'equals' if n_nonmembers == 1 else 'equal'} one of {n_members} of the "
        "members in every column, label included: what equals a member raises false "
        "alarms and hides leakage.",
        "Drop them from the non-members (drop_shared=True, or --drop-shared) and "
        "audit again; if equal records are usual in the table, take them out of it "
        "before it is split.",
        {"n_members": n_members, "n_nonmembers": n_nonmembers, "share": share},
    )


def check_groups(groups, is_member, nouns=RECORDS):
    """MIA003: the same person (or other group) is on both sides."""
    if groups is None:
        return None
    shared = np.intersect1d(groups[is_member], groups[~is_member])
    if not len(shared):
        return None
    n_groups = len(np.unique(groups))
    n_records = int(np.isin(groups[~is_member], shared).sum())
    return Finding(
        "MIA003",
        "warning",
        "Groups on both sides",
        f"{len(shared)} of {n_groups} {nouns.many} have records on both sides, "
        f"{n_records} records that the model was not trained on among them: what it "
        f"learned of a {nouns.one} shows there too. They count as {nouns.members}, by "
        "the records that were trained on.",
        f"Split by {nouns.one}, so that each is wholly in or out.",
        {
            "n_shared_groups": len(shared),
            "n_groups": n_groups,
            "n_nonmembers": n_records,
        },
    )


def check_keys(columns):
    """MIA024: a column looks like the key of persons, but records are counted.

    Parameters
    ----------
    columns : dict
        Name of each column that the model does not use mapped to its values, of shape
        (n_records,).
    """
    found = {}
    for name, values in columns.items():
        keys, counts = np.unique([str(v) for v in values], return_counts=True)
        repeated = counts[counts > 1].sum() / counts.sum()
        many = len(keys) >= max(_FEWEST_KEYS, counts.sum() / _MOST_RECORDS_OF_KEY)
        if many and repeated >= _LEAST_REPEATED and counts.max() <= _LARGEST_KEY:
            found[str(name)] = len(keys)
    if not found:
        return None
    shown = ", ".join(f"{name!r} ({n} values)" for name, n in found.items())
    n_records = len(next(iter(columns.values())))
    return Finding(
        "MIA024",
        "warning",
        "Records counted where persons may be meant",
        f"Of the columns that are no features, {shown} look like keys of persons: each "
        f"value stands on several of the {n_records} records. Whoever asks whether a "
        "person was in the data asks all of their records at once, and is right more "
        "often than the numbers of single records say.",
        "Audit by person: pass groups_train and groups_test, or --group COLUMN.",
        {"n_keys": found, "n_records": n_records},
    )


def check_lopsided(is_member, n_records, nouns=RECORDS):
    """MIA026: one group has a large share of the records of its side.

    Parameters
    ----------
    is_member : ndarray of shape (n_groups,), dtype bool

    n_records : ndarray of shape (n_groups,) or None
        None where there are no groups.
    """
    if n_records is None:
        return None
    found = []
    for side, name in ((is_member, nouns.members), (~is_member, nouns.nonmembers)):
        largest, total = int(n_records[side].max()), int(n_records[side].sum())
        if largest / total > max(_LARGEST_SHARE, 10 / np.count_nonzero(side)):
            found.append(
                f"{in_percent(largest / total)} of the records of the {name} "
                f"({largest} of {total}) are of one {nouns.one}"
            )
    if not found:
        return None
    return Finding(
        "MIA026",
        "warning",
        f"One {nouns.one} with many records",
        f"{' and '.join(found)}. In numbers that count {nouns.many} all of them "
        "are one, whatever the model gives away of them.",
        f"Check that the key is that of a {nouns.one}, not of a site or a default.",
        {"n_records": int(n_records.max())},
    )


def check_used_keys(columns, groups, nouns=RECORDS):
    """MIA025: a feature of the model is the key of the groups.

    Parameters
    ----------
    columns : dict
        Name of each feature mapped to its values as numbers, of shape (n_records,).

    groups : ndarray of shape (n_records,)
        Codes.
    """
    n_groups, found = len(np.unique(groups)), []
    # Where each has one record, any column of different values is like a key.
    if len(groups) - n_groups < _LEAST_REPEATED * len(groups):
        return None
    for name, values in columns.items():
        codes = np.unique(values, return_inverse=True)[1].ravel()
        pairs = np.unique(codes.astype(np.int64) * (groups.max() + 1) + groups)
        if codes.max() + 1 == n_groups == len(pairs):
            found.append(str(name))
    if not found:
        return None
    return Finding(
        "MIA025",
        "warning",
        "The model was trained on a key",
        f"The model was trained on {', '.join(found)}, which tells of every record "
        f"which {nouns.one} it is of: it can recognise by it whose records it has "
        "seen.",
        f"Train without it: a key says nothing of a {nouns.one} who comes later.",
        {"columns": found},
    )


def check_ties(name, is_member, scores, max_fpr=0.01, nouns=RECORDS):
    """MIA004: many non-members share the score at the operating point."""
    nonmembers = np.sort(scores[~is_member])[::-1]
    permitted = int(np.floor(max_fpr * len(nonmembers) + 1e-9))
    threshold = nonmembers[min(permitted, len(nonmembers) - 1)]
    n_tied = int(np.count_nonzero(nonmembers == threshold))
    n_above = int(np.count_nonzero(nonmembers > threshold))
    share = n_tied / len(nonmembers)
    if n_tied < 2 or share <= _TIED_SHARE or n_above == permitted:
        return None
    return Finding(
        "MIA004",
        "note",
        "Tied scores",
        f"{n_tied} {nouns.nonmembers} ({in_percent(share)}) share the score of {name} "
        f"at which {in_percent(max_fpr)} false alarms would be reached: its rates "
        f"there are at {n_above} false alarms of {len(nonmembers)}, and are attained, "
        "not interpolated.",
        "Read this attack at higher false-positive rates, or by its AUC.",
        {
            "attack": name,
            "n_tied": n_tied,
            "share": share,
            "n_distinct": len(np.unique(scores)),
        },
    )


def check_resolution(n_nonmembers, fprs, confidence=0.95, nouns=RECORDS):
    """MIA005: a false-positive rate is finer than the non-members can show."""
    fine = [fpr for fpr in fprs if fpr * n_nonmembers < 1 - 1e-9]
    if not fine:
        return None
    needed = min_nonmembers_for_fpr(min(fine))
    at_zero = rate_interval(0, n_nonmembers, confidence=confidence).high
    rates = ", ".join(f"{fpr:g} ({in_percent(fpr)})" for fpr in fine)
    return Finding(
        "MIA005",
        "warning",
        "False-positive rate not resolvable",
        f"{n_nonmembers} {nouns.nonmembers} cannot show a false-positive rate of "
        f"{rates}: one false alarm is already {in_percent(1 / n_nonmembers)}, and with "
        f"none at all the rate could still be {in_percent(at_zero)}.",
        f"Give at least {needed} {nouns.nonmembers}, or ask for a higher rate.",
        {
            "fprs": fine,
            "n_nonmembers": n_nonmembers,
            "n_needed": needed,
            "highest_fpr_at_no_alarm": at_zero,
        },
    )


def check_giveaways(columns, is_member, units):
    """MIA009: a column, or the order of the records, gives membership away.

    Parameters
    ----------
    columns : dict
        Name of each column mapped to its values as numbers, of shape (n_records,).

    is_member : ndarray of shape (n_records,), dtype bool

    units : ndarray of shape (n_records,)
        Codes of the records that belong together.
    """
    n1, n0 = int(is_member.sum()), int((~is_member).sum())
    if min(len(np.unique(units[side])) for side in (is_member, ~is_member)) < 10:
        return None
    found = {}
    for name, values in columns.items():
        known = np.isfinite(values)
        if known.mean() < 0.5:
            continue
        ranks = rankdata(np.where(known, values, -np.inf))
        auc = (ranks[is_member].mean() - (n1 + 1) / 2) / n0
        if max(auc, 1 - auc) >= _SEPARATING_AUC:
            found[name] = float(auc)
    if not found:
        return None
    shown = ", ".join(f"{name} (AUC {auc:.3f})" for name, auc in found.items())
    return Finding(
        "MIA009",
        "critical" if any(name != "record order" for name in found) else "warning",
        "Membership shows in a column or in the order",
        f"Members and non-members are separated by {shown}: unless the rows had been "
        "shuffled before, the split was not drawn at random.",
        "Split at random, and leave row numbers and identifiers out of the features.",
        {"auc": found},
    )


def check_balance(n_members, n_nonmembers, nouns=RECORDS):
    """MIA010: one side is much larger than the other."""
    ratio = max(n_members, n_nonmembers) / min(n_members, n_nonmembers)
    if ratio < _MOST_UNEQUAL:
        return None
    majority = max(n_members, n_nonmembers) / (n_members + n_nonmembers)
    larger = nouns.members if n_members > n_nonmembers else nouns.nonmembers
    return Finding(
        "MIA010",
        "note",
        "Unequal sides",
        f"{n_members} {nouns.members} and {n_nonmembers} {nouns.nonmembers}: always "
        f"answering with the larger side would be right on {in_percent(majority)}, so "
        "accuracy says nothing here; AUC and the rates reported do not depend on it.",
        f"Intervals are as wide as the smaller side makes them; fewer {larger} would "
        "do as well.",
        {
            "n_members": n_members,
            "n_nonmembers": n_nonmembers,
            "majority_accuracy": majority,
        },
    )


def check_swapped(right, losses, is_member, permuter, *, alpha, seed=0, columns=False):
    """MIA012: the model is worse on its own records than on the non-members.

    Its errors and its losses are compared, corrected for both.

    Parameters
    ----------
    right : ndarray of shape (n_records,), dtype bool, or None
        Whether the model is right about each record; None of a regressor, whose losses
        alone are compared, its absolute errors.

    losses : ndarray of shape (n_records,)

    is_member : ndarray of shape (n_records,), dtype bool

    permuter : MembershipPermuter

    alpha : float
        Of both comparisons together.

    seed : int, default=0

    columns : bool, default=False
        Whether the columns of the answers may be in another order than the classes.
    """
    sides = is_member, ~is_member
    loss = [float(losses[side].mean()) for side in sides]
    accuracy, statistics = [None, None], [MeanGapStatistic(losses)]
    if right is not None:
        accuracy = [float(right[side].mean()) for side in sides]
        statistics = [MeanGapStatistic(~right), *statistics]
    if loss[0] <= loss[1] and (right is None or accuracy[0] >= accuracy[1]):
        return None
    p_values = max_statistic_test(statistics, is_member, permuter, seed=seed).adjusted
    if p_values.min() > alpha:
        return None
    said, what = [], "loss" if right is not None else "absolute error"
    if right is not None and p_values[0] <= alpha:
        said.append(
            f"is right on {in_percent(accuracy[1])} of the non-members but only on "
            f"{in_percent(accuracy[0])} of the members, its own training records"
        )
    if p_values[-1] <= alpha:
        said.append(
            f"has a mean {what} of {loss[1]:.3g} on the non-members but of "
            f"{loss[0]:.3g} on the members"
        )
    return Finding(
        "MIA012",
        "critical",
        "The sides look swapped",
        f"The model {' and '.join(said)}.",
        "Check that the records given as members are those the model was trained on, "
        "and that both tables were prepared alike."
        + " Or the columns are not in the order of classes: it does worse than always "
        "the commonest class would." * columns,
        {
            "accuracy_members": accuracy[0],
            "accuracy_nonmembers": accuracy[1],
            "loss_members": loss[0],
            "loss_nonmembers": loss[1],
            "p_accuracy": None if right is None else float(p_values[0]),
            "p_loss": float(p_values[-1]),
        },
    )


def check_reversed(attack, alpha, leak, quality, nouns=RECORDS):
    """MIA021: an attack ranks members below non-members, more than chance explains.

    Parameters
    ----------
    attack : dict
        The attack most reversed.

    alpha : float
        A corrected p-value no larger makes its ranking reversed.

    leak : bool
        Whether an attack found members the right way round.

    quality : str or None
        How well the model does on members and on non-members, in words.
    """
    p_value = attack["p_corrected_by_metric"]["reversed"]
    if p_value > alpha:
        return None
    auc = attack["auc"]["estimate"]
    told = "" if quality is None else f" (it {quality})"
    return Finding(
        "MIA021",
        "warning" if leak else "critical",
        "Members rank below non-members",
        f"{attack['name']} ranks {nouns.members} below {nouns.nonmembers} (AUC "
        f"{auc:.3f}; reversed, {1 - auc:.3f}); chance would do so in "
        f"{in_percent(p_value)} of audits. {_TWO_REASONS}",
        f"Check which table the model was trained on{told}. If the sides are right, a "
        "leak is there: do not read a low AUC as safety.",
        {"attack": attack["name"], "auc": auc, "p_corrected": p_value},
    )


def check_reversed_slice(row, leak, nouns=RECORDS):
    """MIA023: an attack ranks members of a group below its non-members.

    Parameters
    ----------
    row : dict or None
        Of the group in which that is surest.

    leak : bool
        Whether an attack found members the right way round, in all records.
    """
    if row is None:
        return None
    name, auc = row["reversed"]["attack"], row["reversed"]["auc"]
    return Finding(
        "MIA023",
        "warning" if leak else "critical",
        "Members of a group rank below non-members",
        f"Among {records_told(row, nouns)}, {name} ranks "
        f"{nouns.members} below {nouns.nonmembers} (AUC {auc['estimate']:.3f}, "
        f"{auc['low']:.3f} to {auc['high']:.3f}, corrected for all groups). "
        f"{_TWO_REASONS}",
        "Check how the records of this group came to their sides. If the sides are "
        "right, a leak is there: do not read a low AUC as safety.",
        {
            "slice": row["slice"],
            "value": row["value"],
            "attack": name,
            "auc": auc["estimate"],
            "high": auc["high"],
        },
    )


def check_worst_slice(row, nouns=RECORDS):
    """MIA022: members of one group of records are told better than by chance.

    Parameters
    ----------
    row : dict or None
        Of the group in which that is surest.
    """
    if row is None:
        return None
    auc = row["auc"]
    return Finding(
        "MIA022",
        "warning",
        "A group at a risk of its own",
        f"Among {group_told(row, nouns)}.",
        "The limit of the AUC applies to every group that is large enough, not to the "
        "average alone.",
        {
            "slice": row["slice"],
            "value": row["value"],
            "attack": row["attack"],
            "auc": auc["estimate"],
            "low": auc["low"],
            "high": auc["high"],
            "p_corrected": row["p_corrected"],
        },
    )
