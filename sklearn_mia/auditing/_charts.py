"""Charts of the page as SVG, without a plotting library."""

import math
from html import escape
from itertools import chain

_SERIES = 6


def _x(value):
    return f"{value:.1f}"


def _path(points):
    return "M" + "L".join(f"{_x(x)} {_x(y)}" for x, y in points)


def _decade_label(exponent):
    value = 10.0**exponent * 100
    return f"{value:g} %"


def _capital(text):
    return escape(text[:1].upper() + text[1:])


def roc_svg(
    attacks, n_members, n_nonmembers, nouns, width=720, height=460, shape="wide"
):
    """ROC on log-log axes as SVG; colours are classes of the page's style.

    The strip at the left is the rate at no false alarm at all, which a logarithmic
    axis does not have.

    Parameters
    ----------
    attacks : list of dict

    n_members, n_nonmembers : int

    nouns : Nouns

    width, height : int

    shape : {"wide", "narrow"}, default="wide"
        Class of the element.

    Returns
    -------
    svg : str
    """
    left, right, top, bottom, strip = 66, 26, 14, 54, 40
    n_fewest = max(min(n_members, n_nonmembers), 2)
    x_low = math.log10(1 / max(n_nonmembers, 2))
    y_low = min(-2.0, math.log10(0.5 / n_fewest))
    x0, x1, y0, y1 = left + strip, width - right, height - bottom, top

    def x_of(fpr):
        if fpr <= 0:
            return left + strip / 2
        return x0 + (math.log10(fpr) - x_low) / -x_low * (x1 - x0)

    def y_of(tpr):
        level = math.log10(tpr) if tpr > 0 else y_low
        return y0 + (max(level, y_low) - y_low) / -y_low * (y1 - y0)

    parts = [
        f'<svg class="chart {shape}" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="ROC curves on logarithmic axes: share of the '
        f"{escape(nouns.members)} recognised "
        f'against share of the {escape(nouns.nonmembers)} wrongly accused">'
    ]
    for exponent in range(math.ceil(y_low), 1):
        y = y_of(10.0**exponent)
        parts.append(
            f'<line class="grid" x1="{left}" x2="{x1}" y1="{_x(y)}" y2="{_x(y)}"/>'
            f'<text class="tick" x="{left - 8}" y="{_x(y + 4)}" text-anchor="end">'
            f"{_decade_label(exponent)}</text>"
        )
    for exponent in range(math.ceil(x_low), 1):
        x = x_of(10.0**exponent)
        parts.append(
            f'<line class="grid" x1="{_x(x)}" x2="{_x(x)}" y1="{y0}" y2="{y1}"/>'
            f'<text class="tick" x="{_x(x)}" y="{y0 + 18}" text-anchor="middle">'
            f"{_decade_label(exponent)}</text>"
        )
    parts.append(
        f'<rect class="strip" x="{left}" y="{y1}" width="{strip}" height="{y0 - y1}"/>'
        f'<text class="tick" x="{left + strip / 2}" y="{y0 + 18}" '
        'text-anchor="middle">none</text>'
        f'<text class="axis" x="{(left + x1) / 2}" y="{height - 10}" '
        f'text-anchor="middle">{_capital(nouns.nonmembers)} wrongly accused '
        "(FPR)</text>"
        f'<text class="axis" transform="translate(14 {(y0 + y1) / 2}) rotate(-90)" '
        f'text-anchor="middle">{_capital(nouns.members)} recognised (TPR)</text>'
    )
    low = max(10.0**x_low, 10.0**y_low)
    parts.append(
        f'<path class="guess" d="{_path([(x_of(low), y_of(low)), (x1, y1)])}"/>'
        f'<text class="note" x="{_x(x_of(low * 6) + 10)}" '
        f'y="{_x(y_of(low * 6) + 16)}">guessing</text>'
    )
    order = list(enumerate(attacks))
    roc = attacks[0]["roc"]
    if roc["band_fpr"]:
        upper = [
            (x_of(f), y_of(h))
            for f, h in zip(roc["band_fpr"], roc["band_high"], strict=True)
        ]
        lower = [
            (x_of(f), y_of(h))
            for f, h in zip(roc["band_fpr"], roc["band_low"], strict=True)
        ]
        parts.append(f'<path class="band s0" d="{_path(upper + lower[::-1])}Z"/>')
    for i, attack in reversed(order):
        points, previous = [], None
        for fpr, tpr in zip(attack["roc"]["fpr"], attack["roc"]["tpr"], strict=True):
            x, y = x_of(fpr), y_of(tpr)
            if previous is None:
                points.append((left if fpr <= 0 else x, y))
            elif y != previous:
                points.append((x, previous))
            points.append((x, y))
            previous = y
        parts.append(f'<path class="line s{i % _SERIES}" d="{_path(points)}"/>')
    return "".join([*parts, "</svg>"])


def legend(attacks):
    """Names of the attacks beside the lines of their curves."""
    keys = "".join(
        f'<span class="key"><svg viewBox="0 0 28 10" aria-hidden="true">'
        f'<path class="line s{i % _SERIES}" d="M1 5L27 5"/></svg>'
        f"{escape(attack['name'])}</span>"
        for i, attack in enumerate(attacks)
    )
    return f'<div class="legend">{keys}</div>'


def distribution_svg(attack, width=340, height=190):
    """Scores of members and of non-members as two step outlines."""
    shares = attack["distribution"]
    left, right, top, bottom = 12, 12, 10, 34
    x0, x1, y0, y1 = left, width - right, height - bottom, top
    edges = shares["edges"]
    highest = max([*shares["members"], *shares["nonmembers"]]) or 1.0

    def outline(values):
        points = [(x0, y0)]
        for i, value in enumerate(values):
            y = y0 - value / highest * (y0 - y1)
            for edge in edges[i : i + 2]:
                x = x0 + (edge - edges[0]) / (edges[-1] - edges[0]) * (x1 - x0)
                points.append((x, y))
        return _path([*points, (x1, y0)])

    return (
        f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="Scores of members and non-members by {escape(attack["name"])}">'
        f'<line class="base" x1="{x0}" x2="{x1}" y1="{y0}" y2="{y0}"/>'
        f'<path class="fill others" d="{outline(shares["nonmembers"])}Z"/>'
        f'<path class="fill members" d="{outline(shares["members"])}Z"/>'
        f'<path class="edge others" d="{outline(shares["nonmembers"])}"/>'
        f'<path class="edge members" d="{outline(shares["members"])}"/>'
        f'<text class="tick" x="{x0}" y="{y0 + 15}">{edges[0]:.3g}</text>'
        f'<text class="tick" x="{x1}" y="{y0 + 15}" text-anchor="end">'
        f"{edges[-1]:.3g}</text>"
        f'<text class="tick" x="{(x0 + x1) / 2}" y="{y0 + 28}" '
        'text-anchor="middle">score (right = more like a member)</text></svg>'
    )


def interval_svg(interval, width=170, height=18):
    """An AUC with its interval as a dot on a line from 0 to 1, .5 marked."""
    if interval is None or interval["low"] is None:
        return ""
    x = {k: 4 + interval[k] * (width - 8) for k in ("low", "estimate", "high")}
    middle, y = width / 2, height / 2
    return (
        f'<svg class="bar" viewBox="0 0 {width} {height}" aria-hidden="true">'
        f'<line class="guess" x1="{middle}" x2="{middle}" y1="1" y2="{height - 1}"/>'
        f'<line class="span s0" x1="{_x(x["low"])}" x2="{_x(x["high"])}" y1="{y}" '
        f'y2="{y}"/>'
        f'<circle class="dot s0" cx="{_x(x["estimate"])}" cy="{y}" r="3.5"/></svg>'
    )


def models_svg(rows, width=720, shape="wide"):
    """The AUC of each model as a ring, a line an attack, with mean and interval.

    Parameters
    ----------
    rows : list of dict
        "name", "auc" (mean, low and high) and "aucs" of each attack. Without low and
        high the mean has no bar.

    width : int, default=720

    shape : {"wide", "narrow"}, default="wide"
        Class of the element.

    Returns
    -------
    svg : str
    """
    left, right, line = 14, 14, 48
    height = line * len(rows) + 50
    ends = [[row["auc"][end] for end in ("low", "high")] for row in rows]
    bars = [[] if None in pair else pair for pair in ends]
    found = [0.5, *(v for row in rows for v in row["aucs"]), *chain(*bars)]
    first, last = math.floor(min(found) * 10), math.ceil(max(found) * 10)
    first, last = max(0, min(first, 4)), min(10, max(last, 6))

    def x_of(auc):
        share = (10 * auc - first) / (last - first)
        return left + share * (width - left - right)

    bottom = line * len(rows) + 6
    parts = [
        f'<svg class="chart {shape}" viewBox="0 0 {width} {height}" role="img" '
        'aria-label="AUC of each model by attack, with mean and interval">'
    ]
    for tenth in range(first, last + 1):
        x = _x(x_of(tenth / 10))
        parts.append(
            f'<line class="{"guess" if tenth == 5 else "grid"}" x1="{x}" x2="{x}" '
            f'y1="4" y2="{bottom}"/><text class="tick" x="{x}" y="{bottom + 17}" '
            f'text-anchor="middle">{tenth / 10:g}</text>'
        )
    for number, (row, bar) in enumerate(zip(rows, bars, strict=True)):
        y = number * line + 36
        drawn = _path([(x_of(end), y) for end in bar]) if bar else ""
        parts.append(
            f'<text class="axis" x="{left}" y="{y - 16}">{escape(row["name"])}</text>'
            + (f'<path class="span s0" d="{drawn}"/>' if drawn else "")
            + f'<circle class="dot s0" cx="{_x(x_of(row["auc"]["mean"]))}" cy="{y}" '
            'r="4.5"/>'
        )
        parts += [
            f'<circle class="edge others" cx="{_x(x_of(auc))}" cy="{y}" r="6"/>'
            for auc in row["aucs"]
        ]
    parts.append(
        f'<text class="axis" x="{_x((left + width - right) / 2)}" y="{height - 4}" '
        'text-anchor="middle">AUC (0.5 is guessing)</text></svg>'
    )
    return "".join(parts)
