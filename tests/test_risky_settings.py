import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import CoarsenedClassifier, risky_settings


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (DecisionTreeClassifier(), ["DecisionTreeClassifier(min_samples_leaf=1)"]),
        (DecisionTreeClassifier(max_depth=4), []),
        (DecisionTreeClassifier(max_leaf_nodes=8), []),
        (RandomForestClassifier(min_samples_leaf=0.01), []),
        (
            RandomForestClassifier(oob_score=True, min_samples_leaf=20),
            ["RandomForestClassifier(oob_score=True)"],
        ),
        (
            ExtraTreesClassifier(min_samples_leaf=2),
            [
                "ExtraTreesClassifier(min_samples_leaf=2)",
                "ExtraTreesClassifier(bootstrap=False)",
            ],
        ),
        (BaggingClassifier(), ["BaggingClassifier(estimator=None)"]),
        (
            BaggingClassifier(LogisticRegression(), bootstrap=False, max_samples=0.5),
            [],
        ),
        (
            HistGradientBoostingClassifier(),
            ["HistGradientBoostingClassifier(max_iter=100)"],
        ),
        (HistGradientBoostingClassifier(max_iter=50), []),
        (
            GradientBoostingClassifier(n_estimators=20),
            ["GradientBoostingClassifier(subsample=1.0)"],
        ),
        (KNeighborsClassifier(50), ["KNeighborsClassifier"]),
        (
            KNeighborsClassifier(weights="distance"),
            ["KNeighborsClassifier", "KNeighborsClassifier(weights='distance')"],
        ),
        (SVC(), ["SVC"]),
        (MLPClassifier(), ["MLPClassifier(early_stopping=False)"]),
        (LogisticRegression(), []),
        (LogisticRegression(C=100), ["LogisticRegression(C=100)"]),
        (GaussianNB(), []),
        (TfidfVectorizer(), ["TfidfVectorizer(min_df=1)"]),
        (CountVectorizer(min_df=5), []),
        (OneHotEncoder(), ["OneHotEncoder(categories='auto')"]),
        (
            OneHotEncoder(min_frequency=10),
            ["OneHotEncoder(categories='auto')"],
        ),
        (OneHotEncoder(categories=[["a", "b"]]), []),
        (QuantileTransformer(), ["QuantileTransformer(n_quantiles=1000)"]),
        (KNNImputer(), ["KNNImputer"]),
    ],
)
def test_settings_that_remember_are_named(estimator, expected):
    assert [found.setting for found in risky_settings(estimator)] == expected


def test_all_parts_of_a_model_are_read_once_each():
    first = make_column_transformer((OneHotEncoder(), ["a"]), (StandardScaler(), ["b"]))
    forest = RandomForestClassifier()
    votes = VotingClassifier([("one", forest), ("other", RandomForestClassifier())])
    model = GridSearchCV(make_pipeline(first, votes), {})
    for wrapped in (model, FrozenEstimator(model), CoarsenedClassifier(model)):
        assert {found.setting for found in risky_settings(wrapped)} == {
            "OneHotEncoder(categories='auto')",
            "RandomForestClassifier(min_samples_leaf=1)",
        }


def test_an_encoder_lists_rare_categories_whatever_their_frequency():
    X = [["common"]] * 20 + [["only once"]]
    encoder = OneHotEncoder(min_frequency=10).fit(X)
    assert "only once" in encoder.categories_[0]


def test_fitted_and_not_are_read_alike():
    X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
    tree = DecisionTreeClassifier(random_state=0)
    assert risky_settings(tree) == risky_settings(tree.fit(X, y))


def test_of_a_fitted_search_what_it_chose_is_read():
    X, y = [[float(i)] for i in range(20)], [0, 1] * 10
    search = GridSearchCV(
        DecisionTreeClassifier(random_state=0), {"min_samples_leaf": [6]}, cv=2
    )
    assert risky_settings(search) != []
    assert risky_settings(search.fit(X, y)) == []


def test_boosting_of_other_libraries_is_known_by_its_name():
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMClassifier
    assert [f.setting for f in risky_settings(model())] == [
        "LGBMClassifier(n_estimators=100)"
    ]
    assert risky_settings(model(n_estimators=30)) == []
