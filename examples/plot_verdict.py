"""
What does an audit find, and how is its picture read?
=====================================================

A bank has trained a model on half of its customers and would like to publish it. Before
that it asks: can somebody who knows a person's record find out from the model that this
person was a customer?

The table is German credit, which comes with the package (1,000 customers; H. Hofmann,
UCI, CC BY 4.0).
"""

# %%
# The model
# ---------
# Half of the customers train it: the *members*. The other half it never sees.

import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from sklearn_mia.datasets import load_german_credit

X, y = load_german_credit(return_X_y=True, as_frame=True)
X = pd.get_dummies(X, dtype=float)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=0.5, stratify=y, random_state=0
)
model = RandomForestClassifier(random_state=0).fit(X_train, y_train)

# %%
# The audit
# ---------
# The bank will only let others ask the model, ``release="interface"``; its file stays
# in the house. In a notebook the report shows itself as a page, as it does here.

from sklearn_mia import audit

report = audit(
    model, X_train, y_train, X_test, y_test, release="interface", random_state=0
)
report

# %%
# The verdict comes first, then what it rests on: each number with an interval that
# holds for all attacks together.

print(report.verdict["title"])
print(report.verdict["level"])
aucs = report.summary.query("metric == 'auc'")
print(aucs.drop(columns="metric").round(3).to_string(index=False))

# %%
# The ROC on logarithmic axes
# ---------------------------
# Each point of a curve is a threshold: to the right the share of the non-members that
# it accuses, upward the share of the members that it recognises. What counts is the
# left side, few false accusations, which an ordinary picture has no room for. The loss
# alone (``ThresholdAttack``) is of little use there, as the line of guessing shows. The
# attack that compares the votes of the trees with those of other trees recognises half
# of the members and accuses hardly anybody. The band is the interval of the strongest;
# where it reaches down to nothing, 500 non-members are too few to show so low a rate.

figure = report.plot()

# %%
# The right picture has the scores of the strongest attack: where the two hills lie
# apart, a score tells who was a member.
#
# Where the attack is right
# -------------------------
# The attack for the two classes. Neither is spared. The smaller class, the bad credits,
# has the higher estimate and, with fewer customers, the wider interval.

import matplotlib.pyplot as plt

groups = [row for row in report.slices if row["slice"] == "class"]
fig, ax = plt.subplots(figsize=(6, 2), layout="constrained")
for i, row in enumerate(groups):
    auc = row["auc"]
    ax.plot([auc["low"], auc["high"]], [i, i], color="C0")
    ax.plot(auc["estimate"], i, "o", color="C0")
ax.axvline(0.6, color="k", linestyle="--", linewidth=1, label="limit")
ax.set(xlim=(0.5, 1.02), xlabel="AUC", ylim=(-0.5, len(groups) - 0.5))
ax.set_yticks(range(len(groups)), [f"credit is {row['value']}" for row in groups])
ax.legend(loc="center left")
plt.show()

# %%
# What to do next
# ---------------
# The report ends with what can be done about it, in the order in which to try it.

for step in report.next_steps[:2]:
    print(f"- {step['text']}")
