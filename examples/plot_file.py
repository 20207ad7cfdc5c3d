"""
May others ask the model, and may they have its file?
=====================================================

A model behind a service answers questions. A model that is handed over brings along all
that it stores: how many records a leaf has, and what they sum up to. How much more does
the file tell, and what can be taken out of it without another training?

The table is German credit, which comes with the package (1,000 customers; H. Hofmann,
UCI, CC BY 4.0).
"""

# %%
# The model
# ---------

import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split

from sklearn_mia.datasets import load_german_credit

X, y = load_german_credit(return_X_y=True, as_frame=True)
X = pd.get_dummies(X, dtype=float)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=0.5, stratify=y, random_state=0
)
model = HistGradientBoostingClassifier(max_iter=30, random_state=0)
model.fit(X_train, y_train)

# %%
# Two verdicts
# ------------
# By default an audit answers both questions. The attack on the file trains no model: it
# solves the sums that are stored, as equations for who was a member.

from sklearn_mia import audit

report = audit(
    model,
    X_train,
    y_train,
    X_test,
    y_test,
    attacks=["RMIA", "LinearReconstructionAttack"],
    random_state=0,
)
for access, verdict in report.verdicts.items():
    print(f"{access}: {verdict['title']}")
aucs = report.summary.query("metric == 'auc'")
print(aucs.drop(columns="metric").round(3).to_string(index=False))

# %%
# Take out of the file what its answers do not need
# -------------------------------------------------
# ``strip_counts`` takes the counts out of the nodes: no answer changes.
# ``round_values`` also rounds what the leaves hold, here to one decimal, and changes
# probabilities, so the accuracy is looked at. Both give a copy.

from sklearn_mia import round_values, strip_counts

files = {
    "as trained": model,
    "without counts": strip_counts(model),
    "rounded": round_values(model, 1),
}
reports, rows = {}, []
for name, changed in files.items():
    reports[name] = audit(
        changed, X_train, y_train, X_test, y_test, release="file", random_state=0
    )
    found = reports[name].attacks
    by_file = next(a for a in found if a["name"] == "LinearReconstructionAttack")
    rows.append(
        {
            "file": name,
            "accuracy": changed.score(X_test, y_test),
            "AUC by the file": by_file["auc"]["estimate"],
            "strongest attack": found[0]["name"],
            "its AUC": found[0]["auc"]["estimate"],
        }
    )
table = pd.DataFrame(rows)
print(table.round(3).to_string(index=False))

# %%
# What is left
# ------------
# Whoever has the file can also ask the model, so that its answers remain: the verdict
# on the file never falls below that on the answers.

import matplotlib.pyplot as plt

fig, ax = plt.subplots(layout="constrained")
place = range(len(table))
ax.bar([p - 0.2 for p in place], table["AUC by the file"], 0.4, label="by the file")
ax.bar([p + 0.2 for p in place], table["its AUC"], 0.4, label="strongest attack")
ax.axhline(0.6, color="k", linestyle="--", linewidth=1, label="limit")
ax.set(ylim=(0.45, 1.05), ylabel="AUC")
ax.set_xticks(place, table["file"])
ax.legend()
plt.show()

# %%
# Train otherwise, too
# --------------------
# What was not learned need not be hidden. Fewer and smaller trees with larger leaves
# cost a few points of accuracy here; once rounded, their file tells no more than their
# answers, and these tell little.

small = HistGradientBoostingClassifier(
    max_iter=20, max_leaf_nodes=8, min_samples_leaf=60, random_state=0
).fit(X_train, y_train)
small = round_values(small, 1)
after = audit(small, X_train, y_train, X_test, y_test, release="file", random_state=0)
print(f"accuracy {small.score(X_test, y_test):.2f}, before {table['accuracy'][0]:.2f}")
aucs = after.summary.query("metric == 'auc'")
print(aucs.drop(columns="metric").round(3).to_string(index=False))
print(after.verdict["title"])
