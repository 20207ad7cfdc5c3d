"""The demonstration: two models on the shipped table."""

import os
import sys
import time

from sklearn_mia._views import visible
from sklearn_mia.auditing import _writing, audit
from sklearn_mia.auditing._access import WHO
from sklearn_mia.auditing._html import render_page
from sklearn_mia.auditing._text import wrapped
from sklearn_mia.progress import clear, stage


def run_demo(*, html=None, seed=0, n_jobs=None, timed=False):
    """Audit a forest and a logistic regression on the German credit table.

    Parameters
    ----------
    html : Path, "-" or None, default=None
        Where to write the page; "-" is stdout.

    seed : int, default=0

    n_jobs : int or None, default=None
        None takes two workers where there are two cores.

    timed : bool, default=False
        Whether to tell in the end, on stderr, how long it took.

    Returns
    -------
    reports : list of AuditReport
    """
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from sklearn_mia.datasets import load_german_credit

    started = time.monotonic()
    if html:
        _writing.check_outputs([("--html", html)])
        _writing.check_jinja2()
    # A page on stdout is alone there.
    stream = sys.stderr if _writing.goes_to_stdout(html) else None
    X, y = load_german_credit(return_X_y=True, as_frame=True)
    X_in, X_out, y_in, y_out = train_test_split(
        X, y, test_size=0.5, stratify=y, random_state=seed
    )
    text = list(X.select_dtypes("category"))
    reports = []
    for classifier in (
        RandomForestClassifier(random_state=seed),
        LogisticRegression(max_iter=1000),
    ):
        stage(f"training {type(classifier).__name__}")
        model = make_pipeline(
            make_column_transformer(
                (OneHotEncoder(handle_unknown="ignore"), text),
                remainder=StandardScaler(),
            ),
            classifier,
        ).fit(X_in, y_in)
        report = audit(
            model,
            X_in,
            y_in,
            X_out,
            y_out,
            n_jobs=n_jobs or min(2, os.cpu_count() or 1),
            random_state=seed,
        )
        reports.append(report)
        clear()
        _writing.say(f"{report}\n", stream)
    _writing.say("In plain words\n==============\n", stream)
    for report in reports:
        _writing.say(f"{_in_plain_words(report)}\n", stream)
    _writing.say(
        wrapped(
            "Both models were trained on the same people and answer the same question. "
            "How much they give away about those people is a matter of the model, and "
            "of whether others can only ask it or have its file."
        ),
        stream,
    )
    if html:
        page = render_page(reports, title="Membership audit: German credit")
        _writing.write_whole(html, page, private=True)
        shown = visible(str(html))
        _writing.say(f"\nThe page with pictures is {shown}", stream)
    if timed:
        _writing.say(f"Took {time.monotonic() - started:.0f} s.", sys.stderr)
    return reports


def _in_plain_words(report):
    told = []
    for access, verdict in report.verdicts.items():
        seen = verdict["sentences"][verdict["kinds"].index("seen")]
        told.append(f"{WHO[access]}: {verdict['title']} {seen}")
    name = report.to_dict()["report"]["model"]["name"]
    return "\n".join([name, *(wrapped(text, hanging="  ") for text in told)])
