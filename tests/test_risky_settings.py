import pytest
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import KNNImputer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    RadiusNeighborsRegressor,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler
from sklearn.svm import SVC, SVR, NuSVR
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeRegressor,
)

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
    for model in (lightgbm.LGBMClassifier, lightgbm.LGBMRegressor):
        assert [f.setting for f in risky_settings(model())] == [
            f"{model.__name__}(n_estimators=100)"
        ]
        assert risky_settings(model(n_estimators=30)) == []


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (RandomForestRegressor(), ["(min_samples_leaf=1)"]),
        (ExtraTreesRegressor(), ["(min_samples_leaf=1)", "(bootstrap=False)"]),
        (RandomForestRegressor(min_samples_leaf=20), []),
        (DecisionTreeRegressor(), ["(min_samples_leaf=1)"]),
        (DecisionTreeRegressor(max_depth=4), []),
        (ExtraTreeRegressor(), ["(min_samples_leaf=1)"]),
        (BaggingRegressor(), ["(estimator=None)"]),
        (
            BaggingRegressor(Ridge(), bootstrap=False, oob_score=True),
            ["(bootstrap=False)", "(oob_score=True)"],
        ),
        (GradientBoostingRegressor(), ["(n_estimators=100)", "(subsample=1.0)"]),
        (HistGradientBoostingRegressor(), ["(max_iter=100)"]),
        (HistGradientBoostingRegressor(max_iter=50), []),
        (KNeighborsRegressor(1), ["", "(n_neighbors=1)"]),
        (KNeighborsRegressor(50), [""]),
        (KNeighborsRegressor(weights="distance"), ["", "(weights='distance')"]),
        (RadiusNeighborsRegressor(), [""]),
        (SVR(), [""]),
        (NuSVR(), [""]),
        (GaussianProcessRegressor(), [""]),
        (KernelRidge(), [""]),
        (MLPRegressor(), ["(early_stopping=False)"]),
        (MLPRegressor(early_stopping=True), []),
        (Ridge(), []),
    ],
)
def test_regressors_have_the_same_settings(estimator, expected):
    family = type(estimator).__name__
    found = risky_settings(estimator)
    assert [f.setting for f in found] == [family + setting for setting in expected]
    # What was measured is of classifiers.
    assert {f.measured for f in found} <= {None}


def test_what_settings_of_regressors_do_is_told_of_values():
    def told(estimator):
        return [(found.text, found.instead) for found in risky_settings(estimator)]

    less = "min_samples_leaf=20 or more, or max_leaf_nodes"
    leaves = "leaves of {} can hold a few records, or one, and answer with the {}"
    assert told(RandomForestRegressor()) == [
        (leaves.format("its trees", "mean of their values"), less)
    ]
    assert told(DecisionTreeRegressor(criterion="absolute_error")) == [
        (leaves.format("a tree", "median of their values"), less)
    ]
    assert told(BaggingRegressor(oob_score=True)) == [
        (
            "leaves of its trees can hold a single record and answer with its value",
            "estimator=DecisionTreeRegressor(min_samples_leaf=20)",
        ),
        (
            "its file keeps a row for each training record (oob_prediction_), in their "
            "order",
            "oob_score=False in what is handed over",
        ),
    ]
    X, y = [[float(i)] for i in range(20)], [float(i) for i in range(20)]
    for model in (BaggingRegressor(), RandomForestRegressor(30)):
        model.set_params(oob_score=True, n_estimators=30, random_state=0)
        assert len(model.fit(X, y).oob_prediction_) == 20
    process = GaussianProcessRegressor(optimizer=None)
    for model in (KernelRidge(), process, SVR(), NuSVR()):
        stored = vars(model.fit(X, y))
        held = [name for name in ("X_fit_", "X_train_") if name in stored]
        held = held or ["support_vectors_"]
        assert set(stored[held[0]].ravel()) <= set(range(20))


def test_parts_of_a_regressor_are_read_through_its_wrappers():
    inner = make_pipeline(StandardScaler(), KNeighborsRegressor())
    for model in (TransformedTargetRegressor(inner), GridSearchCV(inner, {})):
        assert [found.setting for found in risky_settings(model)] == [
            "KNeighborsRegressor",
            "KNeighborsRegressor(n_neighbors=5)",
        ]
