"""Whether a model leaks more than an earlier one, the baseline."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import ndtri

from sklearn_mia.auditing._baseline_words import (
    closing_sentence,
    other_attacks,
    other_limits,
    other_settings,
    paired_sentence,
    sentence_of,
    title,
    unpaired_sentence,
)
from sklearn_mia.auditing._evaluation import plain_interval, tpr_row
from sklearn_mia.auditing._files import check_report_file
from sklearn_mia.auditing._json import plain
from sklearn_mia.auditing._judging import (
    BASELINE_SHARE,
    ONLY_PREDICTIONS,
    READ_REVERSED,
    change_of,
    confidence_of,
    is_reversed,
    outcomes_of,
    turned_round,
)
from sklearn_mia.auditing._nouns import Nouns
from sklearn_mia.auditing._report import AuditReport
from sklearn_mia.auditing._verdict import check_limits
from sklearn_mia.metrics import roc_auc_interval
from sklearn_mia.metrics._difference import (
    auc_correlation,
    difference_interval,
    tpr_correlation,
)
from sklearn_mia.metrics._intervals import Interval

_MAKE_ANOTHER = "Make a new baseline"
_BY_LOT = "picking among equals by lot"
_NO_INTERVAL = "it has no interval"


@dataclass(frozen=True, repr=False)
class Sample:
    """What an attack said of each unit: a record, or whoever is a member as a whole.

    A pickle of it holds the names.

    Attributes
    ----------
    is_member : ndarray of shape (n_units,), dtype bool

    scores : ndarray of shape (n_units,)

    names : list of (str or None)
        What joins the units of two audits; None for one that has no name.
    """

    is_member: np.ndarray
    scores: np.ndarray
    names: list


@dataclass(frozen=True, repr=False)
class _Audited:
    """One attack of one audit: its row in the report, and the sample behind it.

    A pickle of it holds what the sample does.
    """

    row: dict
    sample: Sample | None


def read_baseline(path, *, max_bytes):
    """Read the report of the earlier model.

    Parameters
    ----------
    path : Path

    max_bytes : int
        Most that the file may hold.

    Returns
    -------
    report : AuditReport

    Raises
    ------
    ValueError, OSError
        Names the file, and what is wrong.
    """
    check_report_file(path, max_bytes=max_bytes)
    return AuditReport._read(Path(path), max_bytes=max_bytes)


def check_baseline(old, limits, *, of_predictions, unit="record", attacks=None):
    """Raise ValueError for a baseline that an audit could not be compared with.

    Parameters
    ----------
    old : AuditReport

    limits : list of (str, float or None, float) or None
        Of the new audit, from :func:`~sklearn_mia.auditing._verdict.check_limits`;
        None if they may be others.

    of_predictions : bool
        Whether the new audit is one of predictions.

    unit : {"record", "group"}, default="record"
        What it counts.

    attacks : list of str or None, default=None
        Names of its attacks; None if they are not known yet.
    """
    if old.verdict["level"] == "not_interpretable":
        codes = [f.code for f in old.findings if f.severity == "critical"]
        raise ValueError(
            "The numbers of the baseline cannot be read as leakage "
            f"({', '.join(codes) or 'see its verdict'}), so nothing can be compared "
            f"with them. {_MAKE_ANOTHER} from members and non-members that were split "
            "at random."
        )
    if _is_of_predictions(old) != of_predictions:
        kinds = ["a model", "predictions"]
        raise ValueError(
            f"The baseline is an audit of {kinds[not of_predictions]}, and this is one "
            f"of {kinds[of_predictions]}: their attacks differ. {_MAKE_ANOTHER} in the "
            "same way."
        )
    if _unit_of(old) != unit:
        raise ValueError(
            f"The baseline counts {_unit_of(old)}s and this audit counts {unit}s. "
            f"{_MAKE_ANOTHER} in the same way."
        )
    told = [_limits_told(_limits_of(old)), _limits_told(limits or ())]
    if limits is not None and told[0] != told[1]:
        raise ValueError(
            f"The baseline has {told[0]}, and this audit has {told[1]}. Set the same "
            "limits, or make a new baseline."
        )
    names = _names_of(old)
    if attacks is not None and not set(names) & set(attacks):
        raise ValueError(
            f"The baseline has the attacks {', '.join(names)}, and this audit has "
            f"{', '.join(attacks)}: none has the same name. {_MAKE_ANOTHER} with the "
            "same attacks."
        )
    for audited in (_audited(old, name) for name in names):
        for _, fpr, _ in limits or ():
            if fpr is None or audited.sample is not None:
                continue
            if _row_at(audited, fpr) is None:
                raise ValueError(
                    "The baseline holds nothing per record, and no TPR at a "
                    f"false-positive rate of {fpr:g}. {_MAKE_ANOTHER} with records, or "
                    "with this rate in its table (--fpr)."
                )


def compare_with_baseline(new, old, *, join_ids=True):
    """Tell whether a model leaks more than an earlier one.

    Attacks of one name are compared: the AUC, and the TPR at the false-positive rate of
    each limit. An interval of new less old that lies above 0 shows an increase. One
    that does not shows none, which is no proof: its upper end is the increase that
    cannot be excluded.

    Parameters
    ----------
    new : AuditReport
        Of the model in question.

    old : AuditReport
        Of the earlier model: the baseline, for example from
        :meth:`AuditReport.from_json`. With the same limits, and at least one attack of
        the same name.

    join_ids : bool, default=True
        Whether equal ids in both reports name the same record. Then the comparison is
        paired: what a record does to both models alike does not widen the interval.
        Membership may differ. Ids that repeat, as positions in two tables do, and
        reports without records are not joined. Groups are joined by their keys always.

    Returns
    -------
    report : AuditReport
        The new one, with what was found in `baseline`.

    Raises
    ------
    ValueError
        If the reports cannot be compared: other limits, attacks or kinds of audit, or
        an old report that cannot be interpreted.

    See Also
    --------
    compare_reports : The same as an object of its own, also at other limits.
    audit : Makes the reports.
    AuditReport.from_json : Reads the earlier one back.

    Notes
    -----
    An interval of the difference is made of the intervals of both values, by Newcombe's
    method of square-and-add: the lower end is ``d - sqrt(x**2 + y**2 - 2 * r * x *
    y)``, with `d` the difference, `x` how far the interval of the new value reaches
    down, `y` how far that of the old one reaches up, and `r` the correlation of both
    values. `r` is 0 if the reports are not joined. Else it comes from the records that
    both have, by the influence of each on both values; for the AUC that is the paired
    comparison of DeLong. Records of only one of them count, too, in its value. A TPR
    with fewer than 10 false alarms gets no help from pairs.

    All intervals together use a twentieth of the error that the new report may make
    (0.0025 at a `confidence` of 0.95), shared equally by the values compared. Values of
    a report without records are taken from its table, and their intervals widened.
    Where a ranking is clearly reversed in one of the reports, AUCs below 0.5 are those
    of the ranking turned round; where ties hide a rate, it is that of someone who picks
    among equals by lot.

    This is about two trained models. Both may come of one procedure: training again
    moves the values, too.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import audit_predictions, compare_with_baseline
    >>> X, y = make_classification(600, flip_y=0.2, random_state=0)
    >>> names, is_member = [f"p{i}" for i in range(600)], np.arange(600) < 300
    >>> def audited(leaf):
    ...     model = RandomForestClassifier(min_samples_leaf=leaf, random_state=0)
    ...     proba = model.fit(X[:300], y[:300]).predict_proba(X)
    ...     return audit_predictions(proba, y, is_member, ids=names)
    >>> report = compare_with_baseline(audited(leaf=5), audited(leaf=20))
    >>> report.baseline["outcome"], report.baseline["n_joined"]
    ('more', 600)
    """
    for name, report in (("new", new), ("old", old)):
        if not isinstance(report, AuditReport):
            raise TypeError(
                f"{name} is a {type(report).__name__}; expected an AuditReport, from "
                "audit or AuditReport.from_json."
            )
    confidence = confidence_of(BASELINE_SHARE, new._content["settings"]["confidence"])
    found = changes_since(
        new, old, join_ids=join_ids, same_limits=True, confidence=confidence
    )
    content = new._content | {"baseline": found}
    return AuditReport(content, new._records, new._groups)


def changes_since(new, old, *, join_ids, same_limits, confidence):
    """Tell what changed since an earlier report.

    Parameters
    ----------
    new, old : AuditReport

    join_ids : bool

    same_limits : bool
        Whether other limits are refused; else the rates of all of them are compared.

    confidence : float
        Of all intervals together.

    Returns
    -------
    content : dict
        As `AuditReport.baseline`.
    """
    limits, names, before = _limits_of(new), _names_of(new), _names_of(old)
    check_baseline(
        old,
        limits if same_limits else None,
        of_predictions=_is_of_predictions(new),
        unit=_unit_of(new),
        attacks=names,
    )
    both = [name for name in names if name in before]
    pairs = [(_audited(new, name), _audited(old, name)) for name in both]
    join_ids = join_ids or _unit_of(new) == "group"
    apart = "" if join_ids else "the records were not joined by an id (--id)"
    apart = apart or next(filter(None, (_why_apart(*pair) for pair in pairs)), "")
    joined = [None if apart else _joined(*pair) for pair in pairs]
    limits_then = _limits_of(old)
    rates = {fpr for _, fpr, _ in (*limits, *limits_then) if fpr is not None}
    fprs = [None, *sorted(rates)]
    each = 1 - (1 - confidence) / (len(pairs) * len(fprs))
    changes = [
        _change(*pair, rows, fpr, each)
        for pair, rows in zip(pairs, joined, strict=True)
        for fpr in fprs
    ]
    outcome = "more" if "more" in outcomes_of(changes) else "not_shown"
    if new.verdict["level"] == "not_interpretable":
        outcome = "not_interpretable"
    model, created = old._content["model"]["name"], old._content["created"]
    return {
        "outcome": outcome,
        "title": title(outcome, f"the baseline ({model}, {created[:10]})"),
        "sentences": [
            *map(sentence_of, changes),
            unpaired_sentence(apart)
            if apart
            else paired_sentence(pairs, joined, Nouns(**new._content["nouns"])),
            *other_attacks(names, before),
            *other_limits(_limits_told(limits), _limits_told(limits_then)),
            *other_settings(pairs),
            closing_sentence(confidence),
        ],
        "model": model,
        "created": created,
        "paired": not apart,
        "n_joined": 0 if apart else max(len(rows[0]) for rows in joined),
        "confidence": confidence,
        "changes": changes,
    }


# What the reports hold


def _is_of_predictions(report):
    return ONLY_PREDICTIONS in {finding.code for finding in report.findings}


def _unit_of(report):
    return report._content["data"]["unit"]


def _names_of(report):
    return [attack["name"] for attack in report.attacks]


def _limits_of(report):
    return check_limits({row["limit"]: row["value"] for row in report.limits})


def _limits_told(limits):
    told = sorted(
        f"auc={value:g}" if fpr is None else f"tpr={value:g}@fpr={fpr:g}"
        for _, fpr, value in limits
    )
    return f"the limits {', '.join(told)}" if told else "no limits"


def _audited(report, name):
    row = next(attack for attack in report.attacks if attack["name"] == name)
    grouped = _unit_of(report) == "group"
    records = report._groups if grouped else report._records
    if records is None or f"score_{name}" not in records:
        return _Audited(row, None)
    is_member = np.asarray(records["member"])
    scores = np.asarray(records[f"score_{name}"])
    ids = list(records["key" if grouped else "id"])
    if not grouped and _is_of_predictions(report) and ids == list(range(len(ids))):
        ids = [None] * len(ids)  # positions in a file, not names
    if is_member.dtype != bool or scores.dtype.kind not in "fiu":
        raise ValueError(
            f"The records of the report of {report._content['model']['name']} are "
            "damaged: expected membership as true or false, and scores as numbers."
        )
    # An attack that learned from membership has no score for what it learned from.
    judged = np.flatnonzero(np.isfinite(scores))
    is_member = is_member[judged]
    if is_member.all() or not is_member.any():
        raise ValueError(
            f"The records of the report of {report._content['model']['name']} are "
            f"damaged: the scores of {name} are of one side only."
        )
    names = [_name_of(ids[i]) for i in judged]
    return _Audited(row, Sample(is_member, scores[judged].astype(float), names))


def _name_of(record_id):
    """A name as text: an id may be a number in Parquet and text in a CSV."""
    told = plain(record_id)
    return None if told is None or told == "" else str(told)


def _why_apart(new, old):
    """Why two samples cannot be joined; "" if they can."""
    both = (new, "this audit"), (old, "the baseline")
    for audited, whose in both:
        if audited.sample is None:
            return f"{whose} holds nothing per record"
    for audited, whose in both:
        named = [name for name in audited.sample.names if name is not None]
        if len(set(named)) < len(named):
            return f"ids repeat among the records of {whose}, as positions do"
    if not len(_joined(new, old)[0]):
        return "no id of this audit is one of the baseline"
    return ""


def _joined(new, old):
    """Where the records that both have stand in each."""
    place = {name: i for i, name in enumerate(old.sample.names) if name is not None}
    rows = [(i, place[n]) for i, n in enumerate(new.sample.names) if n in place]
    return tuple(np.array(rows, dtype=int).reshape(-1, 2).T)


# The comparison


def stretched(interval, confidence):
    """An interval of another confidence, never too narrow.

    Both arms grow by the ratio of the normal quantiles or, if it is larger, by that of
    the logarithms of what each tail leaves out, as the ends of rare events do.

    Parameters
    ----------
    interval : dict
        "estimate", "low", "high" and "confidence" of a share.

    confidence : float

    Returns
    -------
    interval : Interval
    """
    tails = [(1 - c) / 2 for c in (confidence, interval["confidence"])]
    quantiles, logs = ([f(tail) for tail in tails] for f in (ndtri, math.log))
    factor = float(max(quantiles[0] / quantiles[1], logs[0] / logs[1]))
    estimate = interval["estimate"]
    low = estimate - factor * (estimate - interval["low"])
    high = estimate + factor * (interval["high"] - estimate)
    return Interval(
        estimate, max(0.0, low), min(1.0, high), confidence, interval["method"]
    )


def _auc(audited, confidence, turn):
    """The AUC as an `Interval` or None, what to say of it, and the scores behind it."""
    interval, sample = audited.row["auc"], audited.sample
    note = READ_REVERSED if turn else ""
    if sample is not None:
        scores = -sample.scores if turn else sample.scores
        found = roc_auc_interval(sample.is_member, scores, confidence=confidence)
        return (None, found.note, None) if found.low is None else (found, note, scores)
    if not _has_ends(interval):
        return None, interval["note"] or _NO_INTERVAL, None
    interval = turned_round(interval) if turn else interval
    return stretched(interval, confidence), note, None


def _tpr(audited, fpr, confidence):
    """The TPR at a rate as an `Interval` or None, and so on as :func:`_auc`."""
    sample, scores = audited.sample, None
    if sample is None:
        row = _row_at(audited, fpr)
    else:
        row, scores = (
            tpr_row(sample.is_member, sample.scores, fpr, confidence),
            sample.scores,
        )
    if row is None:
        note = "the table does not hold this rate (--fpr), nor is there any record"
        return None, note, None
    if row["resolvable"] and _has_ends(row["tpr"]):
        return stretched(row["tpr"], confidence), "", scores
    if row["by_lot"] is not None and _has_ends(row["by_lot"]):
        return stretched(row["by_lot"], confidence), _BY_LOT, None
    return None, row["tpr"]["note"] or _NO_INTERVAL, None


def _has_ends(interval):
    return interval["low"] is not None and 0 < interval["confidence"] < 1


def _row_at(audited, fpr):
    """The row of a rate in the table of a report; None if it is not there."""
    rows = audited.row["tpr_at_fpr"]
    return next((row for row in rows if f"{row['max_fpr']:g}" == f"{fpr:g}"), None)


def _change(new, old, rows, fpr, confidence):
    """Compare one value of one attack; `rows` are the common ones, None if unpaired."""
    if fpr is None:
        aucs = [audited.row["auc"] for audited in (new, old)]
        either = any(map(is_reversed, aucs))
        turns = [either and auc["estimate"] < 0.5 for auc in aucs]
        values = [
            _auc(audited, confidence, turn)
            for audited, turn in zip((new, old), turns, strict=True)
        ]
    else:
        values = [_tpr(audited, fpr, confidence) for audited in (new, old)]
    intervals, notes, scores = zip(*values, strict=True)
    told = zip(("this audit", "the baseline"), notes, strict=True)
    change = {
        "attack": new.row["name"],
        "metric": "auc" if fpr is None else f"tpr@fpr={fpr:g}",
        "now": None,
        "then": None,
        "difference": None,
        "outcome": "unknown",
        "paired": False,
        "note": "; ".join(f"in {whose}, {note}" for whose, note in told if note),
    }
    if None in intervals:
        return change
    correlation = 0.0
    paired = rows is not None and not any(s is None for s in scores)
    if paired:
        sides = new.sample.is_member, old.sample.is_member
        audits = zip(sides, scores, strict=True)
        correlation = (
            auc_correlation(*audits, *rows)
            if fpr is None
            else tpr_correlation(*audits, *rows, fpr)
        )
    sizes = (a.row[n] for a in (new, old) for n in ("n_members", "n_nonmembers"))
    difference = difference_interval(
        *intervals, correlation=correlation, n_fewest=max(1, min(sizes))
    )
    return change | {
        "now": intervals[0].estimate,
        "then": intervals[1].estimate,
        "difference": plain_interval(difference),
        "outcome": change_of(difference.low, difference.high),
        "paired": paired,
    }
