"""
Does the new model leak more than the last?
===========================================

A model is trained again, with other settings or newer data. It passed its tests of
accuracy. Does it tell more about its records than the one it replaces?

The images are the handwritten digits that scikit-learn ships (1,797 images of 8 by 8
pixels).
"""

# %%
# The last model, and its report
# ------------------------------
# The report is kept as a file. That file names nobody unless it is asked to.

from pathlib import Path
from tempfile import TemporaryDirectory

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from sklearn_mia import audit

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=0.5, stratify=y, random_state=0
)
data = (X_train, y_train, X_test, y_test)
settings = {"attacks": ["RMIA", "ThresholdAttack"], "release": "interface"}

last = RandomForestClassifier(50, min_samples_leaf=5, random_state=0)
last.fit(X_train, y_train)
folder = TemporaryDirectory()
kept = Path(folder.name) / "last.json"
audit(last, *data, **settings, random_state=0).to_json(kept)

# %%
# The new model
# -------------
# Somebody found that smaller leaves are more accurate, and they are.

new = RandomForestClassifier(50, min_samples_leaf=1, random_state=0)
new.fit(X_train, y_train)
print(f"last: {last.score(X_test, y_test):.3f}, new: {new.score(X_test, y_test):.3f}")
report = audit(new, *data, **settings, random_state=0)

# %%
# What changed
# ------------
# ``compare_reports`` takes reports or their files, and says by how much each attack
# finds more now, with intervals that hold together.

from sklearn_mia import compare_reports

changes = compare_reports(kept, report)
changes

# %%
# A difference whose interval is above 0 is an increase. One whose interval holds 0 is
# no proof that there is none: its upper end is the increase that may have been missed.

import matplotlib.pyplot as plt

table = changes.summary
fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for i, row in table.iterrows():
    ax.plot([row["low"], row["high"]], [i, i], color="C0")
    ax.plot(row["difference"], i, "o", color="C0")
ax.axvline(0, color="k", linestyle="--", linewidth=1)
ax.set_yticks(range(len(table)), table["attack"] + ", " + table["metric"])
ax.invert_yaxis()
ax.set(xlabel="new less last")
plt.show()

# %%
# A gate
# ------
# ``compare_with_baseline`` puts the comparison into the new report, as ``--baseline
# last.json`` does on the command line, where an increase ends with exit code 3 and
# stops a build.

from sklearn_mia import AuditReport, compare_with_baseline

gated = compare_with_baseline(report, AuditReport.from_json(kept))
print(gated.verdict["title"])
for row in gated.baseline["changes"]:
    print(row["attack"], row["metric"], row["outcome"])
folder.cleanup()
