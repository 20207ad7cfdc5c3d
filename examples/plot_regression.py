"""
Does a regression give away the customers it was trained on?
============================================================

A bank predicts how large a credit a customer will ask for, and a consultant shall get
the model. Regressions are often taken for harmless: they give a number, not a
probability. How much does this one say about who was a customer, and what does it cost
to say less?

The table is German credit, which comes with the package (1,000 customers; H. Hofmann,
UCI, CC BY 4.0), with the amount of the credit as what is to be predicted.
"""

# %%
# The model
# ---------

import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import train_test_split

from sklearn_mia.datasets import load_german_credit

customers = load_german_credit(as_frame=True).frame
amount = customers.pop("credit_amount")
X = pd.get_dummies(customers, dtype=float)
X_train, X_test, y_train, y_test = train_test_split(
    X, amount, train_size=0.5, random_state=0
)
model = RandomForestRegressor(50, random_state=0).fit(X_train, y_train)
print(f"R2 on members {model.score(X_train, y_train):.2f}")
print(f"R2 on others {model.score(X_test, y_test):.2f}")

# %%
# The verdict
# -----------
# An R2 that is much higher on the members is the first hint. The audit says what it
# means for people: neither the file nor the answers may be given away.

from sklearn_mia import audit

report = audit(model, X_train, y_train, X_test, y_test, random_state=0)
for access, verdict in report.verdicts.items():
    print(f"{access}: {verdict['title']}")

# %%
# By its file nearly every customer is recognised, since each leaf of each tree stores
# how many customers it has and what they asked for on the average: sums that can be
# solved. By its answers an attacker tells which of two people was a customer in nine
# cases of ten (the AUC).

table = report.summary
print(table[table["metric"].isin(["auc", "tpr@fpr=0.1"])].to_string(index=False))
figure = report.plot()

# %%
# Who is most exposed
# -------------------
# The report looks at groups of customers, too. ``value`` are fifths by what they asked
# for: nobody is safe by asking for an ordinary amount.

for group in report.slices:
    if group["slice"] == "value":
        interval = group["auc"]
        print(
            f"{group['value']:>22}: AUC {interval['estimate']:.2f} "
            f"({interval['low']:.2f} to {interval['high']:.2f})"
        )

# %%
# What it costs to say less
# -------------------------
# A leaf that holds many customers says little about each. With leaves of 10 the forest
# predicts other customers as well as before, and what its answers tell falls by more
# than half, but not below the limit. Leaves of 50 hide it, of the answers at least, and
# cost accuracy: that is a decision for the bank, and here are the numbers for it.

models, reports = {1: model}, {1: report}
for leaf in (10, 50):
    forest = RandomForestRegressor(50, min_samples_leaf=leaf, random_state=0)
    models[leaf] = forest.fit(X_train, y_train)
    reports[leaf] = audit(forest, X_train, y_train, X_test, y_test, random_state=0)

rows = []
for leaf, found in reports.items():
    auc = found.summary.query("metric == 'auc'").set_index("attack")["estimate"]
    by_file = auc.pop("LinearReconstructionAttack")
    rows.append(
        {
            "leaf": leaf,
            "R2": models[leaf].score(X_test, y_test),
            "AUC by its answers": auc.max(),
            "AUC by its file": by_file,
            "asked": found.verdicts["interface"]["level"],
            "file": found.verdicts["file"]["level"],
        }
    )
trade_off = pd.DataFrame(rows)
print(trade_off.round(2).to_string(index=False))

# %%
# Left is private, up is useful. The limit of the AUC, .6, is a convention of the
# package; set yours with ``limits={"auc": ...}``.

import matplotlib.pyplot as plt

fig, ax = plt.subplots()
for column, marker in (("AUC by its answers", "o"), ("AUC by its file", "s")):
    ax.plot(trade_off[column], trade_off["R2"], marker=marker, label=column)
    above = column == "AUC by its answers"
    for _, row in trade_off.iterrows():
        ax.annotate(
            f" leaves of {row['leaf']}",
            (row[column], row["R2"] + (0.002 if above else -0.002)),
            va="bottom" if above else "top",
            size=8,
        )
ax.axvline(0.6, color="k", linestyle="--", linewidth=1, label="limit")
ax.set(xlabel="AUC of the strongest attack", ylabel="R2 on other customers")
ax.set(xlim=(0.5, 1.1), ylim=(0.4, 0.6))
ax.legend(loc="lower right")
plt.show()
