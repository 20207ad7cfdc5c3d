"""
Does a classifier of documents give away its training texts?
============================================================

A help desk sorts messages by subject, a hospital sorts letters by department. The model
was trained on texts that nobody outside should see. May it be handed over? May it be
asked by others?

The documents here are real ones that need no download: what NumPy, SciPy and
scikit-learn write about their own functions, the first 200 characters of each. The
model tells which of the three packages a text is from.
"""

# %%
# The model
# ---------
# A list of text goes into every function as it is. Half of the documents train the
# model, the *members*; the other half it never sees.

import importlib

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

modules = {
    "NumPy": ["numpy", "numpy.ma"],
    "SciPy": ["scipy.stats", "scipy.signal", "scipy.linalg", "scipy.ndimage"],
    "scikit-learn": [
        *("sklearn.metrics", "sklearn.linear_model", "sklearn.ensemble"),
        *("sklearn.datasets", "sklearn.preprocessing", "sklearn.utils"),
        *("sklearn.decomposition", "sklearn.feature_selection", "sklearn.neighbors"),
    ],
}
subject_of = {}
for package, names in modules.items():
    for module in map(importlib.import_module, names):
        for name in sorted(module.__all__):
            text = " ".join((getattr(module, name).__doc__ or "").split())
            if len(text) > 60:
                subject_of.setdefault(text[:200], package)

docs, subjects = list(subject_of), list(subject_of.values())
docs_train, docs_test, y_train, y_test = train_test_split(
    docs, subjects, train_size=0.5, random_state=0
)
model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=100, max_iter=1000))
model.fit(docs_train, y_train)
print(f"{len(docs)} documents; right on {model.score(docs_test, y_test):.0%} of others")

# %%
# The verdict
# -----------
# There are two questions, and so two verdicts: what someone can tell who has the *file*
# of the model, and someone who can only *ask* it. Neither passes here.

from sklearn_mia import audit

report = audit(model, docs_train, y_train, docs_test, y_test, random_state=0)
for access, verdict in report.verdicts.items():
    print(f"{access}: {verdict['title']}")

# %%
# The rate to look at is the share of the training documents that an attacker recognises
# while accusing at most 1 % of the others. Who guesses recognises 1 % of them.
# ``LinearReconstructionAttack`` reads the file, the other attacks ask. A privacy
# officer who sees only ``ThresholdAttack``, which looks at how sure the model is, would
# take this model for nearly safe: attacks that compare it with models like it recognise
# many times as many.

table = report.summary
print(table[table["metric"] == "tpr@fpr=0.01"].to_string(index=False))
figure = report.plot()

# %%
# Why the file tells so much
# --------------------------
# The vocabulary in the file is a list of the words of the training documents. Most of
# its words are from one document alone: in letters these would be names of people. And
# a document with a word that is not in the list was not trained on.

words = model[0].vocabulary_
counts = (model[0].transform(docs_train) > 0).sum(axis=0).A1
print(f"{len(words)} words, {(counts == 1).sum()} of them from one document alone")

# %%
# What to do next
# ---------------
# The report says what can be done, the nearest first.

for step in report.next_steps:
    print("-", step["text"])

# %%
# Keep the file, then, and answer with labels alone. That costs no accuracy and no
# training, and takes away most of what the answers tell. It is not enough: the verdict
# is still above the limits, now for a part of the documents, those that the model would
# get wrong had it not seen them. Labels say little at a time, so that the audit gets 16
# shadow models in place of six.

from sklearn.frozen import FrozenEstimator

from sklearn_mia import CoarsenedClassifier

labels_alone = CoarsenedClassifier(FrozenEstimator(model), label_only=True)
labels_alone.fit(docs_train, y_train)
after = audit(
    labels_alone,
    docs_train,
    y_train,
    docs_test,
    y_test,
    release="interface",
    n_shadows=16,
    random_state=0,
)
print(after.verdict["title"])

# %%
# The same attack before and after, on axes that show few false alarms:

import matplotlib.pyplot as plt

from sklearn_mia import MembershipRocDisplay

fig, ax = plt.subplots()
for name, found in {"probabilities": report, "labels alone": after}.items():
    records = found.records
    MembershipRocDisplay.from_predictions(
        records["member"], records["score_LiRA"], name=name, ax=ax
    )
ax.set_title("Asked: what LiRA recognises")
plt.show()

# %%
# So answers with labels are a first step, and a model that leans less on single
# documents, with a smaller ``C`` and ``min_df=10``, is the next. Audit that one, too: a
# defence that is not measured is none.
