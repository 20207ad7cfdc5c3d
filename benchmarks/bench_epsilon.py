"""The bounds on epsilon: how often they are false, and how much they find.

    python benchmarks/bench_epsilon.py --parts validity mu --name epsilon_validity
    python benchmarks/bench_epsilon.py --parts tightness --name epsilon_tightness
    python benchmarks/bench_epsilon.py --parts jax --records 1000 --name epsilon_peers

Every record is included by its own coin. "validity": how often the bound exceeds the
epsilon that a mechanism has exactly, which 5 % may. Randomised response tells the coin
with odds of exp(epsilon); "worst" is the exchangeable mechanism that is right about
more than a critical number of the records as often as (epsilon, delta)-DP allows: with
the weights ``x = 1 - c P(A) + c 1(A)`` of independent answers, A being that event; of
"ties" only the order of tied scores is random. Whether a bound exceeds the known
epsilon is read from the critical numbers of right guesses; that `epsilon_lower_bound`
says the same is checked in the first draws of each line. "tightness": the median bound
by the truth. Of Gaussian scores that is the epsilon at delta = 1e-5; "limit" is the
median of the same bound for a single set of guesses of the best size, as if the law
were known: beyond that no number of guesses gets, whatever the correction. Beside them
the estimators of jax-privacy, if it is installed, with their defaults and with a split.
"""

import warnings
from functools import cache

import numpy as np
from common import command_line, write_results
from scipy import special, stats

from sklearn_mia.metrics import epsilon_lower_bound, gaussian_dp_lower_bound
from sklearn_mia.metrics._gaussian_dp import contradicts_gaussian, gaussian_epsilon
from sklearn_mia.metrics._guesses import Claim, families_of

try:
    from jax_privacy import auditing
except ImportError:
    auditing = None

ERROR, DELTA = 0.05, 1e-5
SIZES = (200, 1000, 10_000)
PROBABILITIES = (0.02, 0.1, 0.5, 0.9)
EPSILONS = (0.5, 1.0, 2.0)
MUS = (0.5, 1.0, 2.0)
EXPOSED = (0.02, 0.05, 0.1, 0.2)
N_CHECKED = 5
PARTS = ("validity", "mu", "tightness", "jax")


def randomised_response(rng, is_member, epsilon):
    told = rng.random(is_member.size) < special.expit(epsilon)
    return np.where(told, is_member, ~is_member).astype(np.int16)


def no_leak(rng, is_member, _):
    return rng.integers(2**15, size=is_member.size, dtype=np.int16)


def ties(rng, is_member, _):
    return np.zeros(is_member.size, dtype=np.int16)


def gaussian(rng, is_member, mu):
    return mu * is_member + rng.normal(size=is_member.size)


def exposed(rng, is_member, share):
    told = is_member & (rng.random(is_member.size) < share)
    return rng.normal(size=is_member.size) + 8 * told


class Worst:
    """Right about `critical` records or more as often as (epsilon, delta)-DP allows."""

    def __init__(self, n_records, epsilon, delta, critical):
        self.right = stats.binom(n_records, special.expit(epsilon))
        self.critical, self.n_records = critical, n_records
        per_event = n_records * delta / (critical * self.right.pmf(critical))
        self.more = min(1.0, per_event * self.right.sf(critical - 1))

    def __call__(self, rng, is_member, _):
        level = rng.random()
        if rng.random() < self.more:
            level = 1 - level * self.right.sf(self.critical - 1)
        n_right = int(self.right.ppf(level))
        is_right = rng.permutation(self.n_records) < n_right
        told = np.where(is_right, is_member, ~is_member)
        size = rng.integers(1, 2**15, size=self.n_records, dtype=np.int16)
        return np.where(told, size, -size)


def families(n_records, probability, delta):
    log_odds = np.full(n_records, special.logit(probability))
    return families_of(np.arange(n_records), log_odds, delta, ERROR)


def critical_numbers(guesses, epsilon):
    """Least numbers of right guesses that contradict epsilon, one a set."""
    if len(guesses.ends) == 1:
        low, high = 0, guesses.ends[0] + 1
        while high - low > 1:
            middle = (low + high) // 2
            claim = Claim(guesses, np.array([middle]))
            low, high = (
                (low, middle) if claim.is_contradicted(epsilon) else (middle, high)
            )
        return np.array([high])
    claim = Claim(guesses, np.array(guesses.ends))
    sums, low, high = claim.sums(epsilon), -60.0, np.log(guesses.level)
    for _ in range(40):
        middle = (low + high) / 2
        often = claim.most_often(epsilon, sums, np.exp(middle))
        low, high = (middle, high) if often <= guesses.level else (low, middle)
    bounds = claim.bounds(sums, np.exp(low))
    pairs = zip(guesses.ends, bounds, strict=True)
    return np.array([n + 1 if bound is None else bound for n, bound in pairs])


def validity(name, law, n_records, probability, epsilon, delta, n_draws, seed):
    rng = np.random.default_rng(seed)
    sets = families(n_records, probability, delta)
    critical = [critical_numbers(guesses, epsilon) for guesses in sets]
    if law is Worst:
        law = Worst(n_records, epsilon, delta, int(critical[0][-1]))
    n_exceeded = n_checked = n_other = 0
    while n_checked < n_draws:
        is_member = rng.random(n_records) < probability
        if is_member.all() or not is_member.any():
            continue
        scores = law(rng, is_member, epsilon)
        # Records are drawn alike: their own order breaks ties by lot.
        order = np.argsort(scores, kind="stable")
        exceeded = any(
            (
                np.cumsum(is_member[order[g.records]] == g.says_in)[
                    np.array(g.ends) - 1
                ]
                >= least
            ).any()
            for g, least in zip(sets, critical, strict=True)
        )
        if n_checked < N_CHECKED:
            bound = bound_of(is_member, np.argsort(order), delta, probability)
            n_other += (bound > epsilon) != exceeded
        n_exceeded += exceeded
        n_checked += 1
    return {
        "part": "validity",
        "law": name,
        "records": n_records,
        "inclusion": probability,
        "truth": epsilon,
        "delta": f"{delta:g}",
        "draws": n_draws,
        "exceeded": n_exceeded / n_draws,
        "said otherwise": n_other,
    }


def bound_of(is_member, scores, delta, probability):
    """The bound, 0 where a draw has too few of a side to say anything."""
    try:
        return epsilon_lower_bound(
            is_member, scores, delta=delta, inclusion_probability=probability
        ).epsilon
    except ValueError as error:
        if "no epsilon above 0" not in str(error):
            raise
        return 0.0


def validity_rows(n_draws, sizes, probabilities):
    seed = 0
    for n_records in SIZES:
        for probability in PROBABILITIES:
            for name, law, epsilon, delta in [
                ("no leak", no_leak, 0.0, 0.0),
                ("no leak", no_leak, 0.0, DELTA),
                ("ties", ties, 0.0, 0.0),
                *(("response", randomised_response, e, 0.0) for e in EPSILONS),
                ("response", randomised_response, 1.0, DELTA),
                ("response", randomised_response, 1.0, 1e-3),
                *(
                    ("worst", Worst, e, d)
                    for e in (0.0, 1.0)
                    for d in (DELTA, 1e-4, 1e-3)
                    if probability == 0.5
                ),
            ]:
                # Each line has its seed, whatever other lines are asked for.
                seed += 1
                if n_records in sizes and probability in probabilities:
                    yield validity(
                        name, law, n_records, probability, epsilon, delta, n_draws, seed
                    )


def gaussian_validity_rows(n_draws):
    """How often the bound on mu exceeds it, by the number of right guesses."""
    for n_records in SIZES[:2]:
        quarter = n_records // 4
        for mu in MUS:

            @cache
            def is_false(right, mu=mu, n_records=n_records, n_guesses=quarter):
                return contradicts_gaussian(
                    np.array([mu]), right, n_guesses, n_records, ERROR
                )[0]

            rng, n_exceeded = np.random.default_rng(n_records), 0
            for draw in range(n_draws):
                is_member = rng.random(n_records) < 0.5
                scores = gaussian(rng, is_member, mu)
                order, n_top = np.argsort(scores), quarter // 2
                right = is_member[order[::-1][:n_top]].sum()
                right += (~is_member[order[: quarter - n_top]]).sum()
                exceeded = bool(is_false(int(right)))
                if draw < N_CHECKED:
                    bound = gaussian_dp_lower_bound(is_member, scores)
                    assert (bound.mu > mu) == exceeded
                n_exceeded += exceeded
            yield {
                "part": "validity of mu",
                "law": "gaussian",
                "records": n_records,
                "inclusion": 0.5,
                "truth": mu,
                "draws": n_draws,
                "exceeded": n_exceeded / n_draws,
            }


def limit_of(law, size, n_records, epsilon_of, n_draws):
    """Median bound of a single set of the best size, as if the law were known."""
    rng = np.random.default_rng(1)
    half = np.unique(np.geomspace(2, n_records // 2, 30).astype(int))
    counts = []
    for _ in range(n_draws):
        is_member = rng.random(n_records) < 0.5
        order = np.argsort(law(rng, is_member, size) + 1e-9 * rng.random(n_records))
        right = np.cumsum(is_member[order[::-1]]) + np.cumsum(~is_member[order])
        counts.append(right[half - 1])
    return max(
        epsilon_of(int(v), 2 * int(n), n_records)
        for v, n in zip(np.median(counts, axis=0), half, strict=True)
    )


def alone(n_right, n_guesses, n_records, delta=DELTA):
    """Bound of one set of guesses of a number known beforehand."""
    guesses = families(n_records, 0.5, 0.5)[0]
    guesses = type(guesses)(
        guesses.records[:n_guesses],
        guesses.says_in[:n_guesses],
        guesses.log_odds[:n_guesses],
        (n_guesses,),
        (1.0,),
        ERROR,
        {True: n_records * delta / 2, False: n_records * delta / 2},
    )
    claim, low, high = Claim(guesses, np.array([n_right])), 0.0, 20.0
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (middle, high) if claim.is_contradicted(middle) else (low, middle)
    return low


LAWS = [
    *((f"response {e:g}", randomised_response, e, 0.0) for e in EPSILONS),
    *((f"gaussian {mu:g}", gaussian, mu, DELTA) for mu in MUS),
    *((f"{share:.0%} exposed", exposed, share, DELTA) for share in EXPOSED),
]


def tightness_rows(sizes):
    for n_records in sizes:
        n_draws = 200 if n_records <= 1000 else 40
        for name, law, size, delta in LAWS:
            is_gaussian = law is gaussian
            truth = gaussian_epsilon(size, DELTA) if is_gaussian else size
            if law is exposed:
                truth = 1.0
            rng, found, found_mu = np.random.default_rng(0), [], []
            for _ in range(n_draws):
                is_member = rng.random(n_records) < 0.5
                scores = law(rng, is_member, size)
                bound = epsilon_lower_bound(is_member, scores, delta=delta)
                found.append(bound.epsilon)
                if is_gaussian:
                    bound = gaussian_dp_lower_bound(is_member, scores, delta=DELTA)
                    found_mu.append(bound.epsilon)
            row = {
                "part": "tightness",
                "law": name,
                "records": n_records,
                "truth": float("inf") if law is exposed else truth,
                "draws": n_draws,
                "median": float(np.median(found)),
                "by truth": float(np.median(found)) / truth,
                "found": float(np.mean(np.array(found) > 0)),
            }
            if law is exposed:
                del row["by truth"]
            if is_gaussian:
                row["by mu"] = float(np.median(found_mu)) / truth
                row["limit"] = limit_of(law, size, n_records, alone, 100) / truth
            yield row


def jax_estimators():
    split = {"threshold_strategy": auditing.Split(seed=0)}
    return [
        ("one run, default", "epsilon_one_run", {}),
        ("f-DP, default", "epsilon_one_run_fdp", {}),
        ("f-DP, split", "epsilon_one_run_fdp", split),
        ("Clopper-Pearson, default", "epsilon_clopper_pearson", {}),
    ]


def jax_rows(n_draws, sizes):
    if auditing is None:
        print("jax-privacy is not installed: its estimators are left out.")
        return
    for n_records in sizes:
        for law_name, law, size, truth in [
            ("no leak", no_leak, 0.0, 0.0),
            *((f"response {e:g}", randomised_response, e, e) for e in EPSILONS),
            *(
                (f"gaussian {mu:g}", gaussian, mu, gaussian_epsilon(mu, DELTA))
                for mu in MUS
            ),
        ]:
            n = n_draws if law is no_leak else min(n_draws, 20)
            for name, method, params in jax_estimators():
                rng, found = np.random.default_rng(3), []
                for _ in range(n):
                    is_member = rng.random(n_records) < 0.5
                    scores = law(rng, is_member, size)
                    auditor = auditing.CanaryScoreAuditor(
                        scores[is_member], scores[~is_member]
                    )
                    found.append(getattr(auditor, method)(ERROR, DELTA, **params))
                row = {
                    "part": "jax-privacy " + name,
                    "law": law_name,
                    "records": n_records,
                    "truth": truth,
                    "draws": n,
                    "exceeded": float(np.mean(np.array(found) > truth)),
                    "median": float(np.median(found)),
                }
                if truth:
                    row["by truth"] = row["median"] / truth
                yield row


def main():
    parser = command_line(__doc__, "epsilon")
    parser.add_argument("--draws", type=int, default=4000, help="of validity")
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--records", nargs="+", type=int, default=SIZES)
    parser.add_argument("--inclusion", nargs="+", type=float, default=PROBABILITIES)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for part, makers in {
        "validity": [
            lambda: validity_rows(asked.draws, asked.records, asked.inclusion)
        ],
        "mu": [lambda: gaussian_validity_rows(asked.draws)],
        "tightness": [lambda: tightness_rows(asked.records)],
        "jax": [lambda: jax_rows(asked.draws // 4, asked.records)],
    }.items():
        if part in asked.parts:
            for maker in makers:
                for row in maker():
                    print(row, flush=True)
                    rows.append(row)
    versions = {} if auditing is None else {"jax-privacy": "2.0.0"}
    write_results(asked.name, rows, seed=0, **versions)


if __name__ == "__main__":
    main()
