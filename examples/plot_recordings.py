"""
Does a model of voices give away who was recorded?
==================================================

A laboratory recorded people saying a word, trained a model that tells the speaker, and
would like to share it. Can someone who holds a recording find out that it was among
those of the training?

The recordings are real ones: nine men say two Japanese vowels, 640 times altogether
(M. Kudo, J. Toyama and M. Shimbo, "Japanese Vowels", UCI, CC BY 4.0). The package aeon
(BSD-3-Clause) ships them; ``pip install --no-deps aeon`` is enough, since only its file
is read.
"""

# %%
# The recordings
# --------------
# Each is an array of its own length, a row every 6.4 milliseconds. Its columns are 12
# coefficients of linear prediction, as a telephone transmits a voice.

from importlib.util import find_spec
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

if find_spec("aeon") is None:
    raise ImportError("The recordings are in a package: pip install --no-deps aeon")
folder = Path(find_spec("aeon").origin).parent / "datasets/data/JapaneseVowels"

recordings, speakers = [], []
for part in ("TRAIN", "TEST"):
    text = (folder / f"JapaneseVowels_{part}.ts").read_text()
    for line in text.partition("@data\n")[2].splitlines():
        *coefficients, speaker = line.split(":")
        columns = [np.array(c.split(","), dtype=float) for c in coefficients]
        recordings.append(np.column_stack(columns))
        speakers.append(speaker)

lengths = [len(r) for r in recordings]
print(f"{len(recordings)} recordings of {min(lengths)} to {max(lengths)} rows")
fig, ax = plt.subplots(figsize=(8, 3))
ax.plot(6.4 * np.arange(lengths[0]), recordings[0])
ax.set(xlabel="milliseconds", ylabel="coefficient", title="One recording")

# %%
# The model
# ---------
# A list of arrays is a list of recordings. The first step of the model makes numbers of
# each: the level of every coefficient, its spread and how far it goes.

from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler


def describe(recordings):
    """Numbers that a model is told of each recording."""
    return [[*r.mean(axis=0), *r.std(axis=0), *(r[-1] - r[0])] for r in recordings]


X_train, X_test, y_train, y_test = train_test_split(
    recordings, speakers, train_size=0.5, stratify=speakers, random_state=0
)
forest = make_pipeline(
    FunctionTransformer(describe), RandomForestClassifier(50, random_state=0)
)
forest.fit(X_train, y_train)
print(f"right on {forest.score(X_test, y_test):.0%} of other recordings")

# %%
# The verdict
# -----------
# The forest does not pass, neither asked nor handed over as a file.

from sklearn_mia import audit

before = audit(forest, X_train, y_train, X_test, y_test, random_state=0)
for access, verdict in before.verdicts.items():
    print(f"{access}: {verdict['title']}")

# %%
# The settings that let it remember single recordings were known before any attack, and
# ``risky_settings`` asks for them before a model is trained:

from sklearn_mia import risky_settings

for risky in risky_settings(forest):
    print(f"{risky.setting}: {risky.text}. Try: {risky.instead}.")

# %%
# A smaller model that says less
# ------------------------------
# A linear model is right more often here. Its file and its probabilities tell about the
# members, too; so the laboratory keeps the file, and answers with the speaker alone.

from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from sklearn_mia import CoarsenedClassifier

linear = make_pipeline(
    FunctionTransformer(describe), StandardScaler(), LogisticRegression(max_iter=1000)
)
linear.fit(X_train, y_train)
print(f"right on {linear.score(X_test, y_test):.0%} of other recordings")
with_probabilities = audit(linear, X_train, y_train, X_test, y_test, random_state=0)
for access, verdict in with_probabilities.verdicts.items():
    print(f"{access}: {verdict['title']}")

service = CoarsenedClassifier(FrozenEstimator(linear), label_only=True)
service.fit(X_train, y_train)
after = audit(
    service, X_train, y_train, X_test, y_test, release="interface", random_state=0
)
print(f"speaker alone: {after.verdict['title']}")

# %%
# Read this verdict with care. Little or nothing was found, but it does not say that the
# model is within the limits: 320 recordings of each side are too few to show that a
# model is safe. "We attacked it and found little" is no clearance. The report says what
# would be one.

for step in after.next_steps:
    print("-", step["text"])

# %%
# The picture shows both: the distance of the upper curve from the line of guessing is a
# leak; the band around the lower one is what is not known.

from sklearn_mia import MembershipRocDisplay

asked = {
    "forest": before.records["score_BaggingAttack"],
    "linear, speaker alone": after.records["score_RMIA"],
}
fig, ax = plt.subplots()
for (name, scores), report in zip(asked.items(), (before, after), strict=True):
    MembershipRocDisplay.from_predictions(
        report.records["member"], scores, name=name, ax=ax
    )
ax.set_title("Asked: what the attacks recognise")
plt.show()

# %%
# From files, on the command line, the same audit is ``python -m sklearn_mia audit
# model.skops members.csv others.csv --features recording --files recordings/ --label
# speaker``, where the column ``recording`` names the ``.npy`` or ``.wav`` file of each.
