"""The report as plain text, for a terminal."""

import textwrap

from sklearn_mia._links import FINDINGS_URL
from sklearn_mia._views import visible
from sklearn_mia.auditing._access import WHO, heading_of
from sklearn_mia.auditing._evaluation import HEADLINE_FPR
from sklearn_mia.auditing._judging import (
    parts_of,
    passes_by_access,
    shares_of_error,
)
from sklearn_mia.auditing._nouns import Nouns
from sklearn_mia.auditing._percent import percent, percent_interval, rate
from sklearn_mia.auditing._quality import label_told, sides_in_words
from sklearn_mia.auditing._service import queries_told
from sklearn_mia.auditing._slice_words import (
    differences_told,
    limit_in_words,
    rate_in_slice,
    rate_limits,
)
from sklearn_mia.auditing._stored import kind_told, stored_told

_WIDTH = 88
_MOST_EQUATIONS = 12
_NAME_WIDTH = 18
_SLICE = 33
_LEAST_OF_A_NAME = 10
PASSES = {
    "yes": "Passes: it was shown to be within all limits.",
    "no": "Does not pass: it was shown to be above a limit.",
    "more": "Does not pass: it was shown to give away more than the baseline.",
    "not shown": "Does not pass: it was not shown to be within all limits.",
}
_HARD_SPACE = "\N{NO-BREAK SPACE}"


def wrapped(text, indent="", hanging=None):
    """Lines of text, with an indent, or another one after the first line."""
    # A number and its sign stay on one line.
    text = text.replace(" %", _HARD_SPACE + "%")
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if hanging is None else hanging,
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
    data = content["data"]
    nouns = Nouns(**content["nouns"])
    confidence = percent(content["correction"]["confidence"]).replace(".0", "")
    whom = records_of(data, nouns.members), records_of(data, nouns.nonmembers)
    quality = sides_in_words(data, whom)
    title = f"Membership audit of {content['model']['name']}"
    lines = [
        title,
        "=" * len(title),
        "",
        *_verdict_lines(content),
        *_step_lines(content["next_steps"]),
        *_setting_lines(content["risky_settings"]),
        *_stored_lines(content, nouns),
        wrapped(
            f"{sides_told(data, nouns)}, {label_told(data)}"
            + ("." if quality is None else f"; the model {quality}.")
        ),
        *map(wrapped, queries_told(content["model"]["queries"])),
        *_baseline_lines(content["baseline"]),
        "",
        wrapped(
            f"Attacks (TPR: share of the {nouns.members} recognised; FPR: share of the "
            f"{nouns.nonmembers} accused; intervals with {confidence} confidence, for "
            "all attacks together)"
        ),
        "",
        *_attack_lines(content),
        "",
        *(
            wrapped(f"{attack['name']}: {attack['explanation']}", "  ", "    ")
            for attack in content["attacks"]
            if attack["explanation"]
        ),
    ]
    counted = ""
    if data["unit"] == "group":
        counted = f"; of each {nouns.one} the records in the slice count"
    for part in parts_of(content) if content["slices"] else ():
        heading = heading_of(part, content)
        whose = f"; {heading[0].lower()}{heading[1:]}" if heading else ""
        title = f"Slices (AUC of the strongest attack in each, corrected{counted}"
        lines += ["", wrapped(f"{title}{whose})"), ""]
        lines += _slice_lines(part["slices"], nouns)
        # Of the stronger access alone: the attack that the report leads with.
        told = (
            ""
            if part is not content
            else differences_told(
                content["slices"],
                content["correction"]["difference_confidence"],
                content["headline"]["attack"],
                nouns,
            )
        )
        if told:
            lines += ["", wrapped(told, "  ")]
    if content["sizes"]:
        lines += ["", *_size_lines(content["sizes"], content["headline"], nouns)]
    budget = content["settings"]["confidence"]
    parts = ", ".join(
        f"{rate(round(share, 6))} for {part}"
        for part, share in shares_of_error(budget).items()
    )
    lines += [
        "",
        wrapped(
            f"What is stated of a leak is wrong in no more than "
            f"{rate(round(1 - budget, 6))} of audits, in all: {parts}."
        ),
        "",
        "Findings",
    ]
    if not content["findings"]:
        lines += ["", "  None."]
    else:
        lines += ["", f"  A page on each code: {FINDINGS_URL}"]
    for finding in content["findings"]:
        lines += [
            "",
            f"  {finding['code']} {finding['severity']}: {finding['title']}",
            wrapped(f"{finding['message']} {finding['advice']}", "    "),
        ]
    return "\n".join(lines)


def _verdict_lines(content):
    passing, lines = passes_by_access(content), []
    for part in parts_of(content):
        verdict, heading = part["verdict"], heading_of(part, content)
        if heading:
            lines += [heading, "-" * len(heading), ""]
        told = zip(verdict["kinds"], verdict["sentences"], strict=True)
        lines += [
            wrapped(verdict["title"]),
            "",
            f"  {PASSES[passing[part['access']]]}",
            "",
            *(
                wrapped(sentence, "  ")
                for kind, sentence in told
                if part is content or kind != "scope"
            ),
            "",
        ]
    return lines


def step_told(step):
    """One thing that can be done, for whom, and what it changed."""
    who = f"{WHO[step['access']]}: " if step["access"] else ""
    return " ".join(filter(None, (f"{who}{step['text']}", step["measured"])))


def _step_lines(steps):
    if not steps:
        return []
    told = (wrapped(step_told(step), "  - ", "    ") for step in steps)
    return ["What to do next", "", *told, ""]


def _setting_lines(settings):
    if not settings:
        return []
    told = (
        wrapped(
            f"{row['setting']}: {row['text']}. Try: {row['instead']}.", "  ", "    "
        )
        for row in settings
    )
    return ["Settings that let the model remember single records", "", *told, ""]


def _stored_lines(content, nouns):
    lines, told = [], stored_told(content, nouns)
    if content["stored"] is not None and content["stored"]["structure"]:
        lines += ["By its structure", ""]
        for row in content["stored"]["structure"]:
            lines.append(f"  {row['text']}{' (a risk)' if row['is_risk'] else ''}")
        lines.append("")
    if not told:
        return lines
    lines += ["What the file stores", ""]
    lines += [wrapped(sentence, "  ") for sentence in told]
    lines.append("")
    rows = content["stored"]["equations"]
    lines.append(f"  {'part of the model: what it stores':<62}{'numbers':>10}")
    for row in rows[:_MOST_EQUATIONS]:
        kind = kind_told(row["kind"])
        kind = f"{row['step']}: {kind}" if row["step"] else kind
        kind = textwrap.shorten(kind, 60, placeholder="…")
        lines.append(f"  {kind:<62}{row['n_equations']:>10}")
    if len(rows) > _MOST_EQUATIONS:
        lines.append(f"  and {len(rows) - _MOST_EQUATIONS} more kinds")
    return [*lines, ""]


def _baseline_lines(baseline):
    if baseline is None:
        return []
    sentences = (wrapped(sentence, "  ") for sentence in baseline["sentences"])
    return ["", wrapped(baseline["title"]), "", *sentences]


def _attack_lines(content):
    header = f"  {'attack':<18}{'measure':<19}{'value':>8}  {'interval':<16}"
    lines = [f"{header}{'found':>10}  false alarms"]
    for attack in content["attacks"]:
        p_value = f"{attack['p_corrected']:>8.3f}"
        epsilon = f"{attack['epsilon']['low']:>8.2f}"
        name = attack["name"]
        if len(name) >= _NAME_WIDTH:
            lines.append(f"  {name}")
            name = ""
        lines += [
            _measure_line(name, "AUC", attack["auc"]),
            *(_rate_line(rate, attack) for rate in attack["tpr_at_fpr"]),
            _measure_line("", "advantage", attack["advantage"]),
            *_record_lines(attack["of_records"]),
            f"  {'':<18}{'epsilon at least':<19}{epsilon}",
            f"  {'':<18}{'corrected p-value':<19}{p_value}",
        ]
    lines += ["", wrapped(content["attacks"][0]["epsilon"]["statement"], "  ")]
    return lines


def sides_told(data, nouns):
    """Sizes of both sides, and of how many records they are."""
    sides = (
        (data["n_members"], nouns.members, data["n_member_records"]),
        (data["n_nonmembers"], nouns.nonmembers, data["n_nonmember_records"]),
    )
    told = " and ".join(
        f"{n} {many}" + (f" ({k} records)" if data["unit"] == "group" else "")
        for n, many, k in sides
    )
    kind = data.get("kind")
    if not kind:
        return told
    return (
        f"{told}, {'all' if data['unit'] == 'record' else 'whose records are'} {kind}"
    )


def records_of(data, side):
    """What a share is of, where it counts records."""
    return f"records of {side}" if data["unit"] == "group" else side


def _record_lines(of_records):
    if of_records is None:
        return []
    rates = (
        f"{percent(r['tpr'])} at FPR={r['max_fpr']:g}"
        for r in of_records["tpr_at_fpr"]
        if r["tpr"] is not None
    )
    lines = [_measure_line("", "AUC by record", of_records["auc"])]
    told = ", ".join(rates)
    return lines + ([f"  {'':<18}{'TPR by record':<19}{told}"] if told else [])


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


def _size_lines(sizes, headline, nouns):
    lines = [
        wrapped(
            f"{nouns.many.capitalize()} by number of records ({headline['attack']}, "
            f"one threshold for all, {percent(HEADLINE_FPR)} false alarms)"
        ),
        "",
        f"  {'records':<10}{'in':>6}  {'found':<26}{'not in':>6}  accused",
    ]
    for row in sizes:
        found, accused = (
            "" if row[rate] is None else percent_interval(row[rate])
            for rate in ("tpr", "fpr")
        )
        lines.append(
            f"  {row['n_records']:<10}{row['n_members']:>6}  {found:<26}"
            f"{row['n_nonmembers']:>6}  {accused}"
        )
    return lines


def _slice_lines(slices, nouns):
    lines = [
        f"  {'slice':<34}{'members':>8}{'not':>8}  {'AUC':>5}  {'interval':<16}"
        f"corrected p"
    ]
    for row in slices:
        start = f"  {slice_name(row):<34}{row['n_members']:>8}{row['n_nonmembers']:>8}"
        auc = row["auc"]
        if auc is None:
            lines.append(f"{start}  too few {nouns.many}")
            continue
        lines.append(
            f"{start}  {auc['estimate']:.3f}  {_ends(auc):<16}"
            f"{row['p_corrected']:>11.3f}"
        )
    return lines + _slice_rate_lines(slices, nouns)


def _slice_rate_lines(slices, nouns):
    lines = []
    for limit in rate_limits(slices):
        lines += ["", f"  slice, limit {limit_in_words(limit, nouns)}"]
        for row in slices:
            found = rate_in_slice(row, limit["limit"])
            told = f"too few {nouns.many}"
            if found is not None:
                told = f"{found['attack']:<28}{found['told']:<24}{found['outcome']}"
            lines.append(f"  {slice_name(row):<34}{told}")
    return lines


def slice_name(row):
    """Column and value; of a long column the beginning, so that the value is seen."""
    name, value = str(row["slice"]), str(row["value"])
    name = _cut(name, max(_SLICE - len(f" = {value}"), _LEAST_OF_A_NAME))
    return _cut(f"{name} = {value}", _SLICE)


def _cut(text, most):
    return text if len(text) <= most else f"{text[: most - 1]}…"
