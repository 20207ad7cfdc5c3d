import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mia import RMIA, as_records


@pytest.fixture(scope="module")
def table():
    return make_classification(60, 5, random_state=0)


@pytest.mark.parametrize(
    ("n_trees", "n_shadows", "trees_per_shadow", "expected"),
    [
        (20, 2, "auto", 4),
        (30, 2, "auto", 6),
        # 2.5 pairs are 2, 3.5 are 4: as many shadows of each kind.
        (25, 2, "auto", 4),
        (35, 2, "auto", 8),
        (12, 4, "auto", 4),
        (20, 2, 7, 6),
        (6, 4, 1, 24),
    ],
)
def test_thin_shadows_are_pairs_that_cost_the_trees_of_full_ones(
    table, n_trees, n_shadows, trees_per_shadow, expected
):
    X, y = table
    forest = RandomForestClassifier(n_trees, max_depth=2, random_state=0).fit(X, y)
    attack = RMIA(
        forest,
        n_shadows=n_shadows,
        trees_per_shadow=trees_per_shadow,
        random_state=0,
    ).fit(as_records(X, y))
    assert attack.n_shadows_ == len(attack.models_) == expected
    per_shadow = 10 if trees_per_shadow == "auto" else trees_per_shadow
    assert {len(model.estimators_) for model, _ in attack.models_} == {per_shadow}
    members = attack.shadow_members_
    np.testing.assert_array_equal(members[::2], ~members[1::2])


@pytest.mark.parametrize(
    "target",
    [
        RandomForestClassifier(10, max_depth=2, random_state=0),
        RandomForestClassifier(3, max_depth=2, random_state=0),
        LogisticRegression(),
    ],
    ids=["as many trees", "fewer trees", "no trees"],
)
def test_shadows_are_as_large_as_a_target_that_is_not_larger(table, target):
    X, y = table
    attack = RMIA(target.fit(X, y), n_shadows=2, random_state=0).fit(as_records(X, y))
    assert attack.n_shadows_ == len(attack.models_) == 2
    for model, _ in attack.models_:
        assert model.get_params() | {"random_state": 0} == (
            target.get_params() | {"random_state": 0}
        )


def test_thin_shadows_inside_a_pipeline(table):
    X, y = table
    trees = ExtraTreesClassifier(20, max_depth=2, random_state=0)
    target = make_pipeline(StandardScaler(), trees).fit(X, y)
    attack = RMIA(target, n_shadows=2, random_state=0).fit(as_records(X, y))
    assert [len(model[-1].estimators_) for model, _ in attack.models_] == [10] * 4
    assert len(target[-1].estimators_) == 20
