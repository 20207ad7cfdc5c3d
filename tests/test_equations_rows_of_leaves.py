"""Rows of trees of values, and of trees without counts, by hand in NumPy."""

import math

import numpy as np
import pytest
from helpers.equations import assert_rows, drawn_pool, leaves_of
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binom, poisson
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_mia import round_values, strip_counts
from sklearn_mia.equations import _tree_values
from sklearn_mia.equations._regressors import (
    equations_of_a_forest_of_values,
    equations_of_a_tree_of_values,
    equations_of_bagged_trees_of_values,
)
from sklearn_mia.equations._rounded import (
    fits_rounded,
    possible_classes,
    told_by_bounds,
)
from sklearn_mia.equations._stripped import (
    _lowest_terms_of,
    _members_told,
    as_equation,
    total_equations,
)
from sklearn_mia.equations._tree_values import (
    _are_pure,
    _has_copies,
    _hidden_by_rounding,
    rounding_of_sums,
)
from sklearn_mia.equations._trees import (
    equations_of_a_forest,
    equations_of_a_tree,
    equations_of_bagged_trees,
)

N = 120
EPS = np.finfo(float).eps
DECIMALS = [None, 1]


def within(row, width, held, sampling):
    """Right side and variance of a sum that is no further from 0 than that."""
    squares = row @ row
    before = held * (1 - min(held, 0.99) + sampling) * squares
    low, high = np.atleast_1d(width[0]), np.atleast_1d(width[1])
    given = np.atleast_1d(held * row.sum()), np.atleast_1d(before)
    b, told = told_by_bounds(*given, low, high)
    return b[0], sampling + told[0] / max(held * squares, 1e-9)


# Members of a leaf


def members_told(size, fits, share, rate, sampling, fewest):
    """By the law of all numbers of members, and of draws where there are some."""
    members, draws = np.arange(size + 1), np.arange(1, 4000)
    law = binom.pmf(members, size, share)
    if sampling:
        draws = draws[(draws >= fewest) & fits(draws)]
        law = law * poisson.pmf(draws, rate * members[:, None]).sum(axis=1)
    else:
        law = law * (fits(members) & (members >= max(fewest, 1)))
    law = law / law.sum()
    mean = law @ members
    return mean, law @ (members - mean) ** 2


@pytest.mark.parametrize(
    ("size", "share", "rate", "sampling", "fewest", "term"),
    [
        (6, 0.5, 1.0, 0.0, 1, 2),
        (6, 0.7, 1.0, 0.0, 3, 1),
        (6, 0.7, 1.0, 1.0, 1, 3),
        (6, 0.3, 0.5, 2.0, 4, 2),
        (40, 0.6, 2.0, 0.5, 30, 7),
        (500, 0.5, 1.0, 1.0, 1, 230),
        (900, 0.3, 1.0, 0.0, 1, 100),
    ],
)
def test_members_of_a_leaf_by_the_law_of_all_numbers(
    size, share, rate, sampling, fewest, term
):
    def fits(draws):
        return draws % term == 0

    mean, variance = members_told(size, fits, share, rate, sampling, fewest)
    before = size * share * (1 - share)
    expected = as_equation(size * share, before, mean, variance)
    found = _members_told(size, fits, share, rate, sampling, fewest)
    assert_allclose(found, expected, rtol=1e-6)


def test_draws_that_no_number_of_members_explains_are_as_few_as_fit():
    # Forty draws of one record, or of 20 at a rate of .2: more than are looked at.
    assert _members_told(1, lambda d: d % 40 == 0, 0.5, 1.0, 1.0, 1) == (1.0, 0.0)
    found = _members_told(20, lambda d: d % 40 == 0, 0.5, 0.2, 5.0, 1)
    members = np.arange(21)
    law = binom.pmf(members, 20, 0.5) * poisson.pmf(40, 0.2 * members)
    mean, law = law @ members / law.sum(), law / law.sum()
    variance = law @ (members - mean) ** 2
    assert_allclose(found, as_equation(10.0, 5.0, mean, variance), rtol=1e-6)


def test_a_mean_moves_by_ten_deviations_at_the_most():
    mean, before = np.array([3.0, 3.0]), np.array([2.0, 2.0])
    b, told = as_equation(mean, before, np.array([9.0, 4.0]), np.array([1.99, 1.0]))
    # The first would be off by a row of variance 398: it is made surer.
    most = (10 * 2) ** 2 / 6**2 - 2
    assert_allclose(told, [most, 2.0])
    assert_allclose(b, [3 + 6 * (1 + most / 2), 5.0])
    # And by no more than what was known before.
    assert as_equation(0.0, 2.0, 50.0, 1.99)[1] == 2.0


def test_terms_of_fractions_are_whole_up_to_a_sum_of_5000():
    assert _lowest_terms_of([2 / 7, 5 / 7]) == [2.0, 5.0]
    assert _lowest_terms_of([1 / 5000, 4999 / 5000]) == [1.0, 4999.0]
    # The least common multiple of 71 and 73 is more than that.
    odd = [1 / 71, 1 / 73, 1 - 1 / 71 - 1 / 73]
    assert_allclose(_lowest_terms_of(odd), 5000 * np.array(odd))


def test_rows_of_the_totals_of_leaves():
    rng = np.random.default_rng(0)
    leaves, codes = rng.integers(0, 3, (30, 2)), rng.integers(-1, 2, (30, 2))
    leaves[leaves[:, 1] == 2, 1] = 0
    may_have = [rng.random((3, 2)) < 0.7 for _ in range(2)]
    kinds = np.array([1, 2, 3, 2, 2, 5])

    def fits(draws, kind):
        return draws % kind == 0

    found = total_equations(leaves, codes, may_have, kinds, fits, 0.6, 1.5, 0.5, 1)
    A, b, sampling = [], [], []
    for t, leaf in np.ndindex(2, 3):
        inside = (leaves[:, t] == leaf) & (codes[:, t] >= 0)
        inside &= may_have[t][leaf, codes[:, t]]
        size, kind = int(inside.sum()), kinds[3 * t + leaf]
        told = _members_told(size, lambda d, k=kind: fits(d, k), 0.6, 1.5, 0.5, 1)
        A.append(inside)
        b.append(told[0])
        sampling.append(told[1] / (0.6 * max(size, 1)))
    assert np.isnan(b).any()
    assert np.isfinite(b).sum() > 3
    assert_rows(found, "leaf total", A, b, 0, sampling, of_pool=True)


# Trees of classes without counts


FORESTS = {
    "tree": DecisionTreeClassifier(min_samples_leaf=3),
    "shares": DecisionTreeClassifier(min_samples_leaf=0.05),
    "extra trees": ExtraTreesClassifier(2, min_samples_leaf=3),
    "forest": RandomForestClassifier(2, min_samples_leaf=3),
    "half": RandomForestClassifier(2, max_samples=0.5, max_depth=3),
    "grown": RandomForestClassifier(2, max_samples=0.8),
    "bagged": BaggingClassifier(DecisionTreeClassifier(max_depth=3), 2),
    "bagged half": BaggingClassifier(
        DecisionTreeClassifier(max_depth=3), 2, max_samples=0.5, bootstrap=False
    ),
    "bagged columns": BaggingClassifier(
        DecisionTreeClassifier(), 2, bootstrap=False, max_features=0.75
    ),
}


def trees_and_tables(model, X):
    """Trees, and the columns of the pool that each sees."""
    trees = getattr(model, "estimators_", [model])
    columns = getattr(model, "estimators_features_", [slice(None)] * len(trees))
    return [(tree, X[:, own]) for tree, own in zip(trees, columns, strict=True)]


def fractions_of(tree, nodes, decimals):
    fractions = tree.tree_.value[nodes, 0]
    if decimals is None:
        return np.array([_lowest_terms_of(row) for row in fractions.tolist()])
    return np.rint(fractions * 10**decimals)


@pytest.mark.parametrize("name", FORESTS)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("decimals", DECIMALS)
@pytest.mark.parametrize("n_pool", [N, 80, 60])
def test_rows_of_trees_of_classes_without_counts(name, n_classes, decimals, n_pool):
    X, y, m = drawn_pool(n_classes)
    model = FORESTS[name].set_params(random_state=0).fit(X[m], y[m])
    copy = strip_counts(model) if decimals is None else round_values(model, decimals)
    X, y = X[:n_pool], y[:n_pool]
    rate = 0.8 if name == "grown" else 0.5 if "half" in name else 1.0
    n_members, sampling, q = None, 0.0, 1.0
    read = equations_of_a_tree
    if name not in ("tree", "shares"):
        read = equations_of_bagged_trees if "bag" in name else equations_of_a_forest
    if name in ("forest", "half", "grown", "bagged", "bagged half"):
        # A bag that draws once has the variance of a half, and all of its size.
        n_members, sampling = 80.0, (1 - 1 / 80) / rate
        if name == "bagged half":
            sampling = 1.0
        q = 1 - (1 - 1 / 80) ** (rate * 80)
    elif name == "bagged columns":
        n_members = 80.0
    held = 0.5 if n_members is None else 80 / n_pool
    error = (0.05 if n_classes == 2 else 0.1) if decimals else 0.0
    size_rows, size_b, sizes, fraction_rows = (
        [],
        [],
        [],
        [[] for _ in range(n_classes - 1)],
    )
    fraction_b, fraction_s = ([[] for _ in range(n_classes - 1)] for _ in range(2))
    total_b, total_s = [], []
    fewest = 3 if name in ("tree", "extra trees", "forest") else 1
    for tree, seen in trees_and_tables(copy, X):
        nodes, inside = leaves_of(tree, seen)
        terms = fractions_of(tree, nodes, decimals)
        in_leaf = inside.sum(axis=1)
        possible = terms > 0
        if decimals:
            most = in_leaf * max(held, 1.0)
            if sampling or held > 1:
                most = most * rate + 8 * np.sqrt(most * rate + 1)
            pure = name == "grown"
            possible = possible_classes(terms, most, decimals, are_pure=pure)
        for own, term, classes in zip(inside, terms, possible, strict=True):
            here = np.flatnonzero(classes)
            together = own & np.isin(y, here)
            for c in range(n_classes):
                row = together if c == here[0] else own & (y == c) & (c not in here)
                size_rows.append(row * q)
                size_b.append(np.nan if c in here else 0.0)
            if decimals:

                def fits(draws, term=term):
                    return fits_rounded(draws, term, decimals)

            else:

                def fits(draws, term=term):
                    return draws % round(term.sum()) == 0

            sizes.append(together)
            given = min(held, 1.0), rate, sampling, fewest
            b, variance = _members_told(int(together.sum()), fits, *given)
            total_b.append(b)
            total_s.append(variance / given[0] / max(together.sum(), 1))
            for c in range(n_classes - 1):
                row, width, rest = np.zeros(n_pool), [0.0, 0.0], term[c:].sum()
                if c in here and here[-1] > c and rest > 0:
                    after = together & (y >= c)
                    share = term[c] / rest
                    row = after * ((y == c) - share) * rate
                    if decimals:
                        most = error * 10 / rest
                        draws = after.sum() * rate * held
                        width = [
                            -min(most, share) * draws,
                            min(most, 1 - share) * draws,
                        ]
                fraction_rows[c].append(row)
                b, variance = 0.0, sampling
                if decimals:
                    b, variance = within(row, width, held, sampling)
                fraction_b[c].append(b)
                fraction_s[c].append(variance)
    size, fraction, total = read(copy, X, y)
    told = {"n_members": n_members}
    assert_rows(size, "leaf size", size_rows, size_b, 0, (1 - q) / q, **told)
    joined = map(np.concatenate, (fraction_rows, fraction_b))
    variance = np.concatenate(fraction_s)
    of_pool = decimals is not None
    assert_rows(fraction, "leaf fraction", *joined, 0, variance, of_pool=of_pool)
    assert_rows(total, "leaf total", sizes, total_b, 0, total_s, of_pool=True)


def test_weights_of_classes_hide_the_terms_of_fractions():
    X, y, m = drawn_pool()
    tree = DecisionTreeClassifier(max_depth=3, class_weight={0: 2.0}).fit(X[m], y[m])
    assert len(equations_of_a_tree(tree, X, y)) == 1
    assert equations_of_a_tree(strip_counts(tree), X, y) == []


def test_boosting_of_rounded_models_starts_from_a_copy_without_counts():
    X, y, m = drawn_pool()
    first = DecisionTreeClassifier(max_depth=2)
    boosted = GradientBoostingClassifier(n_estimators=2, init=first).fit(X[m], y[m])
    rounded = round_values(boosted, 1)
    assert rounded.init_.tree_.n_node_samples.sum() == 0
    assert boosted.init_.tree_.n_node_samples[0] == 80
    for tree in rounded.estimators_[:, 0]:
        steps = tree.tree_.value * 0.1
        assert_allclose(steps, np.round(steps, 1), atol=1e-12)
    # A rate of 0 adds nothing, and its trees are rounded as they are.
    boosted.learning_rate = 0.0
    for tree in round_values(boosted, 1).estimators_[:, 0]:
        assert_array_equal(tree.tree_.value, np.round(tree.tree_.value, 1))


# Trees of values


def test_what_rounding_hides_of_one_draw_that_is_away():
    value, draws = np.array([3.0, -50.0, 0.4]), np.array([2.0, 5.0, 40.0])
    for criterion in ("squared_error", "friedman_mse", "absolute_error", "poisson"):
        used = abs(value) if criterion == "poisson" else value
        noise, hidden = _hidden_by_rounding(criterion, used, draws)
        relative = EPS * (8 + draws)
        if criterion == "absolute_error":
            assert_allclose(noise, relative * abs(value))
            # Of n equal values but one that is off by d the mean error is d / n.
            assert_allclose(hidden / draws, 2 * noise)
            continue
        if criterion == "poisson":
            size = abs(value)
            assert_allclose(noise, relative * size * (1 + abs(np.log(size))))
            impurity = hidden**2 / size / 2
        else:
            assert_allclose(noise, relative * value**2)
            impurity = hidden**2
        # Their variance is d^2 (n - 1) / n^2, and at twice the distance four times.
        assert_allclose(impurity * (draws - 1) / draws**2, 4 * noise)
    noise, hidden = _hidden_by_rounding("poisson", np.zeros(1), np.ones(1))
    assert (noise[0], hidden[0]) == (0, 0)
    assert np.isfinite(_hidden_by_rounding("squared_error", value, np.ones(3))).all()


def test_sums_of_doubles_are_off_by_their_roundings():
    expected = (1e-13 + EPS * np.array([1.0, 8.0])) * 3.0
    assert_allclose(rounding_of_sums(np.array([1, 4]), 3.0), expected)


def test_copies_are_records_of_equal_features():
    table = np.array([[1.0, 2], [3, 4], [1, 2], [1, 4], [1, 2]])
    assert_array_equal(_has_copies(table), [True, False, True, False, True])


def test_leaves_that_were_split_to_the_end_are_pure_unless_records_cannot_be_told():
    tree = DecisionTreeRegressor()
    values = np.array([1.0, 1.0, 2.0, 5.0, 7.0, 9.0 + 1e-9, 9.0])
    place = np.array([0, 0, 0, 1, 2, 3, 3])
    value, most = np.array([1.0, 5.0, 8.0, 9.0]), np.full(4, 10.0)
    same = np.array([True, True, False, True, False, False, True])
    nobody = np.zeros(7, dtype=bool)

    def pure(copied=nobody):
        return _are_pure(tree, values, place, value, same, copied, most).tolist()

    # No record of the third has its value, and those of the last may not show.
    assert pure() == [True, True, False, False]
    assert pure(np.arange(7) == 2) == [False, True, False, False]
    assert pure(np.arange(7) == 3) == [True, True, False, False]
    tree.set_params(criterion="poisson")
    assert pure() == [False] * 4
    tree.set_params(criterion="squared_error", min_samples_leaf=2)
    assert pure() == [False] * 4


def test_values_are_near_where_their_impurity_is_that_of_rounding():
    tree, most = DecisionTreeRegressor(), np.full(1, 10.0)
    # The root of 2.2e-16 times ten squared over nine, of small values and of large.
    for value, least in (
        (1e-3, math.sqrt(EPS * 100 / 9)),
        (1e3, 2 * math.sqrt(EPS * 18 * 1e6 * 100 / 9)),
    ):
        for factor in (0.99, 1.01):
            values = np.array([value, value + factor * least])
            given = values, np.zeros(2, int), np.array([value]), np.array([True, False])
            nobody = np.zeros(2, dtype=bool)
            found = _are_pure(tree, *given, nobody, most)
            assert found.tolist() == [factor > 1]


VALUES = {
    "tree": DecisionTreeRegressor(min_samples_leaf=2),
    "poisson": DecisionTreeRegressor(criterion="poisson", min_samples_leaf=2),
    "medians": DecisionTreeRegressor(criterion="absolute_error", min_samples_leaf=2),
    "extra trees": ExtraTreesRegressor(2, min_samples_leaf=3),
    "forest": RandomForestRegressor(2, min_samples_leaf=2),
    "grown": RandomForestRegressor(2, max_samples=0.5),
    "bagged": BaggingRegressor(DecisionTreeRegressor(max_depth=4), 2),
    "bagged half": BaggingRegressor(
        DecisionTreeRegressor(), 2, max_samples=0.5, bootstrap=False
    ),
    "bagged columns": BaggingRegressor(DecisionTreeRegressor(), 2, max_features=0.5),
    "shares": DecisionTreeRegressor(min_samples_leaf=0.2),
}


def of_values(name, unit=1.0):
    """Features, values of which many are equal, a fitted model, and how it drew."""
    X, _, m = drawn_pool()
    y = (np.round(2 * X[:, 0]) + 8.25) * unit
    model = VALUES[name].set_params(random_state=0).fit(X[m], y[m])
    rate, n, sampling = 1.0, None, 0.0
    if name == "forest" or name == "grown" or "bagged" in name:
        rate, n = (0.5 if name in ("grown", "bagged half") else 1.0), 80.0
        sampling = 1.0 if name == "bagged half" else (1 - 1 / 80) / rate
    read = equations_of_a_forest_of_values
    if isinstance(model, DecisionTreeRegressor):
        read = equations_of_a_tree_of_values
    elif "bagged" in name:
        read = equations_of_bagged_trees_of_values
    return X, y, model, read, rate, n, sampling


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("unit", [1.0, 2.0**-10])
def test_rows_of_trees_of_values(unit, name):
    X, y, model, read, rate, n, sampling = of_values(name, unit)
    once, q = name == "bagged half", 1.0
    if sampling:
        q = rate if once else 1 - (1 - 1 / 80) ** (rate * 80)
    A, b, noise, values, values_b, means, n_draws = ([] for _ in range(7))
    for tree, seen in trees_and_tables(model, X):
        nodes, inside = leaves_of(tree, seen)
        inner = tree.tree_
        for node, own in zip(nodes, inside, strict=True):
            v, drawn = inner.value[node, 0, 0], inner.n_node_samples[node]
            same = own & (y == v)
            is_pure = inner.impurity[node] < 1e-12 or drawn == 1
            if is_pure and same.any():
                A.append((own & ~same) * q)
                b.append(0.0)
                noise.append((1 - q) / q**2)
                values.append(same * q)
                values_b.append(drawn)
                continue
            A.append(own * q)
            b.append(drawn)
            noise.append((1 - q) / q)
            means.append(own * (y - v) * rate)
            n_draws.append(inner.weighted_n_node_samples[node])
    first, *found = read(model, X, y)
    kind = "leaf size" if sampling else "leaf count"
    n = n or 80.0
    assert_rows(first, kind, A, b, 0, noise, n_members=n)
    assert (name == "shares") == (not values)
    if values:
        of_value, noise = found.pop(0), (1 - q) / q**2
        assert_rows(of_value, f"{kind} of a value", values, values_b, 0, noise)
    assert len(found) == (name != "medians" and len(means) > 0)
    if found:
        means = np.array(means)
        scale = 1e-9 * np.sqrt((means**2).sum(axis=1))
        rounding = (1e-13 + EPS * np.array(n_draws) ** 1.5) * abs(y).max()
        variance = sampling if once or not sampling else 1 / rate
        zeros = np.zeros(len(means))
        assert_rows(found[0], "leaf mean", means, zeros, scale + rounding, variance)


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize(("decimals", "unit"), [(None, 1.0), (None, 2**-10), (1, 1.0)])
@pytest.mark.parametrize("n_pool", [N, 60])
def test_rows_of_trees_of_values_without_counts(n_pool, decimals, unit, name):
    X, y, model, read, rate, n, sampling = of_values(name, unit)
    model = strip_counts(model) if decimals is None else round_values(model, decimals)
    X, y = X[:n_pool], y[:n_pool]
    held, q, off = 0.5 if n is None else 80 / n_pool, 1.0, 0.05 if decimals else 0.0
    if sampling:
        q = 1 - (1 - 1 / 80) ** (rate * 80)
    whole = name in ("grown", "bagged half", "bagged columns")
    error = (off + 1e-14 * abs(y).max()) / unit + 1e-9
    fewest = {"forest": 2, "extra trees": 3, "tree": 2, "poisson": 2, "medians": 2}
    others, means, b, scale, variance, totals = ([] for _ in range(6))
    for tree, seen in trees_and_tables(model, X):
        nodes, inside = leaves_of(tree, seen)
        for node, own in zip(nodes, inside, strict=True):
            v = tree.tree_.value[node, 0, 0]
            same = own & (abs(y - v) <= off + 1e-9 * abs(y).max())
            # Of some columns any two records may be the same ones.
            others_here = name == "bagged columns" and (own & ~same).any()
            is_pure = whole and same.any() and not others_here
            if is_pure:
                others.append((own & ~same) * q)
            elif name != "medians":
                row = own * (y - v) * rate
                n_drawn = own.sum() * rate * held
                noise = 1e-9 * math.sqrt(row @ row)
                noise += (1e-13 + EPS * n_drawn**1.5) * abs(y).max()
                told = 0.0, sampling
                if decimals:
                    width = n_drawn * off
                    told = within(row, (-width, width), held, sampling)
                means.append(row)
                scale.append(noise)
                b.append(told[0])
                variance.append(told[1])
            part = 0.0 if is_pure else round((v - y.min()) / unit % 1, 9)
            inside_total = same if is_pure else own

            def fits(draws, part=part):
                if name == "medians":
                    return draws >= 0
                return np.floor(draws * (part + error)) >= np.ceil(
                    draws * (part - error)
                )

            given = min(held, 1.0), rate, sampling, fewest.get(name, 1)
            told = _members_told(int(inside_total.sum()), fits, *given)
            size = max(inside_total.sum(), 1)
            totals.append((inside_total, told[0], told[1] / given[0] / size))
    *found, total = read(model, X, y)
    if others:
        zeros, noise = np.zeros(len(others)), (1 - q) / q**2
        assert_rows(found.pop(0), "leaf size", others, zeros, 0, noise)
    if means:
        told = {"of_pool": decimals is not None}
        assert_rows(found.pop(0), "leaf mean", means, b, scale, variance, **told)
    assert found == []
    A, b, sampling = zip(*totals, strict=True)
    told = {"n_members": n, "of_pool": True}
    assert_rows(total, "leaf total", A, b, 0, sampling, **told)


def test_leaves_are_looked_at_for_the_most_draws_that_they_may_have(monkeypatch):
    asked = []

    def are_pure(*given):
        asked.append(given[-1])
        return _are_pure(*given)

    monkeypatch.setattr(_tree_values, "_are_pure", are_pure)
    for name, n_pool in (("forest", N), ("grown", 60), ("tree", N)):
        X, y, model, read, rate, n, _ = of_values(name)
        asked.clear()
        read(strip_counts(model), X[:n_pool], y[:n_pool])
        held = 0.5 if n is None else n / n_pool
        for (tree, seen), most in zip(
            trees_and_tables(model, X[:n_pool]), asked, strict=True
        ):
            size = leaves_of(tree, seen)[1].sum(axis=1) * max(held, 1.0)
            size = size * max(rate, 1.0)
            assert_allclose(most, size + 8 * np.sqrt(size + 1))


def test_some_trees_may_be_pure_and_others_not():
    X, y, model, read, *_ = of_values("grown")
    model.estimators_[1] = DecisionTreeRegressor(max_depth=1).fit(X[:40], y[:40])
    kinds = [rows.kind for rows in read(strip_counts(model), X, y)]
    assert kinds == ["leaf size", "leaf mean", "leaf total"]


def test_trees_of_which_some_lack_counts_tell_nothing():
    X, y, model, read, *_ = of_values("forest")
    assert len(read(model, X, y)) > 1
    model.estimators_[0] = strip_counts(model.estimators_[0])
    assert read(model, X, y) == []
    model.estimators_[1] = strip_counts(model.estimators_[1])
    assert len(read(model, X, y)) > 1
