import re

import numpy as np
import pytest
from scipy import special, stats

from sklearn_mia.metrics import (
    epsilon_lower_bound,
    gaussian_dp_lower_bound,
    gaussian_dp_mu,
)
from sklearn_mia.metrics._gaussian_dp import (
    _least_wrong,
    contradicts_gaussian,
    gaussian_epsilon,
)


def gaussian(mu, n_records=1000, seed=0, probability=0.5):
    rng = np.random.default_rng(seed)
    is_member = rng.random(n_records) < probability
    return is_member, mu * is_member + rng.normal(size=n_records)


def test_mu_of_published_operating_points():
    assert round(gaussian_dp_mu(0.2, 0.01), 2) == 1.48
    assert round(gaussian_dp_mu(0.05, 0.001), 2) == 1.45
    assert gaussian_dp_mu(0.3, 0.3) == 0


@pytest.mark.parametrize("mu", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("delta", [1e-6, 1e-3])
def test_epsilon_of_a_gaussian_mechanism_is_where_its_curve_has_delta(mu, delta):
    epsilon = gaussian_epsilon(mu, delta)
    # The largest advantage at exp(epsilon), over all thresholds.
    t = np.linspace(-5, 30, 200_001)
    gain = stats.norm.sf(t - mu) - np.exp(epsilon) * stats.norm.sf(t)
    assert gain.max() == pytest.approx(delta, rel=1e-3)


def test_a_small_mu_is_within_delta_at_no_epsilon_at_all():
    assert gaussian_epsilon(0.0, 1e-5) == 0
    assert gaussian_epsilon(1e-6, 1e-5) == 0
    assert gaussian_epsilon(1e-4, 1e-5) > 0


def recursion(mu, n_right, n_guesses, n_records, level):
    right = level * n_right / n_records
    wrong = level * (n_guesses - n_right) / n_records
    for i in range(n_right - 1, -1, -1):
        more = max(wrong, stats.norm.cdf(stats.norm.ppf(min(right, 1)) - mu))
        right, wrong = right + i / (n_guesses - i) * (more - wrong), more
    return right + wrong > n_guesses / n_records


@pytest.mark.parametrize("n_right", [60, 75, 99, 100])
def test_mu_is_contradicted_where_the_published_recursion_does(n_right):
    mus = np.linspace(0.05, 4, 30)
    ours = contradicts_gaussian(mus, n_right, 100, 400, 0.05)
    theirs = [recursion(mu, n_right, 100, 400, 0.05) for mu in mus]
    np.testing.assert_array_equal(ours, theirs)
    assert (0 < sum(ours) < 30) == (n_right > 60)


def test_guesses_on_one_side_are_wrong_as_seldom_as_a_test_allows():
    # Guessed "in": right with p Phi(PhiInv(a) + mu), wrong with (1 - p) a.
    a, p, mu = np.array([0.001, 0.1]), 0.2, np.full(2, 1.3)
    right = p * stats.norm.cdf(stats.norm.ppf(a) + 1.3)
    np.testing.assert_allclose(_least_wrong(right, mu, (p, 1 - p)), (1 - p) * a)


@pytest.mark.parametrize("probability", [0.1, 0.8])
def test_of_unequal_coins_the_rarer_side_is_guessed(probability):
    is_member, scores = gaussian(2.0, 2000, probability=probability)
    bound, mirrored = (
        gaussian_dp_lower_bound(y, s, inclusion_probability=p)
        for y, s, p in [
            (is_member, scores, probability),
            (~is_member, -scores, 1 - probability),
        ]
    )
    assert 0.8 < bound.mu < 2
    assert mirrored.mu == pytest.approx(bound.mu)
    assert bound.method.startswith(f"{500 * min(probability, 1 - probability):.0f} g")


def test_what_follows_from_mu_is_told_with_what_must_hold():
    is_member, scores = gaussian(1.0, seed=1)
    bound = gaussian_dp_lower_bound(is_member, scores, delta=1e-4)
    assert bound.epsilon == gaussian_epsilon(bound.mu, 1e-4)
    assert 0.4 < bound.mu < 1
    assert bound.statement.startswith("If the mechanism is Gaussian, then ")
    assert "at delta=0.0001" in bound.statement
    assert bound.statement.endswith("no bound for another mechanism.")
    assert "250 guesses" in bound.method


def test_mu_never_enters_epsilon():
    rng = np.random.default_rng(0)
    is_member = rng.random(1000) < 0.5
    told = np.where(rng.random(1000) < special.expit(0.5), is_member, ~is_member) * 1.0
    # Its own assumption is what makes it larger than the truth here.
    assert gaussian_dp_lower_bound(is_member, told).epsilon > 0.5
    assert epsilon_lower_bound(is_member, told, delta=1e-5).epsilon < 0.5


def test_without_a_leak_mu_and_epsilon_are_0_in_most_draws():
    positive = sum(
        gaussian_dp_lower_bound(*gaussian(0, 300, seed)).mu > 0 for seed in range(60)
    )
    assert positive <= 6


def test_the_number_of_members_must_be_one_that_the_coins_give():
    message = (
        r"inclusion_probability=0\.9 does not give; expected the probability used to "
        r"draw the training data: pass it, or use gaussian_dp_mu, which needs no coins"
        r"\.$"
    )
    with pytest.raises(ValueError, match=message):
        gaussian_dp_lower_bound(*gaussian(1.0), inclusion_probability=0.9)
    with pytest.raises(ValueError, match=r"delta=0 is not a number in \(0, 1\)"):
        gaussian_dp_lower_bound(*gaussian(1.0), delta=0)


@pytest.mark.slow
@pytest.mark.parametrize(("mu", "goal"), [(0.5, 0.45), (1, 0.5), (2, 0.55)])
def test_half_of_the_epsilon_of_gaussian_noise_is_found_and_not_exceeded(mu, goal):
    """True mu exceeded in less than 1 %; the median of 300 is clear of the goal."""
    found = [gaussian_dp_lower_bound(*gaussian(mu, seed=seed)) for seed in range(300)]
    truth = gaussian_epsilon(mu, 1e-5)
    by_truth = np.median([bound.epsilon for bound in found]) / truth
    print(f"epsilon by mu over the true one, mu = {mu}: {by_truth:.3f}")
    assert by_truth >= goal
    assert np.mean([bound.mu > mu for bound in found]) <= 0.05


def test_that_nothing_could_be_shown_is_no_mu_of_zero():
    is_member = np.arange(18) % 2 == 0
    message = (
        "18 records are too few: even scores that tell every coin would give no mu "
        "above 0; expected at least 19 records: pass more."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        gaussian_dp_lower_bound(is_member, is_member * 1.0)
    is_member = np.arange(19) % 2 == 0
    assert gaussian_dp_lower_bound(is_member, is_member * 1.0).mu > 0
    # That nothing was found where something could be is a bound of 0.
    assert gaussian_dp_lower_bound(is_member, -1.0 * is_member).mu == 0
    with pytest.raises(ValueError, match="no mu above 0; expected at least 19 records"):
        gaussian_dp_lower_bound([True, False], [1.0, 0.0])
    message = "no mu above 0; expected many more records, or a lower confidence"
    with pytest.raises(ValueError, match=message):
        gaussian_dp_lower_bound(
            *np.tile(np.arange(19) < 1, (2, 1)),
            confidence=1 - 1e-12,
            inclusion_probability=0.02,
        )
    # Guesses about rare members alone.
    rare = np.arange(100) < 10
    for level, is_enough in ((0.95, True), (0.99, False)):
        options = {"inclusion_probability": 0.1, "confidence": level}
        if is_enough:
            assert gaussian_dp_lower_bound(rare, rare * 1.0, **options).mu > 0.3
        else:
            with pytest.raises(ValueError, match="100 records are too few: even scor"):
                gaussian_dp_lower_bound(rare, rare * 1.0, **options)
