"""What a report on a training procedure says, in sentences and as text."""

import math

from scipy import special

from sklearn_mia.auditing import _canary_words
from sklearn_mia.auditing._evaluation import HEADLINE_FPR, all_equal, mean_interval
from sklearn_mia.auditing._nouns import Nouns
from sklearn_mia.auditing._percent import percent, rate
from sklearn_mia.auditing._same_records import TOP
from sklearn_mia.auditing._text import wrapped

# With fewer the quantile of the t distribution is above 3.
_FEW_MODELS = 4


def rows_of_lead(content):
    """The AUC of the strongest attack, and its rate that is told first.

    Parameters
    ----------
    content : dict
        Of a report.

    Returns
    -------
    auc, rate : dict
        Rows of the summary.
    """
    auc, *rates = (
        row
        for row in content["summary"]
        if row["attack"] == content["summary"][0]["attack"]
    )
    return auc, min(rates, key=lambda row: abs(fpr_of(row) - HEADLINE_FPR))


def fpr_of(row):
    """The false-positive rate of a row of the summary; None of an AUC."""
    fpr = row["metric"].partition("=")[2]
    return float(fpr) if fpr else None


def _all_together(content):
    """Each attack and the interval of its mean AUC; these hold together.

    Where all models have the same half, how many models there are says nothing about
    chance among records: the interval is that of the mean score. Where all have the
    same AUC there is no upper end, and the lower one is what chance among the records
    of one model allows.
    """
    if content["vary"] == "seed":
        rows = {r["attack"]: r["auc"] for r in content["same_records"]["together"]}
        return {
            name: (row["estimate"], row["low"], row["high"])
            for name, row in rows.items()
        }
    names = [attack["name"] for attack in content["attacks"]]
    each = 1 - (1 - content["confidence"]) / len(names)
    return {name: _interval_of(content, name, each) for name in names}


def _interval_of(content, name, confidence):
    aucs = _aucs(content, name)
    if not all_equal(aucs):
        return mean_interval(aucs, confidence)
    sizes = [content["targets"][0][side] for side in ("n_members", "n_nonmembers")]
    by_chance = math.sqrt((sum(sizes) + 1) / (12 * math.prod(sizes)))
    half = special.ndtri((1 + confidence) / 2) * by_chance
    low, high = max(0.0, aucs[0] - half), min(1.0, aucs[0] + half)
    return (aucs[0], low, None) if aucs[0] >= 0.5 else (aucs[0], None, high)


def _reversed(content):
    """Attacks that clearly rank members below the others, and the AUC turned round."""
    found = _all_together(content).items()
    return [
        (name, 1 - mean)
        for name, (mean, _, high) in found
        if high is not None and high < 0.5
    ]


def leaks(content):
    """Tell whether an attack was clearly no guess, all taken together."""
    lows = (low for _, low, _ in _all_together(content).values())
    clearly = (low is not None and low > 0.5 for low in lows)
    return any(clearly) or bool(_reversed(content))


def _aucs(content, name):
    return [target["attacks"][name]["auc"] for target in content["targets"]]


def title_of(content):
    """What the audit comes to, in one sentence; "not shown" is not called safe."""
    auc, _ = rows_of_lead(content)
    told = (
        f"the strongest attack, {auc['attack']}, has an AUC of {auc['mean']:.3f} on "
        "average, where 0.5 is guessing."
    )
    if leaks(content):
        return f"Models trained this way give away who is in their data: {told}"
    return (
        f"That models trained this way give away who is in their data was not shown: "
        f"{told}"
    )


def sentences_of(content):
    """What was found, in plain words.

    Parameters
    ----------
    content : dict
        Of a report.

    Returns
    -------
    sentences : list of str
    """
    nouns = Nouns(**content["nouns"])
    auc, found = rows_of_lead(content)
    at, name = rate(fpr_of(found)), auc["attack"]
    if found["mean"] is None:
        told = [
            f"How many of the {nouns.members} it recognises at {at} false alarms could "
            f"not be measured: that {found['note']}."
        ]
    else:
        told = [
            f"It recognises {percent(found['mean'])} of the {nouns.members} on average "
            f"({_ends_told(found, True)}), if at most {at} of the {nouns.nonmembers} "
            "may be accused wrongly."
        ]
    aucs = _aucs(content, name)
    if not all_equal(aucs):
        told.append(
            f"From model to model its AUC went from {min(aucs):.3f} to {max(aucs):.3f}"
            ": one trained model may give away less or more than the mean."
        )
    told += _of_same_records(content, nouns)
    told += [
        f"{name} clearly ranks the {nouns.members} below the others: turned round, it "
        f"tells them apart with a mean AUC of {mean:.3f}."
        for name, mean in _reversed(content)
    ]
    if not leaks(content):
        told.append(_not_excluded(content))
    has_intervals = any(row["low"] is not None for row in content["summary"])
    if content["n_targets"] < _FEW_MODELS and has_intervals:
        told.append(
            f"With only {content['n_targets']} models the intervals are very wide."
        )
    return told


def _not_excluded(content):
    ends = _all_together(content)
    unknown = [name for name, interval in ends.items() if None in interval]
    if unknown:
        return (
            "A mean AUC of 0.5 is not excluded, and how far it may be from that is "
            f"unknown: all models have the same AUC by {' and '.join(unknown)}. Nor is "
            "a stronger attack excluded."
        )
    most = max(high for *_, high in ends.values())
    together = "" if len(ends) == 1 else f" of all {len(ends)} attacks together"
    return (
        f"The intervals{together} do not exclude a mean AUC of 0.5, nor one of "
        f"{most:.3f}; nor is a stronger attack excluded."
    )


def _of_same_records(content, nouns):
    """How what one model gives away of a record carries over to the next."""
    same = content["same_records"]
    if same is None:
        return []
    n_models, stable, told = content["n_targets"], same["stability"], []
    if same["n_equal"] == n_models - 1 and content["vary"] == "seed":
        told.append(
            "All models answered alike: the seed changes nothing in this procedure, "
            "and there is no interval over models."
        )
    elif stable["spearman"] is not None:
        told.append(
            f"Two models rank the {nouns.members} that they share with a correlation "
            f"of {stable['spearman']:.2f} (Spearman, mean over pairs; least "
            f"{stable['least']:.2f}), and of the {rate(TOP)} most exposed in the one "
            f"({stable['n_top']}) {percent(stable['top'])} are so in the other."
        )
    shares = same["shares"]
    if shares is not None and shares["n"]:
        told.append(
            f"Of the {nouns.members} of several models {percent(shares['every'])} are "
            f"recognised in every one of theirs, and {percent(shares['any'])} in at "
            f"least one, at {rate(same['fpr'])} false alarms."
        )
    for row in same["together"] or ():
        if row["attack"] == same["attack"]:
            auc = row["auc"]
            told.append(
                f"Who has all {n_models} models, and takes the mean of the scores, has "
                f"an AUC of {auc['estimate']:.3f} ({auc['low']:.3f} to "
                f"{auc['high']:.3f})."
            )
    return told


def scope_of(content):
    """What the numbers are about, and what they leave out, as a list of sentences."""
    told = [
        "The numbers are about the procedure on half of this table. A model trained on "
        "all of it, or on another table, is another model: audit that one before it is "
        "given away."
    ]
    if content["vary"] == "seed":
        told = [
            "The numbers are about the procedure on this very half of the table, "
            "trained again and again; the intervals over models leave chance among "
            "records out. On another half others are at risk."
        ]
    if all(attack["access"] == "interface" for attack in content["attacks"]):
        told.append(
            "The attacks had the answers of the models alone. Whoever has the file of "
            "a model may learn far more."
        )
    return told


def how_told(content):
    """What was done, in one sentence."""
    nouns, first = Nouns(**content["nouns"]), content["targets"][0]
    n_attacks, records = len(content["attacks"]), f"{content['n_records']} records"
    if content["unit"] == "group":
        n_units = first["n_members"] + first["n_nonmembers"]
        records = f"{n_units} {nouns.many} ({records}, those of one together)"
    attacks = "an attack" if n_attacks == 1 else f"{n_attacks} attacks"
    half = (
        f"each on its own random half of the {records}"
        if content["vary"] == "data"
        else f"all on one random half of the {records}, each with its own seed"
    )
    return (
        f"{content['n_targets']} models were trained in the same way, {half}, and "
        f"{attacks} had to tell for each model which {nouns.many} it was trained on."
    )


def interval_told(content):
    """What mean and interval of the tables are, in one sentence."""
    return (
        "The mean is that over the models trained. With "
        f"{rate(content['confidence'])} confidence the interval around it holds the "
        "mean of many more models trained in the same way on "
        + ("halves of this table; " if content["vary"] == "data" else "this half; ")
        + "each interval holds by itself."
    )


def _ends(values, as_percent=False):
    """Ends of an interval, or why there are none."""
    if values["low"] is None:
        return values["note"]
    if as_percent:
        return f"{100 * values['low']:.1f} to {100 * values['high']:.1f} %"
    return f"{values['low']:.3f} to {values['high']:.3f}"


def _ends_told(values, as_percent=False):
    return "interval unknown" if values["low"] is None else _ends(values, as_percent)


def short_lines(content):
    """The main facts in a few lines, for a prompt."""
    if content["canaries"] is not None:
        return _canary_words.short_lines(content)
    auc, found = rows_of_lead(content)
    told = "n/a"
    if found["mean"] is not None:
        told = f"{found['mean']:.3f} ({_ends_told(found)})"
    fpr = fpr_of(found)
    return [
        f"<RecipeReport of {content['name']}: {content['n_targets']} models>",
        f"  {auc['attack']}: AUC {auc['mean']:.3f} ({_ends_told(auc)}), TPR at "
        f"FPR={fpr:g} {told}",
        f"  mean and {rate(content['confidence'])} interval over models",
    ]


def text_lines(content):
    """The report as plain text, in lines."""
    nouns = Nouns(**content["nouns"])
    heading = f"Membership audit of the procedure {content['name']}"
    if content["canaries"] is not None:
        return [
            heading,
            "=" * len(heading),
            "",
            *_canary_words.text_lines(content),
            *_last_lines(content),
        ]
    also = []
    if content["unit"] == "group":
        also = ["", "Record by record, beside it", ""]
        also += [_line(row, row["of_records"]) for row in content["summary"]]
    counted = (
        f"; each of the {nouns.many} counts once, with all records" if also else ""
    )
    return [
        heading,
        "=" * len(heading),
        "",
        wrapped(title_of(content)),
        "",
        *(wrapped(told, "  ") for told in sentences_of(content)),
        *(wrapped(told, "  ") for told in scope_of(content)),
        "",
        wrapped(how_told(content)),
        "",
        wrapped(
            f"Attacks (mean and {rate(content['confidence'])} interval over models; "
            f"TPR: share of the {nouns.members} recognised{counted})"
        ),
        "",
        f"  {'attack':<28}{'metric':<18}{'mean':>7}  interval",
        *(_line(row, row) for row in content["summary"]),
        *also,
        *_calibrated_lines(content),
        *_last_lines(content),
    ]


def _calibrated_lines(content):
    same = content["same_records"]
    if same is None or same["calibrated"] is None:
        return []
    return [
        "",
        wrapped(calibrated_told(content)),
        "",
        *(_line(row, row) for row in same["calibrated"]),
    ]


def calibrated_told(content):
    """What the rates are of records that are compared with themselves."""
    nouns = Nouns(**content["nouns"])
    return (
        f"Each of the {nouns.many} compared with its own scores in the models without "
        "it, as someone can who trains as many"
    )


def _last_lines(content):
    return [
        *_reading_lines(content),
        "",
        wrapped(f"Procedure: {content['recipe']}"),
    ]


def _reading_lines(content):
    if not content["remarks"]:
        return []
    return ["", "How it was read", "", *(wrapped(r, "  ") for r in content["remarks"])]


def _line(row, values):
    start = f"  {row['attack']:<28}{row['metric']:<18}"
    if values["mean"] is None:
        return f"{start}{'n/a':>7}  {values['note']}"
    return f"{start}{values['mean']:>7.3f}  {_ends(values)}"
