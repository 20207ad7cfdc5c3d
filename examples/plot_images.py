"""
Does a classifier of images give away whose pictures it was trained on?
=======================================================================

A model reads handwriting, or X-ray images, and is right nearly always. It was trained
on pictures of people who agreed to research, not to be published. Which way of sharing
the model keeps to that?

The images are the 1,797 handwritten digits of scikit-learn (``load_digits``; E.
Alpaydin and C. Kaynak, UCI), each of 8 by 8 pixels, written by 13 people.
"""

# %%
# The model
# ---------
# Images stay images: an array of three dimensions has one record a row. The support
# vector classifier is right on 99 % of images that it never saw, hardly less than on
# its own. "It does not overfit, so it does not leak" would be the wrong conclusion.

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images, digits.target, train_size=0.5, random_state=0
)


def flat(images):
    """Pixels of each image in one row."""
    return np.reshape(images, (len(images), -1))


model = make_pipeline(FunctionTransformer(flat), SVC(C=10, gamma=0.001))
model.fit(X_train, y_train)
print(f"right on {model.score(X_train, y_train):.1%} of the members")
print(f"right on {model.score(X_test, y_test):.1%} of the others")

# %%
# What is in the file
# -------------------
# No attack is needed for this question: a support vector machine keeps the training
# images that it decides by. Whoever gets the file can look at them.

import matplotlib.pyplot as plt

from sklearn_mia import structural_risk

print(structural_risk(model, X_train, y_train))

stored = model[-1].support_vectors_.reshape(-1, 8, 8)
fig, axes = plt.subplots(4, 12, figsize=(9, 3.3))
for ax, image in zip(axes.flat, stored, strict=False):
    ax.imshow(image, cmap="gray_r")
    ax.axis("off")
fig.suptitle("Training images, as they stand in the file of the model")

# %%
# The verdict
# -----------
# The audit says so, too, and adds what someone can tell who only asks. On the average
# that is little. But the average is not the end of it: among the images that models get
# most wrong the members can be told. That is seen clearly with 16 shadow models; with
# the six of a standard audit it would stay undecided.

from sklearn_mia import audit

report = audit(model, X_train, y_train, X_test, y_test, n_shadows=16, random_state=0)
for access, verdict in report.verdicts.items():
    print(f"{access}: {verdict['title']}")

print(*report.verdicts["interface"]["sentences"][:4], sep="\n")

# %%
# Whom it concerns
# ----------------
# ``report.records`` has one row a record, in the order in which they were given. Below
# are the members at the highest risk, and those at the lowest. It is the odd
# handwriting that a model has to remember: people who differ from the others carry the
# risk.

asked = report.records["score_RMIA"][: len(X_train)].to_numpy()
order = np.argsort(-asked)
fig, axes = plt.subplots(2, 10, figsize=(9, 2.4))
for row, chosen in zip(axes, (order[:10], order[-10:]), strict=True):
    for ax, i in zip(row, chosen, strict=True):
        ax.imshow(X_train[i], cmap="gray_r")
        ax.set_title(y_train[i], fontsize=8)
        ax.axis("off")
fig.suptitle("Members at the highest risk (above) and at the lowest, and their labels")

# %%
# What to do next
# ---------------
# Keep the file, and let others ask for the digit alone. The same model then passes,
# at the same accuracy: what is left of the leak is clearly within the limits, in each
# group of images that is large enough to tell, too.

from sklearn.frozen import FrozenEstimator

from sklearn_mia import CoarsenedClassifier

labels_alone = CoarsenedClassifier(FrozenEstimator(model), label_only=True)
labels_alone.fit(X_train, y_train)
after = audit(
    labels_alone,
    X_train,
    y_train,
    X_test,
    y_test,
    release="interface",
    n_shadows=16,
    random_state=0,
)
print(after.verdict["title"])

# %%
# The verdict holds for this way of sharing alone. The page of the report says so, and
# may be passed on as it is: it names nobody.

after.to_html("images.html")

# %%
# The same attack before and after, on axes that show few false alarms:

from sklearn_mia import MembershipRocDisplay

fig, ax = plt.subplots()
for name, found in {"distances": report, "labels alone": after}.items():
    records = found.records
    MembershipRocDisplay.from_predictions(
        records["member"], records["score_RMIA"], name=name, ax=ax
    )
ax.set_title("Asked: what RMIA recognises")
plt.show()
