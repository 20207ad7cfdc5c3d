"""Draw the picture of README.md: what the demo finds, and its verdicts.

    python doc/demo_picture.py

Writes doc/images/demo.png.
"""

import contextlib
import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import FuncFormatter
from PIL import Image

from sklearn_mia._demo import run_demo
from sklearn_mia.auditing._access import WHO
from sklearn_mia.auditing._html import LEVEL_WORDS

PICTURE = Path(__file__).parent / "images" / "demo.png"
# Red, green and grey are for verdicts alone.
COLOURS = {"file": "#c2571a", "interface": "#2563b8"}
STYLES = {"RandomForestClassifier": "-", "LogisticRegression": (0, (4, 2))}
NAMES = {
    "RandomForestClassifier": "Forest",
    "LogisticRegression": "Logistic regression",
}
LEFT = 1 / 500
# Of the lower half, a line of text.
LINE = 0.094


def curve_of(report, access):
    """ROC curve of the attack that leads the verdict on an access."""
    content = report.to_dict()["report"]
    part = next(p for p in (content, content["beside"]) if p["access"] == access)
    name = part["headline"]["attack"]
    roc = next(row["roc"] for row in report.attacks if row["name"] == name)
    return np.array(roc["fpr"]), np.array(roc["tpr"]), part["headline"]


def draw(reports):
    """The curves, and below them the verdicts, to be read on a phone."""
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(5, 6.2), layout="constrained")
    curves, words = figure.subplots(2, 1, height_ratios=(3.2, 2.6))
    words.set(xlim=(0, 1), ylim=(0, 1))
    words.axis("off")
    height = 1.0

    def write(text, left, **kwargs):
        words.text(left, height, text, va="top", **kwargs)

    for report in reports:
        model = report.to_dict()["report"]["model"]["name"]
        write(NAMES[model], 0, weight="bold")
        height -= LINE
        for access, verdict in report.verdicts.items():
            fpr, tpr, headline = curve_of(report, access)
            line = {
                "color": COLOURS[access],
                "linestyle": STYLES[model],
                "linewidth": 2,
            }
            curves.step(
                np.maximum(fpr, LEFT), np.maximum(tpr, 1e-9), where="post", **line
            )
            words.plot((0, 0.1), (height - LINE / 3,) * 2, **line)
            recognised = 100 * headline["rate"]["tpr"]["estimate"]
            write(f"{WHO[access]}:", 0.13, color=COLOURS[access])
            write(f"{recognised:.0f} % recognised", 0.62)
            height -= LINE
            level = LEVEL_WORDS[verdict["level"]]
            if verdict["title"].startswith("For a part of the records"):
                level += ", in a group"
            write(f"{level}.", 0.13)
            height -= LINE
        height -= 0.4 * LINE
    write("Recognised: of the members, at 1 % false alarms.", 0, color="#555b66")
    ends = np.array([LEFT, 1])
    curves.plot(ends, ends, color="#8a8f98", linestyle=":")
    curves.annotate("Guessing", (0.02, 0.012), color="#555b66")
    curves.set(
        xscale="log",
        yscale="log",
        xlim=(LEFT, 1),
        ylim=(LEFT, 1.15),
        xlabel="Non-members wrongly accused",
        ylabel="Members recognised",
    )
    for axis in (curves.xaxis, curves.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:g} %"))
    curves.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    mpl.use("agg")
    with contextlib.redirect_stdout(io.StringIO()):
        found = run_demo()
    PICTURE.parent.mkdir(exist_ok=True)
    drawn = io.BytesIO()
    with mpl.rc_context({"font.size": 11.5}):
        draw(found).savefig(drawn, dpi=130)
    # A few colours take a third of the bytes.
    Image.open(drawn).convert("RGB").quantize(32).save(PICTURE, optimize=True)
