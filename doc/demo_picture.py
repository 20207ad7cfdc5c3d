"""Draw the picture of README.md: what the demo finds, and its verdicts.

    python doc/demo_picture.py

Writes doc/images/demo.png.
"""

import contextlib
import io
import textwrap
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.ticker import FuncFormatter
from PIL import Image

from sklearn_mia._demo import run_demo
from sklearn_mia.auditing._access import WHO

PICTURE = Path(__file__).parent / "images" / "demo.png"
# Red, green and grey are for verdicts alone.
COLOURS = {"file": "#c2571a", "interface": "#2563b8"}
STYLES = {"RandomForestClassifier": "-", "LogisticRegression": (0, (4, 2))}
NAMES = {
    "RandomForestClassifier": "Forest",
    "LogisticRegression": "Logistic regression",
}
LEFT = 1 / 500


def curve_of(report, access):
    """ROC curve of the attack that leads the verdict on an access."""
    content = report.to_dict()["report"]
    part = next(p for p in (content, content["beside"]) if p["access"] == access)
    name = part["headline"]["attack"]
    roc = next(row["roc"] for row in report.attacks if row["name"] == name)
    return np.array(roc["fpr"]), np.array(roc["tpr"]), part["headline"]


def draw(reports):
    """The curves on the left, the verdicts on the right."""
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(9.4, 4.3), layout="constrained")
    curves, words = figure.subplots(1, 2, width_ratios=(1, 1))
    told = []
    for report in reports:
        model = report.to_dict()["report"]["model"]["name"]
        for access in report.verdicts:
            fpr, tpr, headline = curve_of(report, access)
            curves.step(
                np.maximum(fpr, LEFT),
                np.maximum(tpr, 1e-9),
                where="post",
                color=COLOURS[access],
                linestyle=STYLES[model],
                label=f"{NAMES[model]}, {WHO[access][0].lower()}{WHO[access][1:]}",
            )
            rate, verdict = headline["rate"], report.verdicts[access]
            told.append(
                (
                    f"{NAMES[model]}. {WHO[access]}:",
                    f"{verdict['title']} {headline['attack']} recognises "
                    f"{100 * rate['tpr']['estimate']:.0f}\N{NO-BREAK SPACE}% of the "
                    "members at 1\N{NO-BREAK SPACE}% false alarms.",
                    COLOURS[access],
                )
            )
    ends = np.array([LEFT, 1])
    curves.plot(ends, ends, color="#8a8f98", linestyle=":", label="Guessing")
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
    curves.legend(frameon=False, fontsize=8, loc="lower right")
    curves.spines[["top", "right"]].set_visible(False)
    words.axis("off")
    height = 1.0
    for heading, text, colour in told:
        lines = textwrap.wrap(text, 62)
        words.text(0, height, heading, color=colour, weight="bold", va="top", size=9)
        words.text(0, height - 0.06, "\n".join(lines), va="top", size=9)
        height -= 0.12 + 0.053 * len(lines)
    return figure


if __name__ == "__main__":
    mpl.use("agg")
    with contextlib.redirect_stdout(io.StringIO()):
        found = run_demo()
    PICTURE.parent.mkdir(exist_ok=True)
    drawn = io.BytesIO()
    draw(found).savefig(drawn, dpi=130)
    # A few colours take a third of the bytes.
    Image.open(drawn).convert("RGB").quantize(32).save(PICTURE, optimize=True)
