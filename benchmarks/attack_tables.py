"""Write the tables of attacks of README.md and of the guide, from results and classes.

    python benchmarks/attack_tables.py

Each table stands between two markers, and is written anew between them:
``<!-- which-attack: NAME -->`` and ``<!-- which-attack: end -->``, in pages of
reStructuredText ``.. which-attack: NAME`` and ``.. which-attack: end``.
"""

import json
import re
from pathlib import Path
from statistics import mean

import sklearn_mia
from sklearn_mia.base import BaseShadowAttack

ROOT = Path(__file__).parents[1]
PAGES = (
    ROOT / "README.md",
    ROOT / "doc" / "guide" / "attacks.rst",
    ROOT / "doc" / "guide" / "data.rst",
    ROOT / "doc" / "guide" / "file_and_interface.rst",
)
MARKED = re.compile(
    r"^(?P<start>(?:<!--|\.\.) which-attack: (?P<name>(?!end)[a-z-]+)(?: -->)?\n)"
    r".*?"
    r"^(?P<end>(?:<!--|\.\.) which-attack: end)",
    flags=re.DOTALL | re.MULTILINE,
)
MODELS = {
    "forest": "forest",
    "forest, leaf 5": "leaf 5",
    "gradient boosting": "boosting",
    "logistic regression": "logistic",
    "neural network": "network",
}
MORE_MODELS = MODELS | {"tree": "tree", "nearest neighbours": "neighbours"}
REGRESSORS = {
    "forest": "forest",
    "forest, leaf 5": "leaf 5",
    "gradient boosting": "boosting",
    "XGBoost": "XGBoost",
    "ridge": "ridge",
    "5 neighbours": "neighbours",
    "support vectors": "support vectors",
    "network": "network",
}
# The formula of LiRA that the benchmark was run with.
PER_RECORD = 'LiRA(gap="per_record")'
# What the benchmark calls an attack, what the table calls it, and what it needs.
SHORT = (
    ("ThresholdAttack loss", "`ThresholdAttack` (loss)", "the model"),
    ("QuantileRegressionAttack mean", "`QuantileRegressionAttack`", "the model"),
    ("TrajectoryAttack no shadows", "`TrajectoryAttack`", "stages of boosting"),
    ("LabelOnlyAttack contrast", "`LabelOnlyAttack`", "only labels"),
    ("LiRA", f"`{PER_RECORD}`", "shadow models"),
    ("RMIA", "`RMIA`", "shadow models"),
    ("BaggingAttack", "`BaggingAttack`", "a forest"),
)
# Of the attack on the file.
FAMILIES = (
    "tree",
    "forest",
    "forest, leaf 5",
    "forest, leaf 50",
    "extra trees, leaf 20",
    "GradientBoosting",
    "HistGradientBoosting",
    "XGBoost",
    "LightGBM",
    "GaussianNB",
    "logistic regression",
)
OF_VALUES = {"ThresholdAttack": "ThresholdAttack (error)"}
BEYOND = {"LinearReconstructionAttack": "LinearReconstructionAttack (file)"}


def rows_of(name):
    path = ROOT / "benchmarks" / "results" / f"{name}.json"
    return json.loads(path.read_text("utf-8"))["rows"]


def power(rows):
    """Mean AUC and TPR at FPR = 0.01 over rows, or nothing if there are none."""
    if not rows:
        return ""
    told = (f"{mean(row[key] for row in rows):.2f}" for key in ("AUC", "TPR@1%"))
    return "/".join(value.removeprefix("0") for value in told)


def on(rows, attack, model):
    return [r for r in rows if (r["attack"], r["model"]) == (attack, model)]


def short_table():
    """The attacks that an audit takes, and those to compare them with."""
    rows = rows_of("all_attacks")
    yield "attack", "needs", *MODELS.values()
    for attack, name, needs in SHORT:
        yield name, needs, *(power(on(rows, attack, model)) for model in MODELS)


def whole_table():
    """Every attack of the benchmark, with its settings."""
    rows = rows_of("all_attacks")
    yield "attack", *MORE_MODELS.values()
    for attack in sorted({row["attack"] for row in rows}):
        name, _, setting = attack.partition(" ")
        name = {"LiRA": PER_RECORD}.get(name, name)
        told = f"``{name}``" + f", {setting}" * bool(setting)
        yield told, *(power(on(rows, attack, model)) for model in MORE_MODELS)


def regression_table():
    """The attacks on regressors, on the Adult table."""
    rows = [row for row in rows_of("regression") if row["table"] == "adult"]
    yield "attack", *REGRESSORS.values()
    for attack in dict.fromkeys(row["attack"] for row in rows):
        name, _, setting = (OF_VALUES | BEYOND).get(attack, attack).partition(" ")
        told = f"``{name}``" + f" {setting}" * bool(setting)
        yield told, *(power(on(rows, attack, model)) for model in REGRESSORS)


def file_power(family):
    """Of the attack on the file of a model of 8,000 records of Adult."""
    rows = rows_of("reconstruction_power_adult")
    return power([row for row in rows if row["family"] == family])


def file_table():
    """The attack on the file, on the Adult table."""
    yield "model", "AUC/TPR"
    for family in FAMILIES:
        yield family, file_power(family)


def attacks():
    """The attacks of the package by name, as they are by default."""
    for name in sorted(sklearn_mia._HOMES["attacks"], key=str.lower):
        attack = getattr(sklearn_mia, name)
        if hasattr(attack, "explanation"):
            yield name, attack()


def knowledge_table():
    """What an attacker must know, as the classes say it."""
    yield "attack", "uses", "shadow models", "known members", "regressors"
    for name, attack in attacks():
        shadows = "no"
        if isinstance(attack, BaseShadowAttack):
            shadows = "yes" if getattr(attack, "n_shadows", True) else "if asked to"
        yield (
            f":class:`~sklearn_mia.{name}`",
            "the file" if attack.access == "file" else "answers",
            shadows,
            "yes" if attack.__sklearn_tags__().target_tags.required else "no",
            "yes" if attack.has_regression else "no",
        )


def explanation_table():
    """What each attack does, in the words of a report."""
    yield "attack", "what it does"
    for name, attack in attacks():
        yield f":class:`~sklearn_mia.{name}`", attack.explanation


TABLES = {
    "short": short_table,
    "whole": whole_table,
    "regression": regression_table,
    "file": file_table,
    "knowledge": knowledge_table,
    "explanation": explanation_table,
}


def markdown(rows):
    header, *rows = rows
    lines = [header, ["---"] * len(header), *rows]
    return "".join(re.sub(" {2,}", " ", f"| {' | '.join(line)} |\n") for line in lines)


def list_table(rows):
    lines = ["\n.. list-table::\n   :header-rows: 1\n\n"]
    for row in rows:
        for i, cell in enumerate(row):
            lines.append(f"   {'*' if i == 0 else ' '} - {cell}".rstrip() + "\n")
    return "".join([*lines, "\n"])


def written(page):
    """A page with its tables written anew."""

    def anew(found):
        table = markdown if page.suffix == ".md" else list_table
        return found["start"] + table(TABLES[found["name"]]()) + found["end"]

    return MARKED.sub(anew, page.read_text("utf-8"))


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(written(page), "utf-8")
