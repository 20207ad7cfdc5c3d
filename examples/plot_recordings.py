"""
Does a model of recordings give away the recordings?
====================================================

A laboratory has recordings of patients, of voices, hearts or nerves, cut into pieces in
``.wav`` files. It trained a model on them and would like to share it. Can someone who
holds a recording find out that it was among them?

The recording here is a real one that matplotlib ships for its examples: six seconds of
the voltage across the membrane of a nerve cell, ``membrane.dat``. The model tells
whether the cell will fire within the next 25 milliseconds.
"""

# %%
# The recordings
# --------------
# They are cut into pieces of 8 milliseconds that do not overlap, else members and
# others would share samples, and are written to ``.wav`` files as a laboratory has
# them.

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from scipy.io import wavfile

data = Path(matplotlib.get_data_path()) / "sample_data" / "membrane.dat"
voltage = np.fromfile(data, dtype=np.float32)[1000:11000]
rate, length, ahead = 2000, 16, 50
starts = np.arange(0, len(voltage) - length - ahead, length)
fires = [voltage[s + length : s + length + ahead].max() > -0.2 for s in starts]

with TemporaryDirectory() as folder:
    for s in starts:
        piece = voltage[s : s + length]
        wavfile.write(Path(folder) / f"{s:05}.wav", rate, piece)
    pieces = [wavfile.read(path)[1] for path in sorted(Path(folder).glob("*.wav"))]

fig, ax = plt.subplots(figsize=(8, 3))
ax.plot(np.arange(2000) / rate, voltage[2000:4000])
ax.set(xlabel="seconds", ylabel="voltage", title="One second of the recording")

# %%
# The model
# ---------
# A list of arrays is a list of recordings; they may be of different length. The first
# step of the model makes numbers of each: level, spread, slope and the spectrum.

from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler


def describe(recordings):
    """Numbers that a model is told of each recording."""
    return [
        [*(r.mean(), r.std(), r[-1] - r[0]), *r[-4:], *np.abs(np.fft.rfft(r)[1:6])]
        for r in recordings
    ]


X_train, X_test, y_train, y_test = train_test_split(
    pieces, fires, train_size=0.5, random_state=0
)
forest = make_pipeline(
    FunctionTransformer(describe), RandomForestClassifier(50, random_state=0)
)
forest.fit(X_train, y_train)
print(f"{len(pieces)} pieces; right on {forest.score(X_test, y_test):.0%} of others")

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
# A smaller model
# ---------------
# Logistic regression has a number for each feature and can remember no single piece.

linear = make_pipeline(
    FunctionTransformer(describe), StandardScaler(), LogisticRegression()
)
linear.fit(X_train, y_train)
print(f"right on {linear.score(X_test, y_test):.0%} of others")
after = audit(linear, X_train, y_train, X_test, y_test, random_state=0)
for access, verdict in after.verdicts.items():
    print(f"{access}: {verdict['title']}")

# %%
# Read this verdict with care. *Asked*, no leak was found, but the title also says that
# one larger than the limits could have been missed: some 300 recordings of each side
# are too few to show that a model is safe. "We attacked it and found nothing" is no
# clearance. The report says what would be one. How many more recordings it takes
# depends on how near a value is to its limit, and may be more than anyone has.

for step in after.next_steps:
    print("-", step["text"])

# %%
# The picture shows both: the distance of the upper curve from the line of guessing is a
# leak; the band around the lower one is what is not known.

from sklearn_mia import MembershipRocDisplay

asked = {
    "forest": before.records["score_BaggingAttack"],
    "logistic regression": after.records["score_RMIA"],
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
# model.skops members.csv others.csv --features piece --files recordings/ --label
# fires``, where the column ``piece`` names the ``.wav`` file of each record.
