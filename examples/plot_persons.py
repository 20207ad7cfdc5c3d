"""
Was she in the data, by all that is known of her?
=================================================

A person has several visits, loans or letters, and whoever asks "was she in the data?"
asks all of them at once. What do the rows tell together?

The documents here are real ones that need no download: what NumPy, SciPy and
scikit-learn write about their own functions. A page on a function stands for a person,
four passages of each for her letters.
"""

# %%
# Pages and their passages
# ------------------------

import importlib

import pandas as pd

modules = {
    "NumPy": ["numpy", "numpy.ma"],
    "SciPy": ["scipy.stats", "scipy.signal", "scipy.ndimage"],
    "scikit-learn": ["sklearn.metrics", "sklearn.linear_model", "sklearn.utils"],
}
length, rows, seen = 150, [], set()
for package, names in modules.items():
    for module in map(importlib.import_module, names):
        for name in sorted(module.__all__):
            text = " ".join((getattr(module, name).__doc__ or "").split())
            passages = [text[i * length : (i + 1) * length] for i in range(4)]
            # Two names of one function are one page.
            if len(passages[3]) == length and not seen & {*passages}:
                seen |= {*passages}
                page = f"{module.__name__}.{name}"
                rows += [(page, passage, package) for passage in passages]
letters = pd.DataFrame(rows, columns=["page", "passage", "package"])
print(f"{len(letters)} passages of {letters['page'].nunique()} pages")

# %%
# The model
# ---------
# It tells which package a passage is about. A page is a member as a whole or not at
# all, which is how data of persons should be split.

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline

split = GroupShuffleSplit(1, train_size=0.5, random_state=0)
train, test = next(split.split(letters, groups=letters["page"]))
members, others = letters.iloc[train], letters.iloc[test]
model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10, max_iter=1000))
model.fit(members["passage"], members["package"])
print(f"right on {model.score(others['passage'], others['package']):.0%} of others")

# %%
# Row by row the audit stops
# --------------------------
# Passages of one page resemble each other, so that members and others differ by more
# than what the model knows of them, and an audit of rows would call that a leak. It is
# noticed, and the numbers are not to be read.

from sklearn_mia import audit

data = (members["passage"], members["package"], others["passage"], others["package"])
settings = {"attacks": ["RMIA"], "release": "interface", "random_state": 0}
by_row = audit(model, *data, **settings)
print(by_row.verdict["title"])
for finding in by_row.findings:
    if finding.severity == "critical":
        print(finding)

# %%
# Page by page
# ------------
# With groups the whole report is about pages, each with the sum over its passages.

by_page = audit(
    model,
    *data,
    groups_train=members["page"],
    groups_test=others["page"],
    group_name="page",
    **settings,
)
print(by_page.verdict["title"])
print(by_page.verdict["sentences"][0])

# %%
# Four tell more than one
# -----------------------
# The same scores of the same attack, of the first passage of each page and of whole
# pages: at few false accusations two to three times as many are recognised.

import matplotlib.pyplot as plt

from sklearn_mia import MembershipRocDisplay

one = by_page.records.drop_duplicates("group")
whole = by_page.groups
fig, ax = plt.subplots(figsize=(6, 6), layout="constrained")
for table, name in ((one, "one passage"), (whole, "the whole page")):
    MembershipRocDisplay.from_predictions(
        table["member"],
        table["score_RMIA"],
        name=name,
        plot_chance_level=table is whole,
        ax=ax,
    )
plt.show()

# %%
# Who is most exposed
# -------------------
# ``report.groups`` has a row a page, ``report.exposed`` the members that can be picked
# out with at most a tenth of those picked wrong. Both name members: they stay in the
# house.

exposed = by_page.exposed(max_fdr=0.1)
print(f"{len(exposed)} of {whole['member'].sum()} members can be named")
