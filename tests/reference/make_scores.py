"""Scores of LiRA and RMIA by the published formulas, in plain Python.

    python tests/reference/make_scores.py > tests/reference/scores.json

Nothing of sklearn_mia or NumPy is used: the algorithm boxes of the papers (Carlini et
al., 2022, algorithm 1, with per-record and with pooled variance; Zarifzadeh et al.,
2024, equations for the online and the offline average) are followed one record at a
time. Two classes, so that one logit says all.
"""

import json
import math
import random
import sys

N_SHADOWS, N_RECORDS, OFFLINE_A = 8, 12, 0.3


def normal_logpdf(x, mean, variance):
    return -0.5 * (math.log(2 * math.pi * variance) + (x - mean) ** 2 / variance)


def mean(values):
    return sum(values) / len(values)


def squares(values):
    center = mean(values)
    return sum((v - center) ** 2 for v in values)


def probability(logit):
    return 1 / (1 + math.exp(-logit))


def main():
    rng = random.Random(7)
    members = [[False] * N_RECORDS for _ in range(N_SHADOWS)]
    for pair in range(0, N_SHADOWS, 2):
        chosen = set(rng.sample(range(N_RECORDS), N_RECORDS // 2))
        for i in range(N_RECORDS):
            members[pair][i] = i in chosen
            members[pair + 1][i] = i not in chosen
    ease = [rng.gauss(1, 1.5) for _ in range(N_RECORDS)]
    logits = [
        [rng.gauss(ease[i] + 1.2 * members[k][i], 0.6) for i in range(N_RECORDS)]
        for k in range(N_SHADOWS)
    ]
    target = [rng.gauss(ease[i] + 0.6, 0.8) for i in range(N_RECORDS)]

    inside, outside = [], []
    for i in range(N_RECORDS):
        inside.append([logits[k][i] for k in range(N_SHADOWS) if members[k][i]])
        outside.append([logits[k][i] for k in range(N_SHADOWS) if not members[k][i]])
    freedom = N_RECORDS * (N_SHADOWS // 2 - 1)
    var_in = sum(map(squares, inside)) / freedom
    var_out = sum(map(squares, outside)) / freedom

    scores = {"lira_online": [], "lira_online_per_record": [], "lira_offline": []}
    scores |= {"rmia_online": [], "rmia_offline": []}
    for i, phi in enumerate(target):
        mean_in, mean_out = mean(inside[i]), mean(outside[i])
        scores["lira_online"].append(
            normal_logpdf(phi, mean_in, var_in) - normal_logpdf(phi, mean_out, var_out)
        )
        # The one departure from the paper: not below a tenth of the pooled variance.
        own_in = max(squares(inside[i]) / len(inside[i]), var_in / 10)
        own_out = max(squares(outside[i]) / len(outside[i]), var_out / 10)
        scores["lira_online_per_record"].append(
            normal_logpdf(phi, mean_in, own_in) - normal_logpdf(phi, mean_out, own_out)
        )
        scores["lira_offline"].append((phi - mean_out) / math.sqrt(var_out))
        p_in = mean([probability(v) for v in inside[i]])
        p_out = mean([probability(v) for v in outside[i]])
        p = probability(phi)
        scores["rmia_online"].append(math.log(p / ((p_in + p_out) / 2)))
        p_bar = ((1 + OFFLINE_A) * p_out + 1 - OFFLINE_A) / 2
        scores["rmia_offline"].append(math.log(p / p_bar))

    content = {"target": target, "logits": logits, "members": members, "scores": scores}
    json.dump(content, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
