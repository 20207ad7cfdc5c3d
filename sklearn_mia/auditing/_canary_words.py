"""What a report on canaries says, in sentences and as text."""

import math
from collections import Counter

from sklearn_mia.auditing._percent import rate
from sklearn_mia.auditing._text import wrapped


def contradicts(found):
    """Whether the bound is above what is claimed; None without a claim.

    Parameters
    ----------
    found : dict
        What a report has under "canaries".
    """
    return None if found["claim"] is None else found["epsilon"] > found["claim"]


def at_least(epsilon):
    """A lower bound in two decimals, or four if it is small, never rounded up."""
    digits = 2 if epsilon >= 0.01 or epsilon == 0 else 4
    return f"{math.floor(10**digits * epsilon) / 10**digits:.{digits}f}"


def _of_delta(found):
    return f" at delta = {found['delta']:g}" if found["delta"] else ""


def title_of(content):
    """What the canaries come to, in one sentence; no bound is called private."""
    found = content["canaries"]
    bound = (
        f"with {rate(content['confidence'])} confidence its epsilon is at least "
        f"{at_least(found['epsilon'])}{_of_delta(found)}."
    )
    if found["claim"] is None:
        if found["epsilon"] == 0:
            return (
                "The canaries do not show that this procedure gives away who is in its "
                "data (that is no proof)."
            )
        return f"This procedure gives away who is in its data: {bound}"
    claim = f"the claim epsilon = {found['claim']:g}"
    if contradicts(found):
        return f"The measurement contradicts {claim}: {bound}"
    return f"The measurement does not contradict {claim} (that is no proof): {bound}"


def sentences_of(content):
    """What was done and found, in plain words.

    Parameters
    ----------
    content : dict
        Of a report.

    Returns
    -------
    sentences : list of str
    """
    found = content["canaries"]
    kinds = Counter(found["table"]["kind"])
    n = sum(kinds.values())
    shares = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    beside = (
        f"beside the {content['n_records']} records of the table"
        if found["adjacency"] == "add"
        else f"each in the place of one of the {content['n_records']} records of the "
        "table"
    )
    auc = found["auc"]
    told = [
        f"Of {n} canaries ({shares}) each entered the training data by its own fair "
        f"coin: {found['n_included']} did, {beside}. One model was trained, and "
        f"{found['attack']} had to tell the coins from it: its AUC is "
        f"{auc['estimate']:.3f} ({auc['low']:.3f} to {auc['high']:.3f})."
    ]
    if found["n_rehearsals"]:
        told.append(
            f"That attack was chosen among {len(found['rehearsals'])} on "
            f"{found['n_rehearsals']} rehearsals, models trained with coins of their "
            "own."
        )
    n_judged = n - _n_teaching(found)
    if n_judged < n:
        told.append(
            f"The coins of {n - n_judged} canaries taught the attack. It was judged on "
            f"the {n_judged} others, and so is the bound."
        )
    most = at_least(found["ceiling"])
    if found["claim"] is not None and found["claim"] >= found["ceiling"]:
        told.append(
            f"With {n_judged} canaries no claim from epsilon = {most} on can be "
            "contradicted, not even by an attack that tells every coin: make more."
        )
    else:
        told.append(f"An attack that tells every coin would have shown {most}.")
    return told


def _n_teaching(found):
    """Canaries that have no score, since they taught an attack that learns coins."""
    return found["table"]["score"].count(None)


def conditions_of(content):
    """What had to hold for the bound, as a list of sentences."""
    found = content["canaries"]
    used = (
        "were used for nothing else: canaries, attack and reference models do not "
        "depend on them."
    )
    if n_teaching := _n_teaching(found):
        used = (
            f"were used for nothing else but that {n_teaching} of them taught the "
            "attack, which are not among those that the bound rests on: canaries and "
            "reference models do not depend on them."
        )
    neighbours = (
        "in one record that is there or not. A claim about one record that is "
        'replaced by another is another claim: the adjacency "replace".'
        if found["adjacency"] == "add"
        else "in one record, in the place of which there is another."
    )
    return [
        found["statement"],
        f"The coins were tossed with the seed {content['seed']}, are kept in this "
        f"report, and {used}",
        f"Neighbours in the sense of differential privacy differ {neighbours}",
        "The claim is about all possible records. One that is limited to records "
        "within bounds, which the procedure does not see to itself, is not about "
        "canaries beyond them: make your own.",
    ]


def scope_of(content):
    """What the bound leaves out, as a list of sentences."""
    return [
        "A lower bound is no estimate: the epsilon may be far larger, and another "
        f"attack, or more than {len(content['canaries']['table']['kind'])} canaries, "
        "may show more. The canaries are trained on to be found again: give this model "
        "to nobody."
    ]


def kinds_of(found):
    """One row a kind of canaries: how many, and what the attack says of them.

    Parameters
    ----------
    found : dict
        What a report has under "canaries".

    Returns
    -------
    rows : list of dict
    """
    columns = found["table"]
    table = list(zip(*(columns[c] for c in ("kind", "included", "score")), strict=True))
    rows = []
    for kind in dict.fromkeys(columns["kind"]):
        own = [(is_in, score) for of, is_in, score in table if of == kind]
        rows.append(
            {
                "kind": kind,
                "n": len(own),
                "n_included": sum(is_in for is_in, _ in own),
                "score_in": _mean([s for is_in, s in own if is_in]),
                "score_out": _mean([s for is_in, s in own if not is_in]),
            }
        )
    return rows


def _mean(scores):
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None


def short_lines(content):
    """The main facts in a few lines, for a prompt."""
    found = content["canaries"]
    lines = [
        f"<RecipeReport of {content['name']}: {len(found['table']['kind'])} canaries>",
        f"  epsilon at least {at_least(found['epsilon'])}{_of_delta(found)}, by "
        f"{found['attack']}, with {rate(content['confidence'])} confidence",
    ]
    if found["claim"] is not None:
        verb = "contradicts" if contradicts(found) else "does not contradict"
        lines.append(f"  {verb} the claim epsilon = {found['claim']:g}")
    return lines


def text_lines(content):
    """The report as plain text but for its heading and its end, in lines."""
    found = content["canaries"]
    lines = [
        wrapped(title_of(content)),
        "",
        *(wrapped(told, "  ") for told in sentences_of(content)),
        *(wrapped(told, "  ") for told in scope_of(content)),
        "",
        "What had to hold",
        "",
        *(wrapped(told, "  - ", "    ") for told in conditions_of(content)),
    ]
    if found["rehearsals"]:
        lines += [
            "",
            "Attacks on the rehearsals (means)",
            "",
            f"  {'attack':<28}{'epsilon':>8}{'AUC':>8}",
            *(
                f"  {row['attack']:<28}{at_least(row['epsilon']):>8}{row['auc']:>8.3f}"
                for row in found["rehearsals"]
            ),
        ]
    return lines
