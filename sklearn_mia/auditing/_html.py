"""The report as one self-contained page: no script, no network, light and dark."""

import functools
from html import escape
from importlib import import_module, resources

from sklearn_mia._links import finding_url
from sklearn_mia._views import visible
from sklearn_mia.auditing import _canary_words, _recipe_words
from sklearn_mia.auditing._access import WHO, heading_of
from sklearn_mia.auditing._appendix import appendix_of
from sklearn_mia.auditing._charts import (
    distribution_svg,
    interval_svg,
    legend,
    models_svg,
    roc_svg,
)
from sklearn_mia.auditing._judging import (
    parts_of,
    passes_by_access,
    shares_of_error,
)
from sklearn_mia.auditing._nouns import Nouns
from sklearn_mia.auditing._percent import percent, rate
from sklearn_mia.auditing._provenance import file_told
from sklearn_mia.auditing._ranking import named_sentence
from sklearn_mia.auditing._slice_words import (
    differences_told,
    limit_in_words,
    rate_in_slice,
    rate_limits,
    slicing_told,
)
from sklearn_mia.auditing._stored import kind_told, stored_told
from sklearn_mia.auditing._text import PASSES, records_of
from sklearn_mia.auditing._writing import check_jinja2

_SEVERITY_WORDS = {"critical": "Critical", "warning": "Warning", "note": "Note"}
LEVEL_WORDS = {
    "above_limits": "Clearly above the limits",
    "at_limits": "Cannot be decided",
    "within_limits": "Clearly within the limits",
    "nothing_found": "Nothing found",
    "not_interpretable": "Not interpretable",
}
KINDS = ("reason", "seen", "slice", "chance", "power", "limit", "scope")


def render_page(reports, *, title=None, name_records=False):
    """Render reports as one page.

    Parameters
    ----------
    reports : list of AuditReport

    title : str or None, default=None

    name_records : bool, default=False
        Whether the members most exposed are named.

    Returns
    -------
    html : str
    """
    check_jinja2()
    contents = [visible(report._content) for report in reports]
    if title is None:
        names = " and ".join(content["model"]["name"] for content in contents)
        title = f"Membership audit: {names}"
    markup = import_module("markupsafe").Markup
    tops = [visible(r._most_exposed()) if name_records else [] for r in reports]
    views = [
        _view(content, i, markup, top)
        for i, (content, top) in enumerate(zip(contents, tops, strict=True))
    ]
    return template("report.html").render(
        title=visible(title),
        views=views,
        severity_words=_SEVERITY_WORDS,
        names_records=name_records,
    )


@functools.cache
def template(name):
    """One of the pages of this folder, as a template of jinja2."""
    jinja2 = check_jinja2()
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source_of),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "percent": percent,
        "rate": rate,
        "together": _together,
        "kind_told": kind_told,
        "ends": _ends,
        "value": _value,
        "records_of": records_of,
        "file_told": file_told,
        "who": WHO.get,
        "finding_url": finding_url,
        "limit_told": lambda limit, nouns: limit_in_words(limit, Nouns(**nouns)),
        "rate_in_slice": rate_in_slice,
        "slicing_told": lambda slicing, nouns: slicing_told(slicing, Nouns(**nouns)),
    }
    return environment.get_template(name)


def _source_of(name):
    return (resources.files("sklearn_mia.auditing") / name).read_text("utf-8")


def render_recipe(content, *, title=None):
    """Render the report on a training procedure as one page.

    Parameters
    ----------
    content : dict
        Of a `RecipeReport`.

    title : str or None, default=None

    Returns
    -------
    html : str
    """
    check_jinja2()
    content = visible(content)
    markup = import_module("markupsafe").Markup
    title = visible(title) or f"Membership audit of the procedure {content['name']}"
    if content["canaries"] is not None:
        return template("canaries.html").render(
            title=title, c=content, words=_canary_words
        )
    names = dict.fromkeys(row["attack"] for row in content["summary"])
    attacks = [_over_models(content, name) for name in names]
    return template("recipe.html").render(
        title=title,
        c=content,
        words=_recipe_words,
        attacks=attacks,
        # A phone gets its own proportions.
        chart=markup(models_svg(attacks) + models_svg(attacks, 380, "narrow")),
    )


def _over_models(content, name):
    """One attack over all models."""
    auc, *rates = (row for row in content["summary"] if row["attack"] == name)
    aucs = [target["attacks"][name]["auc"] for target in content["targets"]]
    return {"name": name, "auc": auc, "rates": rates, "aucs": aucs}


def in_notebook(report):
    """A page inside the page of a notebook; None without jinja2."""
    try:
        page = report.to_html()
    except ImportError:
        return None
    return (
        f'<iframe srcdoc="{escape(page)}" style="width: 100%; height: 640px; '
        'border: 1px solid #8884"></iframe>'
    )


def _ends(interval, as_percent=False):
    """Ends of an interval, or why there are none."""
    if interval["low"] is None:
        return interval["note"]
    if as_percent:
        return f"{100 * interval['low']:.1f} to {100 * interval['high']:.1f} %"
    return f"{interval['low']:.3f} to {interval['high']:.3f}"


def _together(text):
    """Text in which a number and its percent sign stay on one line."""
    return str(text).replace(" %", "\N{NO-BREAK SPACE}%")


def _value(value):
    """A number or text in a table cell."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def _colour(level, passing):
    """Name of the colour of a verdict: green is for what was shown alone."""
    if level == "nothing_found" and passing != "yes":
        return "nothing_seen"
    return level


def _verdict_view(part, passing, heading, main):
    """What the template needs of one verdict."""
    verdict = part["verdict"]
    told = {kind: [] for kind in KINDS}
    for kind, sentence in zip(verdict["kinds"], verdict["sentences"], strict=True):
        told[kind].append(sentence)
    if not main:
        told["scope"] = []
    return {
        "heading": heading,
        "title": verdict["title"],
        "level": LEVEL_WORDS[verdict["level"]],
        "colour": _colour(verdict["level"], passing),
        "passes": PASSES[passing],
        "told": told,
        "order": [
            kind
            for kind in dict.fromkeys(verdict["kinds"])
            if kind not in ("reason", "limit", "scope")
        ],
    }


def _slicings(slices, markup):
    """Rows of groups of records by slicing, each with its interval as a bar."""
    slicings = {}
    for row in slices:
        bar = markup(interval_svg(row["auc"]))
        slicings.setdefault(row["slice"], []).append(row | {"bar": bar})
    return slicings


def _view(content, number, markup, top):
    """What the template needs beside the content itself."""
    attacks, data = content["attacks"], content["data"]
    nouns, sizes = Nouns(**content["nouns"]), (data["n_members"], data["n_nonmembers"])
    passing = passes_by_access(content)
    verdicts = [
        _verdict_view(
            part,
            passing[part["access"]],
            heading_of(part, content),
            part is content,
        )
        for part in parts_of(content)
    ]
    sliced = [
        {
            "heading": heading_of(part, content),
            "slicings": _slicings(part["slices"], markup),
            "rate_limits": rate_limits(part["slices"]),
        }
        for part in parts_of(content)
        if part["slices"]
    ]
    return {
        "anchor": f"report-{number + 1}",
        "content": content,
        "verdicts": verdicts,
        "level": verdicts[0]["level"],
        "stored": stored_told(content, nouns),
        "appendix": appendix_of(content),
        "top": top,
        "lead": attacks[0],
        "shares": shares_of_error(content["settings"]["confidence"]),
        "roc": markup(
            legend(attacks)
            + roc_svg(attacks, *sizes, nouns)
            # A phone gets its own proportions.
            + roc_svg(attacks, *sizes, nouns, 380, 380, "narrow")
        ),
        "distributions": [
            (attack["name"], markup(distribution_svg(attack))) for attack in attacks
        ],
        "sliced": sliced,
        "differences": differences_told(
            content["slices"],
            content["correction"]["difference_confidence"],
            content["headline"]["attack"],
            nouns,
        ),
        "named": named_sentence(content["exposed"], attacks[0]["n_members"], nouns)
        if content["exposed"]
        else "",
        "n_unresolved": sum(not r["resolvable"] for r in attacks[0]["tpr_at_fpr"]),
        "percentiles": [c for c in (top or [{}])[0] if c.startswith("percentile_")],
    }
