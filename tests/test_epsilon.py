import itertools
import re

import numpy as np
import pytest
from helpers.metrics import leaky
from scipy import optimize, special, stats

from sklearn_mia.metrics import epsilon_lower_bound
from sklearn_mia.metrics._guesses import Claim, Guesses, families_of


def test_epsilon_of_scores_without_a_leak_is_zero_unlike_an_uncorrected_maximum():
    rng = np.random.default_rng(0)
    positive = uncorrected = 0
    for seed in range(60):
        is_member = rng.random(1000) < 0.5
        scores = rng.normal(size=1000)
        positive += (
            epsilon_lower_bound(is_member, scores, random_state=seed).epsilon > 0
        )
        right = np.cumsum(is_member[np.argsort(-scores)])
        guesses = np.arange(1, 1001)
        low = stats.beta.ppf(0.05, right[50:], (guesses - right + 1)[50:])
        uncorrected += np.max(low) > 0.5
    assert positive <= 6
    assert uncorrected >= 12


def coins(n, seed=0, probability=0.5):
    return np.random.default_rng(seed).random(n) < probability


def sets_of_guesses(log_odds, says_in, ends, weights, level=0.05, delta_of=None):
    delta_of = {True: 0.0, False: 0.0} if delta_of is None else delta_of
    log_odds, says_in = np.asarray(log_odds, float), np.asarray(says_in)
    records = np.arange(len(says_in))
    return Guesses(records, says_in, log_odds, ends, weights, level, delta_of)


OUTCOMES = np.array(list(itertools.product([0, 1], repeat=8)))
MIXED = sets_of_guesses(
    [-1, 1, -1, 1, -1, 1, -1, 1], [True, False] * 4, (2, 4, 8), (1.0, 1.0, 3.0)
)
FAIR = sets_of_guesses([0] * 8, [True, False] * 4, (2, 4, 8), (1.0, 1.0, 3.0))


def independent(guesses, epsilon):
    q = 1 / (1 + np.exp(-epsilon - guesses.log_odds))
    return np.prod(np.where(OUTCOMES, q, 1 - q), axis=1)


def speaks(guesses, epsilon, least):
    """The outcomes whose statistic is at most `least`, by enumeration."""
    masses, found = independent(guesses, epsilon), np.zeros(len(OUTCOMES), bool)
    for end, weight in zip(guesses.ends, guesses.weights, strict=True):
        right = OUTCOMES[:, :end].sum(axis=1)
        tails = np.array([masses[right >= v].sum() for v in right])
        found |= tails <= least * weight * (1 + 1e-9)
    return found


@pytest.mark.parametrize("guesses", [FAIR, MIXED], ids=["fair", "unequal"])
@pytest.mark.parametrize("epsilon", [0.0, 0.7])
def test_all_sets_together_speak_as_often_as_by_enumeration(guesses, epsilon):
    claim = Claim(guesses, np.array([2, 4, 7]))
    sums = claim.sums(epsilon)
    for least in (0.004, 0.03, 0.08):
        often = independent(guesses, epsilon)[speaks(guesses, epsilon, least)].sum()
        assert claim.most_often(epsilon, sums, least) == pytest.approx(often)
    assert often > 0
    seen = claim.statistic(sums, [2, 4, 7])
    q = independent(guesses, epsilon)
    tails = [
        q[OUTCOMES[:, :end].sum(axis=1) >= v].sum()
        for end, v in zip(guesses.ends, [2, 4, 7], strict=True)
    ]
    assert seen == pytest.approx(min(tails / np.array(guesses.weights)))


def most_often_by_linear_program(guesses, epsilon, event, delta_of):
    """The largest P(event) over laws of the outcomes that the promise allows."""
    n, width = len(guesses.says_in), len(OUTCOMES)
    place = {tuple(outcome): i for i, outcome in enumerate(OUTCOMES)}
    edges = [
        (place[tuple(o)], place[tuple(np.where(np.arange(n) == j, 1, o))], j)
        for o in OUTCOMES
        for j in np.flatnonzero(o == 0)
    ]
    allowed = np.zeros((len(edges) + 2, width + len(edges)))
    for row, (wrong, right, j) in enumerate(edges):
        allowed[row, right] = 1
        allowed[row, wrong] = -np.exp(epsilon + guesses.log_odds[j])
        allowed[row, width + row] = -1
        allowed[len(edges) + int(guesses.says_in[j]), width + row] = 1
    limits = np.r_[np.zeros(len(edges)), delta_of[False], delta_of[True]]
    total = np.r_[np.ones(width), np.zeros(len(edges))][None]
    found = optimize.linprog(
        -np.r_[event.astype(float), np.zeros(len(edges))],
        A_ub=allowed,
        b_ub=limits,
        A_eq=total,
        b_eq=[1],
    )
    return -found.fun


@pytest.mark.parametrize(
    ("log_odds", "ends", "exact"),
    [
        ([0] * 8, (8,), True),
        ([0] * 8, (4,), True),
        ([0] * 8, (2, 4, 8), False),
        ([-1, 1] * 4, (8,), False),
        ([-1, 1] * 4, (2, 8), False),
        ([-2, 2] * 4, (4, 8), False),
    ],
)
def test_no_law_that_the_promise_allows_speaks_more_often(log_odds, ends, exact):
    delta_of = {True: 0.015, False: 0.015 if exact else 0.025}
    guesses = sets_of_guesses(
        log_odds, [True, False] * 4, ends, (1.0,) * len(ends), 0.05, delta_of
    )
    claim = Claim(guesses, np.array(ends))
    for epsilon, least in [(0.0, 0.02), (0.5, 0.06), (1.0, 0.2)]:
        sums = claim.sums(epsilon)
        if claim.bounds(sums, least)[-1] is None:
            continue
        event = speaks(guesses, epsilon, least)
        most = most_often_by_linear_program(guesses, epsilon, event, delta_of)
        bound = claim.most_often(epsilon, sums, least)
        assert most <= bound + 1e-9
        assert bound < independent(guesses, epsilon)[event].sum() + 0.03 * len(ends)
        if exact:
            assert bound == pytest.approx(most)


def test_what_delta_adds_where_prior_odds_differ_is_the_bound_of_a_sum_of_like_spread():
    log_odds, says_in = [1.0, -0.5, 0.2, -1.0, 0.4, 0.0], [True, False] * 3
    deltas = {True: 0.02, False: 0.03}
    guesses = sets_of_guesses(log_odds, says_in, (4, 6), (1.0, 1.0), delta_of=deltas)
    claim, epsilon = Claim(guesses, np.array([4, 6])), 0.3
    for k, end in enumerate((4, 6)):
        wrong = 1 / (1 + np.exp(epsilon + np.array(log_odds[:end])))
        a, b = (
            np.sort(part)[:-1].sum()
            for part in (wrong * (1 - wrong), np.minimum(wrong, 1 - wrong) ** 2)
        )
        pivotal = min(1.0, 0.4689 / np.sqrt(b) * np.arccos((a - b) / (a + b)))
        largest = [max(wrong[i] for i in range(start, end, 2)) for start in (0, 1)]
        expected = pivotal * (0.02 * largest[0] + 0.03 * largest[1])
        found = claim._of_delta(k, epsilon, None, None)
        assert found == pytest.approx(expected, rel=1e-12)
        assert 0 < pivotal < 1 or k == 0


def recursion(n_right, n_guesses, n_records, delta, epsilon):
    """P(so many right) below which the published recursion contradicts the claim."""

    def rejects(level):
        right = level * n_right / n_records
        wrong = level * (n_guesses - n_right) / n_records
        for i in range(n_right - 1, -1, -1):
            more = max(wrong, (right - delta) / np.exp(epsilon))
            right, wrong = right + i / (n_guesses - i) * (more - wrong), more
        return right + wrong > n_guesses / n_records

    return optimize.brentq(lambda level: 0.5 - rejects(level), 1e-9, 1, xtol=1e-9)


@pytest.mark.parametrize("delta", [1e-5, 1e-4])
@pytest.mark.parametrize(("n_right", "n_guesses"), [(9, 10), (75, 100), (660, 1000)])
def test_delta_takes_less_than_in_the_published_bounds(n_right, n_guesses, delta):
    n_records, epsilon = 1000, 0.5
    guesses = sets_of_guesses(
        [0] * n_guesses,
        np.arange(n_guesses) % 2 == 0,
        (n_guesses,),
        (1.0,),
        0.05,
        {True: delta * 500, False: delta * 500},
    )
    ours = Claim(guesses, np.array([n_right]))._most_often_alone(epsilon)
    q = np.exp(epsilon) / (1 + np.exp(epsilon))
    tail = stats.binom.sf(np.arange(n_right, -1, -1) - 1, n_guesses, q)
    a = np.max((tail[1:] - tail[0]) / np.arange(1, n_right + 1))
    assert tail[0] < ours < tail[0] + 2 * n_records * delta * a
    assert ours <= recursion(n_right, n_guesses, n_records, delta, epsilon) + 1e-8
    sums = Claim(guesses, np.array([n_right])).sums(epsilon)
    also = Claim(guesses, np.array([n_right])).most_often(epsilon, sums, tail[0])
    assert ours == pytest.approx(also)


def test_guesses_are_fixed_by_scores_and_number_nested_and_of_both_sides():
    order = np.random.default_rng(0).permutation(1000)
    both, top, bottom = families_of(order, np.zeros(1000), 0.0, 0.05)
    assert both.ends == (31, 62, 125, 250, 500, 1000)
    assert both.level + top.level + bottom.level == pytest.approx(0.05)
    for end in both.ends:
        says_in = both.says_in[:end]
        assert abs(says_in.sum() - end / 2) <= 1
        highest = both.records[:end][says_in]
        assert set(highest) == set(order[::-1][: len(highest)])
    np.testing.assert_array_equal(top.records, order[::-1][:160])
    np.testing.assert_array_equal(bottom.records, order[:160])
    assert top.ends[0] == bottom.ends[0] == 10
    assert top.says_in.all()
    assert not bottom.says_in.any()


def test_a_large_delta_leaves_the_sets_that_can_bear_it():
    log_odds = np.zeros(1000)
    sizes = [
        [f.ends for f in families_of(np.arange(1000), log_odds, delta, 0.05)]
        for delta in (1e-6, 1e-4, 1e-3, 1e-2)
    ]
    assert [len(families) for families in sizes] == [3, 3, 1, 1]
    assert sum(map(len, sizes[0])) > sum(map(len, sizes[1])) > 1
    assert sizes[3] == [(1000,)]
    unequal = families_of(np.arange(1000), log_odds + 1, 1e-2, 0.05)
    assert [f.ends for f in unequal] == [(500,), (500,)]


def test_a_delta_that_many_sets_cannot_bear_leaves_fewer_that_reach_as_far():
    # Of 10,000 records that leak in one of a hundred, or in three, few guesses tell.
    all_sizes = families_of(np.arange(10_000), np.zeros(10_000), 0.0, 0.05)[1].ends
    kept = families_of(np.arange(10_000), np.zeros(10_000), 1e-5, 0.05)[1].ends
    assert {*kept} < {*all_sizes}
    assert kept[0] < 100
    for share, least in ((0.01, 0.5), (0.03, 2.0)):
        found = []
        for seed in range(4):
            rng = np.random.default_rng(seed)
            is_member, leaks = rng.random((2, 10_000)) < [[0.5], [share]]
            scores = rng.normal(size=10_000) + 20 * (is_member & leaks)
            found.append(epsilon_lower_bound(is_member, scores, delta=1e-5).epsilon)
        assert np.median(found) > least


@pytest.mark.parametrize("probability", [0.5, 0.3])
def test_delta_lowers_epsilon(probability):
    is_member = coins(400, probability=probability)
    scores = 2 * is_member + np.random.default_rng(1).normal(size=400)
    found = [
        epsilon_lower_bound(
            is_member, scores, delta=delta, inclusion_probability=probability
        ).epsilon
        for delta in (0.0, 1e-5, 1e-4, 1e-3, 1e-2)
    ]
    assert found[1] == pytest.approx(found[0], rel=0.05)
    # With a large delta fewer sets are looked at, and corrected for.
    assert found[0] * 1.001 > found[3] > found[4] > 0.3


def test_perfect_guesses_have_the_ceiling_that_the_number_of_records_sets():
    is_member = coins(1000)
    bound = epsilon_lower_bound(is_member, is_member * 1.0)
    least, most = (
        np.log((0.05 * share) ** (1 / r) / (1 - (0.05 * share) ** (1 / r)))
        for share, r in ((0.1, 500), (0.6, 1000))
    )
    assert least <= bound.epsilon <= most


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("seed", [0, 7])
def test_the_numbers_that_break_ties_are_not_those_of_the_coins(seed, turned):
    is_member = (np.random.default_rng(seed).random(1000) < 0.5) ^ turned
    for random_state in (seed, np.random.default_rng(seed)):
        bound = epsilon_lower_bound(
            is_member, np.zeros(1000), random_state=random_state
        )
        assert bound.epsilon < 0.2


def test_each_record_may_have_a_coin_of_its_own():
    rng = np.random.default_rng(0)
    probability = rng.uniform(0.1, 0.9, size=600)
    is_member = rng.random(600) < probability
    told = np.where(rng.random(600) < special.expit(2), is_member, ~is_member) * 1.0
    bound = epsilon_lower_bound(is_member, told, inclusion_probability=probability)
    assert 1 < bound.epsilon < 2
    assert "by its own coin of known probability" in bound.statement
    # The prior odds are no leak: their own order finds nothing.
    assert (
        epsilon_lower_bound(
            is_member, probability, inclusion_probability=probability
        ).epsilon
        == 0
    )
    same = [
        epsilon_lower_bound(is_member, told, inclusion_probability=p).epsilon
        for p in (0.5, np.full(600, 0.5))
    ]
    assert same[0] == same[1]
    few = rng.choice([0.2, 0.5, 0.8], size=600)
    members = rng.random(600) < few
    by_few = epsilon_lower_bound(members, members * 1.0, inclusion_probability=few)
    apart = few + 1e-9 * np.arange(600)
    by_many = epsilon_lower_bound(members, members * 1.0, inclusion_probability=apart)
    assert by_many.epsilon == pytest.approx(by_few.epsilon, abs=1e-3)


def test_coins_that_do_not_fit_the_records_are_refused():
    is_member, half = coins(300), np.full(300, 0.5)
    half[0] = 0.6
    with pytest.raises(ValueError, match="has 2 values and y_true 300; expected one"):
        epsilon_lower_bound(is_member, half, inclusion_probability=[0.5, 0.5])
    with pytest.raises(ValueError, match="expected delta=0, or one probability"):
        epsilon_lower_bound(is_member, half, delta=1e-5, inclusion_probability=half)
    with pytest.raises(ValueError, match=r"of mean 0\.1 does not give"):
        epsilon_lower_bound(is_member, half, inclusion_probability=half / 5)
    with pytest.raises(ValueError, match=r"inclusion_probability=1\.5 is not a number"):
        epsilon_lower_bound(
            is_member, half, inclusion_probability=3 * np.full(300, 0.5)
        )


def test_of_labels_the_statement_is_another():
    is_first, scores = coins(500), np.random.default_rng(1).normal(size=500)
    record = epsilon_lower_bound(is_first, scores + is_first)
    label = epsilon_lower_bound(is_first, scores + is_first, neighbours="label")
    assert label.epsilon == record.epsilon > 0
    assert "label" not in record.statement
    assert "(epsilon, 0)-label-differentially private" in label.statement
    assert "one of two candidate labels by its own coin of p" in label.statement
    for wrong in ({"neighbours": "row"}, {"random_inclusion": False}):
        with pytest.raises(ValueError, match="expected neighbours='record', or"):
            epsilon_lower_bound(is_first, scores, **{"neighbours": "label", **wrong})
    with pytest.raises(ValueError, match=r"^neighbours=\['row'\] and random_inclusion"):
        epsilon_lower_bound(is_first, scores, neighbours=["row"])
    for odd in ("no", None, 0):
        message = f"random_inclusion={odd!r}; expected True or False."
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            epsilon_lower_bound(is_first, scores, random_inclusion=odd)


def test_epsilon_without_random_inclusion_uses_ranks_fixed_beforehand():
    is_member, scores = leaky(1000)
    members, nonmembers = scores[is_member], scores[~is_member]
    best = 0
    for k in (2, 5, 10, 20, 50, 100, 250, 500):
        for accused, spared in ((members, nonmembers), (-nonmembers, -members)):
            fpr_high = stats.beta.ppf(1 - 0.05 / 32, k, 1001 - k)
            found = (accused > np.sort(spared)[-k]).sum()
            tpr_low = stats.beta.ppf(0.05 / 32, found, 1001 - found) if found else 0
            best = max(best, np.log(max(tpr_low, 1e-9) / fpr_high))
    bound = epsilon_lower_bound(is_member, scores, random_inclusion=False)
    assert bound.epsilon == pytest.approx(best)
    assert bound.epsilon > 0.5


def test_only_random_inclusion_speaks_of_differential_privacy():
    is_member, scores = leaky(200)
    random = epsilon_lower_bound(is_member, scores)
    fixed = epsilon_lower_bound(is_member, scores, random_inclusion=False)
    assert "differentially private" in random.statement
    assert "own coin of probability 0.5" in random.statement
    assert "privacy" not in fixed.statement
    assert "private" not in fixed.statement
    assert "no statement about how the model was trained" in fixed.statement


def test_more_members_than_the_coin_gives_are_not_mistaken_for_a_leak():
    is_member = np.arange(1000) < 900
    scores = np.random.default_rng(0).normal(size=1000)
    with pytest.raises(
        ValueError,
        match=re.escape(
            "y_true has 900 members among 1000 records, which "
            "inclusion_probability=0.5 does not give; expected the probability used to "
            "draw the training data: pass it, or random_inclusion=False."
        ),
    ):
        epsilon_lower_bound(is_member, scores)
    bound = epsilon_lower_bound(is_member, scores, inclusion_probability=0.9)
    assert bound.epsilon == 0
    assert epsilon_lower_bound(is_member, scores, random_inclusion=False).epsilon == 0


def test_a_seed_gives_the_same_numbers_again():
    is_member, scores = leaky(300, decimals=0)
    for seed in (0, np.random.RandomState(3), np.random.default_rng(3)):
        first, again = (
            epsilon_lower_bound(is_member, scores, random_state=seed) for _ in range(2)
        )
        assert first == again


def randomised_response_of(epsilon):
    def respond(rng, is_member):
        told = rng.random(is_member.size) < special.expit(epsilon)
        return np.where(told, is_member, ~is_member) * 1.0

    return respond


randomised_response = randomised_response_of(1)


def laplace(rng, is_member):
    return is_member + rng.laplace(size=is_member.size)


def no_leak(rng, is_member):
    return rng.normal(size=is_member.size)


@pytest.mark.slow
@pytest.mark.parametrize("random_inclusion", [True, False])
@pytest.mark.parametrize("n_records", [400, 2000, 10_000])
@pytest.mark.parametrize(
    ("mechanism", "epsilon"), [(randomised_response, 1), (laplace, 1), (no_leak, 0)]
)
def test_epsilon_exceeds_the_true_one_in_at_most_5_percent(
    mechanism, epsilon, n_records, random_inclusion
):
    """If it is exceeded in exactly 5 % of draws, a run fails with probability .01."""
    rng = np.random.default_rng(n_records)
    exceeded = 0
    for seed in range(1000):
        is_member = rng.random(n_records) < 0.5
        bound = epsilon_lower_bound(
            is_member,
            mechanism(rng, is_member),
            random_state=seed,
            random_inclusion=random_inclusion,
        )
        exceeded += bound.epsilon > epsilon
    print(f"exceeded {mechanism.__name__} {n_records}: {exceeded / 1000}")
    assert exceeded <= 66


@pytest.mark.slow
def test_epsilon_sees_that_2_percent_of_1000_members_leak():
    """Seen in .998 of runs, so a 500-run share below .9 is practically impossible."""
    rng = np.random.default_rng(0)
    seen = 0
    for seed in range(500):
        is_member = rng.random(2000) < 0.5
        scores = rng.normal(size=2000)
        scores[is_member & (rng.random(2000) < 0.02)] += 6
        seen += epsilon_lower_bound(is_member, scores, random_state=seed).epsilon > 0
    assert seen >= 0.9 * 500


@pytest.mark.parametrize("members_first", [True, False])
def test_ties_are_broken_without_favour(members_first):
    is_member = np.arange(2000) < 1000
    if not members_first:
        is_member = ~is_member
    bounds = [
        epsilon_lower_bound(is_member, np.zeros(2000), random_state=seed).epsilon
        for seed in range(20)
    ]
    assert np.mean(np.array(bounds) > 0) <= 0.1


def test_delta_is_taken_off_the_rate_found_where_inclusion_was_not_random():
    is_member = np.arange(2000) < 1000
    scores = np.random.default_rng(0).normal(size=2000) + 2 * is_member
    members, nonmembers = scores[is_member], scores[~is_member]
    best = 0
    for k in (2, 5, 10, 20, 50, 100, 250, 500):
        for accused, spared in ((members, nonmembers), (-nonmembers, -members)):
            fpr_high = stats.beta.ppf(1 - 0.05 / 32, k, 1001 - k)
            found = (accused > np.sort(spared)[-k]).sum()
            tpr_low = stats.beta.ppf(0.05 / 32, found, 1001 - found)
            best = max(best, np.log(max(tpr_low - 0.1, 1e-9) / fpr_high))
    bound = epsilon_lower_bound(is_member, scores, delta=0.1, random_inclusion=False)
    assert bound.epsilon == pytest.approx(best)
    assert bound.epsilon > 1


def test_a_delta_too_large_for_so_many_records_is_refused_with_how_many_it_needs():
    is_member = np.arange(5) % 2 == 0
    message = (
        "delta=0.02 is too large for 5 records: even scores that tell every coin would "
        "give no epsilon above 0; expected at least 6 records: pass more, or a smaller "
        "delta."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        epsilon_lower_bound(is_member, is_member * 1.0, delta=0.02)
    is_member = np.arange(6) % 2 == 0
    assert epsilon_lower_bound(is_member, is_member * 1.0, delta=0.02).epsilon > 0
    message = (
        "delta=0.06 is too large for 6 records: even scores that tell every coin would "
        "give no epsilon above 0; expected a delta below 1 - confidence, the error "
        "allowed, and more records."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        epsilon_lower_bound(is_member, is_member * 1.0, delta=0.06)


def test_that_nothing_could_be_shown_is_no_epsilon_of_zero():
    is_member = np.arange(4) % 2 == 0
    message = (
        "4 records are too few: even scores that tell every coin would give no epsilon "
        "above 0; expected at least 5 records: pass more."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        epsilon_lower_bound(is_member, is_member * 1.0)
    # Ten members cannot be guessed right 160 times.
    rare = np.arange(1000) < 10
    coins = {"inclusion_probability": 0.01}
    assert epsilon_lower_bound(rare, rare * 1.0, **coins).epsilon > 4
    with pytest.raises(ValueError, match="is too large for 1000 records"):
        epsilon_lower_bound(rare, rare * 1.0, delta=0.04, **coins)
    # Nor 80 times, but some of the sets are smaller.
    assert epsilon_lower_bound(rare, rare * 1.0, delta=0.01, **coins).epsilon > 2


@pytest.mark.parametrize("n_records", [100, 1000, 20_000])
def test_perfect_guesses_show_something_at_any_delta_below_the_error(n_records):
    is_member = np.arange(n_records) % 2 == 0
    found = [
        epsilon_lower_bound(is_member, is_member * 1.0, delta=delta).epsilon
        for delta in (1e-3, 0.02, 0.049)
    ]
    # With a large delta fewer sets are looked at, and corrected for.
    assert found[0] > 0.99 * found[1] > found[2] > 2


TIGHT = [
    (randomised_response_of(e), e, goal)
    for e, goal in ((0.5, 0.66), (1, 0.82), (2, 0.85))
]


@pytest.mark.slow
@pytest.mark.parametrize(("mechanism", "epsilon", "goal"), TIGHT)
def test_randomised_response_of_1000_records_is_nearly_found(mechanism, epsilon, goal):
    """The median of 300 is above by two of its standard errors at least."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        is_member = rng.random(1000) < 0.5
        found.append(epsilon_lower_bound(is_member, mechanism(rng, is_member)).epsilon)
    print(f"median / epsilon of response {epsilon}: {np.median(found) / epsilon:.3f}")
    assert np.median(found) >= goal * epsilon
