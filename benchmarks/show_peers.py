"""Pages, plot and claims from what `bench_peers.py` wrote; no figure is typed.

    python benchmarks/show_peers.py [--name peers]

Writes results/<name>.md and results/<name>_power.svg. Exits with 1 if a claim fails.
"""

import argparse
import json
import sys

import numpy as np
from common import RESULTS, markdown, told
from scipy.stats import beta, t

OURS, AS_IN_AN_AUDIT = "sklearn_mia", "as in an audit"
MEDIAN_RATIO, MOST_TIME, MOST_TIME_FOREST, MOST_ALARMS = 1.5, 0.5, 0.2, 0.05
PARTS = ("power", "time", "null", "invariance", "growth")


def read(name):
    """What was measured: part mapped to what it is about, and its rows."""
    found = {}
    for part in PARTS:
        path = RESULTS / f"{name}_{part}.json"
        if path.exists():
            content = json.loads(path.read_text())
            found[part] = content["environment"], content["rows"]
    return found


# Power


def by(rows, *keys):
    """Rows of each value of some columns, in order."""
    groups = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return groups


def mean(rows, metric):
    return float(np.mean([row[metric] for row in rows]))


def three(rows):
    return " / ".join(f"{mean(rows, m):.3f}" for m in ("AUC", "TPR@1%", "TPR@0.1%"))


def half_width(differences):
    """Of the t interval at 95 % of paired differences; None of a single one."""
    n = len(differences)
    if n < 2:
        return None
    return float(t.ppf(0.975, n - 1) * np.std(differences, ddof=1) / np.sqrt(n))


def ratio_of(ours, peer):
    """Ratio of two rates; where both are 0 neither is ahead."""
    return ours / peer if peer else (1.0 if not ours else float("inf"))


def compared(rows, attack=None):
    """For each table and model: an attack of ours against the best peer.

    What an audit leads with at equal fits by default, else the attack of a name in the
    cells that do not lead with one of forests.
    """
    for (table, model), cell in by(rows, "table", "model").items():
        attacks = by(cell, "library", "attack")
        # The attack that an audit leads with is the first of each cell.
        first = next(key for key in attacks if key[0] == OURS)
        if attack is not None and (
            first[1] == "BaggingAttack" or (OURS, attack) not in attacks
        ):
            continue
        ours = attacks[first if attack is None else (OURS, attack)]
        peers = {
            key: own
            for key, own in attacks.items()
            if key[0] != OURS and not own[0]["in sample"]
        }
        if not peers:
            continue
        name = max(peers, key=lambda key: mean(peers[key], "TPR@1%"))
        best = peers[name]
        differences = [
            o["TPR@1%"] - b["TPR@1%"] for o, b in zip(ours, best, strict=True)
        ]
        half = half_width(differences)
        ratio = ratio_of(mean(ours, "TPR@1%"), mean(best, "TPR@1%"))
        yield {
            "table": table,
            "model": model,
            "splits": len(ours),
            "ours": ours[0]["attack"],
            "AUC / TPR@1% / TPR@0.1%": three(ours),
            "best peer": " ".join(name),
            "of it": three(best),
            "TPR@1%, times": ratio,
            "more": f"{np.mean(differences):+.3f}"
            + ("" if half is None else f" ± {half:.3f}"),
        }


def whole_splits(rows):
    """Rows of the splits that all cells have; a stopped run leaves others."""
    cells = by(rows, "table", "model")
    have = [{row["split"] for row in cell} for cell in cells.values()]
    kept = set.intersection(*have) if have else set()
    return [row for row in rows if row["split"] in kept]


def by_model(rows):
    """Mean AUC and TPR at 1 % over the tables, a row an attack, a column a model."""
    for (library, attack), own in by(rows, "library", "attack").items():
        row = {"library": library, "attack": attack, "fits": own[0]["fits"]}
        if own[0]["in sample"]:
            row["attack"] += " (learns from what it is judged on)"
        for (model,), cells in by(own, "model").items():
            row[model] = f"{mean(cells, 'AUC'):.2f}/{mean(cells, 'TPR@1%'):.2f}"
        yield row


def plot_power(rows, path):
    """TPR at 1 % of ours against the best peer, a point a cell."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "0"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 4.5), layout="constrained")
    cells = list(compared(rows))
    for i, ((model,), own) in enumerate(by(cells, "model").items()):
        points = [
            (float(c["of it"].split(" / ")[1]), float(c[_OURS].split(" / ")[1]))
            for c in own
        ]
        axes.scatter(*np.transpose(points), label=model, marker="osD^v"[i % 5])
    top = max(1e-3, *axes.get_xlim(), *axes.get_ylim())
    axes.plot([0, top], [0, top], color="C7", linewidth=1, label="alike")
    axes.plot([0, top / 1.5], [0, top], color="C7", linestyle=":", label="1.5 times")
    axes.set(xlabel="best peer", ylabel="this package", title="TPR at FPR = 0.01")
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


_OURS = "AUC / TPR@1% / TPR@0.1%"


# Claims


def exact_interval(k, n):
    """Clopper-Pearson interval at 95 % of a share."""
    low = beta.ppf(0.025, k, n - k + 1) if k else 0.0
    high = beta.ppf(0.975, k + 1, n - k) if k < n else 1.0
    return float(low), float(high)


def claim(text, goal, found, holds):
    outcome = "not measured" if holds is None else "holds" if holds else "FAILS"
    return {"claim": text, "goal": goal, "found": found, "outcome": outcome}


def claims_of_power(rows):
    cells = list(compared(whole_splits(rows)))
    if not cells:
        return
    ratios = [cell["TPR@1%, times"] for cell in cells]
    median = float(np.median(ratios))
    yield claim(
        "TPR@1%FPR against the best peer at equal fits, median cell",
        f">= {MEDIAN_RATIO} times",
        f"{median:.2f} times, {len(cells)} cells",
        median >= MEDIAN_RATIO,
    )
    below = [cell for cell in cells if cell["TPR@1%, times"] < 1]
    where = "; ".join(f"{c['table']}, {c['model']}: {c['more']}" for c in below)
    yield claim(
        "TPR@1%FPR below the best peer",
        "on no cell",
        f"on {len(below)} of {len(cells)}" + (f" ({where})" if where else ""),
        not below,
    )
    cells = list(compared(whole_splits(rows), AS_IN_AN_AUDIT))
    if cells:
        ratios = [cell["TPR@1%, times"] for cell in cells]
        yield claim(
            "TPR@1%FPR with the few fits of an audit against the best peer with "
            "more, not of forests, median cell",
            ">= 1 times",
            f"{np.median(ratios):.2f} times, {len(cells)} cells, least "
            f"{min(ratios):.2f}",
            np.median(ratios) >= 1,
        )


def time_ratios(rows):
    """Seconds of ours over those of SACRO-ML, on the same models and records."""
    for key, own in by(rows, "records", "model", "shadows", "workers").items():
        found = {(row["library"], row["attack"]): row for row in own}
        peer = found.get(("SACRO-ML", "LiRA offline"))
        if peer is None:
            continue
        names = ("records", "model", "shadows", "workers")
        row = dict(zip(names, key, strict=True)) | {"SACRO-ML s": peer["seconds"]}
        for (library, attack), other in found.items():
            if other is peer:
                continue
            name = attack if library == OURS else library
            row[f"{name} s"] = other["seconds"]
            if library == OURS:
                row[f"{name}, times"] = other["seconds"] / peer["seconds"]
                if other["CPU s"] and peer["CPU s"]:
                    row[f"{name}, times CPU"] = other["CPU s"] / peer["CPU s"]
                row[f"{name} MB"] = other["MB"]
        yield row | {"SACRO-ML MB": peer["MB"]}


def of_processor(rows, name):
    """The ratios of seconds of the processor, which other work changes less."""
    ratios = [row[f"{name}, times CPU"] for row in rows if f"{name}, times CPU" in row]
    if not ratios:
        return ""
    return f" (of the processor {min(ratios):.2f} to {max(ratios):.2f})"


def claims_of_time(rows):
    one = [row for row in time_ratios(rows) if row["workers"] == 1]
    forests = [row for row in one if row["model"].startswith("forest")]
    others = [row for row in one if row not in forests]
    for text, own, name, most in (
        (
            "wall time of RMIA with as many fits as SACRO-ML's LiRA",
            others,
            "RMIA",
            MOST_TIME,
        ),
        (
            "wall time of RMIA with the fits of an audit against SACRO-ML's LiRA",
            others,
            AS_IN_AN_AUDIT,
            MOST_TIME,
        ),
        (
            "the same of a forest, by BaggingAttack at its 4 fits",
            forests,
            "BaggingAttack",
            MOST_TIME_FOREST,
        ),
    ):
        ratios = [row[f"{name}, times"] for row in own if f"{name}, times" in row]
        if ratios:
            yield claim(
                f"{text}, one worker each",
                f"<= {most}",
                f"{min(ratios):.2f} to {max(ratios):.2f}" + of_processor(own, name),
                max(ratios) <= most,
            )


def claims_of_null(rows):
    for row in rows:
        low, high = exact_interval(row["false alarms"], row["runs"])
        if row["library"] == OURS:
            yield claim(
                f"false alarms of an audit, {row['model']}",
                f"<= {MOST_ALARMS}",
                f"{row['share']:.3f} [{low:.3f}, {high:.3f}] of {row['runs']}",
                low <= MOST_ALARMS,
            )


def claims_of_growth(rows):
    over = [row for row in rows if row["peak MB"] > row["limit MB"]]
    times = [row["times"] for row in rows if row["times"] is not None]
    yield claim(
        "memory of growing tables",
        "data + 1 GB",
        f"at most {max(row['peak MB'] - row['data MB'] for row in rows):.0f} MB beyond",
        not over,
    )
    if times:
        limit = rows[0]["limit"]
        yield claim(
            "seconds of the processor when a table doubles",
            f"<= {limit} times",
            f"{min(times):.2f} to {max(times):.2f}",
            max(times) <= limit,
        )


CLAIMS = {
    "power": claims_of_power,
    "time": claims_of_time,
    "null": claims_of_null,
    "growth": claims_of_growth,
}


def claims(found):
    """All that is claimed, and whether it holds in what was measured."""
    return [
        row for part in found if part in CLAIMS for row in CLAIMS[part](found[part][1])
    ]


# Pages


def page_of(found, plot):
    """The page of all parts, as Markdown."""
    parts = ["# Beside its peers\n", markdown(claims(found))]
    if "power" in found:
        about, rows = found["power"]
        rows = whole_splits(rows)
        parts += ["\n## Power at equal fits\n", f"![TPR at 1 %]({plot.name})\n"]
        parts += [markdown(list(by_model(rows))), ""]
        parts += [markdown(list(compared(rows))), "", told(about)]
    if "time" in found:
        about, rows = found["time"]
        parts += ["\n## Time and memory\n", markdown(list(time_ratios(rows)))]
        parts += ["", markdown(rows), "", told(about)]
    for part, title in (
        ("null", "False alarms without a leak"),
        ("invariance", "Ties and the order of rows"),
        ("growth", "Growth"),
    ):
        if part in found:
            about, rows = found[part]
            parts += [f"\n## {title}\n", markdown(rows), "", told(about)]
    return "\n".join(parts) + "\n"


def show(name):
    """Write the pages; claims that fail are printed, and counted."""
    found = read(name)
    if not found:
        raise SystemExit(f"There is no {RESULTS}/{name}_<part>.json to show.")
    plot = RESULTS / f"{name}_power.svg"
    if "power" in found:
        plot_power(whole_splits(found["power"][1]), plot)
    (RESULTS / f"{name}.md").write_text(page_of(found, plot))
    rows = claims(found)
    for row in rows:
        print(f"{row['outcome']}: {row['claim']}: {row['found']} (goal {row['goal']})")
    return sum(row["outcome"] == "FAILS" for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", default="peers")
    options = parser.parse_args()
    return 1 if show(options.name) else 0


if __name__ == "__main__":
    sys.exit(main())
