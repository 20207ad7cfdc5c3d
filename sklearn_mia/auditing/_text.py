"""The report as plain text, for a terminal."""

import textwrap

from sklearn_mia.auditing._percent import percent
from sklearn_mia.auditing._writing import visible

_WIDTH = 88
_HARD_SPACE = "\N{NO-BREAK SPACE}"


def _wrapped(text, indent=""):
    # A number and its sign stay on one line.
    text = text.replace(" %", _HARD_SPACE + "%")
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
    ).replace(_HARD_SPACE, " ")


def render_text(content):
    """The report as plain text.

    Parameters
    ----------
    content : dict

    Returns
    -------
    text : str
    """
    content = visible(content)
    verdict, data = content["verdict"], content["data"]
    confidence = percent(content["correction"]["confidence"]).replace(".0", "")
    title = f"Membership audit of {content['model']['name']}"
    lines = [
        title,
        "=" * len(title),
        "",
        _wrapped(f"{verdict['title']}"),
        "",
        *(_wrapped(sentence, "  ") for sentence in verdict["sentences"]),
        "",
        _wrapped(
            f"{data['n_members']} members and {data['n_nonmembers']} non-members, "
            f"class label {data['label_column']!r}; the model is right on "
            f"{percent(data['accuracy_members'])} of the members and "
            f"{percent(data['accuracy_nonmembers'])} of the non-members."
        ),
        *_baseline_lines(content["baseline"]),
        "",
        "Attacks (TPR: share of members recognised; FPR: share of non-members accused;",
        f"intervals with {confidence} confidence, for all attacks together)",
        "",
        *_attack_lines(content),
    ]
    if content["slices"]:
        lines += ["", "Slices (AUC of the strongest attack in each, corrected)", ""]
        lines += _slice_lines(content["slices"])
    lines += ["", "Findings"]
    if not content["findings"]:
        lines += ["", "  None."]
    for finding in content["findings"]:
        lines += [
            "",
            f"  {finding['code']} {finding['severity']}: {finding['title']}",
            _wrapped(f"{finding['message']} {finding['advice']}", "    "),
        ]
    return "\n".join(lines)


def _baseline_lines(baseline):
    if baseline is None:
        return []
    sentences = (_wrapped(sentence, "  ") for sentence in baseline["sentences"])
    return ["", _wrapped(baseline["title"]), "", *sentences]


def _attack_lines(content):
    header = f"  {'attack':<18}{'measure':<19}{'value':>8}  {'interval':<16}"
    lines = [f"{header}{'found':>10}  false alarms"]
    for attack in content["attacks"]:
        p_value = f"{attack['p_corrected']:>8.3f}"
        epsilon = f"{attack['epsilon']['low']:>8.2f}"
        lines += [
            _measure_line(attack["name"], "AUC", attack["auc"]),
            *(_rate_line(rate, attack) for rate in attack["tpr_at_fpr"]),
            _measure_line("", "advantage", attack["advantage"]),
            f"  {'':<18}{'epsilon at least':<19}{epsilon}",
            f"  {'':<18}{'corrected p-value':<19}{p_value}",
        ]
    lines += ["", _wrapped(content["attacks"][0]["epsilon"]["statement"], "  ")]
    return lines


def _measure_line(attack, measure, interval):
    value = f"{interval['estimate']:>8.3f}"
    return f"  {attack:<18}{measure:<19}{value}  {_ends(interval)}"


def _ends(interval):
    if interval["low"] is None:
        return interval["note"]
    return f"{interval['low']:.3f} to {interval['high']:.3f}"


def _rate_line(rate, attack):
    name = f"TPR at FPR={rate['max_fpr']:g}"
    tpr = rate["tpr"]
    found = f"{rate['n_found']}/{attack['n_members']}"
    alarms = (
        f"{rate['n_false_alarms']}/{attack['n_nonmembers']} "
        f"(FPR={rate['fpr']['estimate']:.4g})"
    )
    value, ends = percent(tpr["estimate"]), "not resolvable"
    if rate["tied"]:
        # A rate that ties hide is not the one attained, least of all a 0.
        value = "n/a"
        alarms += (
            f"\n{'':<39}{percent(rate['next_tpr']):>8}  at the next rate, "
            f"FPR={rate['next_fpr']:.4g}"
        )
    if tpr["low"] is not None:
        ends = f"{100 * tpr['low']:.1f} to {100 * tpr['high']:.1f} %"
    return f"  {'':<18}{name:<19}{value:>8}  {ends:<16}{found:>10}  {alarms}"


def _slice_lines(slices):
    lines = [
        f"  {'slice':<34}{'members':>8}{'others':>8}  {'AUC':>5}  {'interval':<16}"
        f"corrected p"
    ]
    for row in slices:
        label = textwrap.shorten(
            f"{row['slice']} = {row['value']}", 33, placeholder="…"
        )
        start = f"  {label:<34}{row['n_members']:>8}{row['n_nonmembers']:>8}"
        auc = row["auc"]
        if auc is None:
            lines.append(f"{start}  too few records")
            continue
        lines.append(
            f"{start}  {auc['estimate']:.3f}  {_ends(auc):<16}"
            f"{row['p_corrected']:>11.3f}"
        )
    return lines
