"""Models that are attacked by their equations, and what a prototype found in them."""

from catboost import CatBoostClassifier
from lightgbm import LGBMClassifier
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler, TargetEncoder
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier

# Of models: no split of members and no tie shares it.
MODEL_SEED = 1000
RECORDS = {"german_credit": 1000, "location30": 4000}
ADULT, CREDIT, BANK = "adult", "credit_default_taiwan", "bank_marketing"
COVERTYPE, GERMAN, LOCATION = "covertype_20k", "german_credit", "location30"
TABLES = [ADULT, CREDIT, BANK, COVERTYPE, GERMAN, LOCATION]
TABULAR = TABLES[:5]
TWO_CLASSES = [ADULT, CREDIT, BANK, GERMAN]
BOOSTED = {"random_state": MODEL_SEED, "n_jobs": 1}
OF_TREES = {"random_state": MODEL_SEED}
LOGISTIC = LogisticRegression(max_iter=1000)


def catboost(rounds):
    return CatBoostClassifier(
        iterations=rounds,
        random_seed=MODEL_SEED,
        thread_count=1,
        verbose=0,
        allow_writing_files=False,
    )


def forest(**params):
    return RandomForestClassifier(100, **OF_TREES, **params)


# Model, tables, and what else is not as usual.
FAMILIES = {
    "tree, leaf 10": (DecisionTreeClassifier(min_samples_leaf=10, **OF_TREES), TABULAR),
    "tree": (DecisionTreeClassifier(**OF_TREES), TABULAR),
    "forest": (forest(), TABULAR),
    "forest, leaf 5": (forest(min_samples_leaf=5), TABULAR),
    "forest, leaf 20": (forest(min_samples_leaf=20), TABULAR),
    "forest, leaf 50": (forest(min_samples_leaf=50), TABULAR),
    "forest, leaf 200": (forest(min_samples_leaf=200), TABULAR[:4]),
    "bagged trees": (
        BaggingClassifier(DecisionTreeClassifier(), 100, **OF_TREES),
        TABULAR,
    ),
    "extra trees": (ExtraTreesClassifier(100, **OF_TREES), TABULAR),
    "extra trees, leaf 20": (
        ExtraTreesClassifier(100, min_samples_leaf=20, **OF_TREES),
        TABULAR,
    ),
    "AdaBoost, depth 3": (
        AdaBoostClassifier(DecisionTreeClassifier(max_depth=3), n_estimators=100),
        TWO_CLASSES,
    ),
    "GradientBoosting": (GradientBoostingClassifier(**OF_TREES), TWO_CLASSES),
    "HistGradientBoosting": (
        HistGradientBoostingClassifier(early_stopping=False, **OF_TREES),
        TWO_CLASSES,
    ),
    "LightGBM": (LGBMClassifier(verbose=-1, **BOOSTED), TWO_CLASSES),
    "XGBoost": (XGBClassifier(**BOOSTED), TWO_CLASSES),
    "CatBoost, 300 rounds": (catboost(300), TWO_CLASSES),
    "HistGradientBoosting, 30 rounds, 3000 records": (
        HistGradientBoostingClassifier(max_iter=30, early_stopping=False, **OF_TREES),
        [COVERTYPE],
        {"records": 3000},
    ),
    "LightGBM, 30 rounds, 3000 records": (
        LGBMClassifier(n_estimators=30, verbose=-1, **BOOSTED),
        [COVERTYPE],
        {"records": 3000},
    ),
    "XGBoost, 30 rounds, 3000 records": (
        XGBClassifier(n_estimators=30, **BOOSTED),
        [COVERTYPE],
        {"records": 3000},
    ),
    "logistic regression": (LOGISTIC, TABLES),
    "logistic regression, outputs alone": (LOGISTIC, TABLES, {"equations": "outputs"}),
    "logistic regression, 4000 records": (LOGISTIC, [COVERTYPE], {"records": 4000}),
    "RidgeClassifier": (RidgeClassifier(), TABLES),
    "LDA, covariance": (
        LinearDiscriminantAnalysis(store_covariance=True),
        [ADULT, CREDIT, BANK, GERMAN],
    ),
    "QDA, covariance": (
        QuadraticDiscriminantAnalysis(store_covariance=True),
        [CREDIT],
    ),
    "GaussianNB": (GaussianNB(), TABULAR),
    "BernoulliNB": (BernoulliNB(), TABLES),
    "StandardScaler": (StandardScaler(), [ADULT, CREDIT], {"raw": "numbers"}),
    "PCA": (PCA(), [CREDIT], {"raw": "numbers", "records": 4000}),
    "QuantileTransformer": (
        QuantileTransformer(n_quantiles=1000, **OF_TREES),
        [ADULT],
        {"raw": "numbers"},
    ),
    "QuantileTransformer, 4000 records": (
        QuantileTransformer(n_quantiles=1000, **OF_TREES),
        [CREDIT],
        {"raw": "numbers", "records": 4000},
    ),
    "TargetEncoder, smooth 10": (
        TargetEncoder(smooth=10.0, **OF_TREES),
        [ADULT],
        {"raw": "categories"},
    ),
    "TfidfTransformer": (TfidfTransformer(), [LOCATION], {"raw": "numbers"}),
}
PROTOTYPE = {
    ADULT: {
        "tree, leaf 10": (0.625, 0.053),
        "tree": (0.701, 0.137),
        "forest": (0.967, 0.648, 0.478),
        "forest, leaf 5": (0.857, 0.240, 0.088),
        "forest, leaf 20": (0.723, 0.090),
        "forest, leaf 50": (0.655, 0.048),
        "forest, leaf 200": (0.566, 0.025),
        "extra trees": (1.0, 0.986, 0.968),
        "extra trees, leaf 20": (0.976, 0.715, 0.537),
        "GradientBoosting": (0.699, 0.116, 0.041),
        "HistGradientBoosting": (0.980, 0.728, 0.455),
        "LightGBM": (0.980, 0.737, 0.573),
        "XGBoost": (0.885, 0.430, 0.266),
        "CatBoost, 300 rounds": (0.957, 0.593, 0.258),
        "logistic regression": (0.547, 0.030, 0.005),
        "logistic regression, outputs alone": (0.547,),
        "GaussianNB": (0.582, 0.032, 0.009),
        "StandardScaler": (0.524,),
        "QuantileTransformer": (0.692, 0.078),
        "TargetEncoder, smooth 10": (0.551, 0.026),
    },
    CREDIT: {
        "forest": (0.989, 0.778, 0.396),
        "extra trees": (1.0, 1.0, 1.0),
        "extra trees, leaf 20": (0.993, 0.881, 0.701),
        "GradientBoosting": (0.718, 0.145, 0.069),
        "HistGradientBoosting": (0.994, 0.883, 0.696),
        "LightGBM": (0.993, 0.882, 0.488),
        "XGBoost": (0.970, 0.659, 0.343),
        "CatBoost, 300 rounds": (0.999, 0.988, 0.919),
        "logistic regression": (0.526, 0.019, 0.005),
        "logistic regression, outputs alone": (0.526,),
        "GaussianNB": (0.551, 0.021),
        "LDA, covariance": (0.596, 0.047, 0.025),
        "QDA, covariance": (0.627, 0.085, 0.039),
        "PCA": (0.648, 0.080),
        "QuantileTransformer, 4000 records": (0.987, 0.811, 0.245),
    },
    BANK: {
        "forest": (0.941, 0.457, 0.273),
        "extra trees": (1.0, 1.0, 1.0),
        "extra trees, leaf 20": (0.997, 0.925, 0.800),
        "GradientBoosting": (0.679, 0.143, 0.078),
        "HistGradientBoosting": (0.965, 0.628, 0.391),
        "LightGBM": (0.961, 0.630, 0.129),
        "XGBoost": (0.871, 0.409, 0.357),
        "CatBoost, 300 rounds": (0.950, 0.573, 0.099),
        "logistic regression": (0.530, 0.019, 0.004),
        "GaussianNB": (0.552, 0.028),
        "LDA, covariance": (0.668, 0.079, 0.026),
    },
    COVERTYPE: {
        "tree, leaf 10": (0.655, 0.060),
        "forest": (0.990, 0.793, 0.420),
        "forest, leaf 5": (0.967, 0.545, 0.209),
        "extra trees": (1.0, 1.0, 1.0),
        "HistGradientBoosting, 30 rounds, 3000 records": (1.0, 1.0, 1.0),
        "LightGBM, 30 rounds, 3000 records": (1.0,),
        "XGBoost, 30 rounds, 3000 records": (0.994, 0.901),
        "logistic regression, 4000 records": (0.614, 0.046, 0.012),
    },
    GERMAN: {
        "logistic regression": (0.613, 0.072),
        "logistic regression, outputs alone": (0.613, 0.072),
    },
    LOCATION: {
        "logistic regression": (0.998, 0.946, 0.901),
        "logistic regression, outputs alone": (0.991, 0.825, 0.720),
        "RidgeClassifier": (1.0, 1.0, 1.0),
        "BernoulliNB": (1.0, 1.0, 1.0),
        "TfidfTransformer": (0.691, 0.050, 0.003),
    },
}
# Share of the members that the pool has, and the prototype's numbers at each.
SHARES = (1.0, 0.99, 0.9, 0.5, 0.1)
PROTOTYPE_HELD = {
    "forest": [
        (0.970, 0.669, 0.512),
        (),
        (0.963, 0.625),
        (0.884, 0.205),
        (0.702, 0.040),
    ],
    "forest, leaf 5": [
        (0.859, 0.254),
        (),
        (0.846, 0.213),
        (0.761, 0.061),
        (0.621, 0.010),
    ],
    "extra trees, leaf 20": [
        (0.963, 0.612),
        (),
        (0.869, 0.227),
        (0.687, 0.059),
        (0.581, 0.028),
    ],
    "LightGBM": [
        (0.967, 0.672),
        (),
        (0.863, 0.245),
        (0.705, 0.053),
        (0.571, 0.033),
    ],
}


def small_models():
    """Models of a few trees, so that hundreds of them are attacked in minutes."""
    boosted = {"n_estimators": 20, **BOOSTED}
    trees = {"n_estimators": 20, **OF_TREES}
    return {
        "tree": DecisionTreeClassifier(min_samples_leaf=5, **OF_TREES),
        "forest": RandomForestClassifier(**trees),
        "forest, leaf 5": RandomForestClassifier(min_samples_leaf=5, **trees),
        "extra trees": ExtraTreesClassifier(**trees),
        "extra trees, leaf 5": ExtraTreesClassifier(min_samples_leaf=5, **trees),
        "GradientBoosting": GradientBoostingClassifier(**trees),
        "HistGradientBoosting": HistGradientBoostingClassifier(max_iter=20, **OF_TREES),
        "LightGBM": LGBMClassifier(verbose=-1, **boosted),
        "XGBoost": XGBClassifier(**boosted),
        "CatBoost": catboost(20),
        "AdaBoost": AdaBoostClassifier(
            DecisionTreeClassifier(max_depth=2), n_estimators=20
        ),
        "logistic regression": LOGISTIC,
        "RidgeClassifier": RidgeClassifier(),
        "LDA": LinearDiscriminantAnalysis(),
        "QDA": make_pipeline(PCA(8), QuadraticDiscriminantAnalysis()),
        "GaussianNB": GaussianNB(),
        "BernoulliNB": BernoulliNB(),
        "StandardScaler, logistic": make_pipeline(StandardScaler(), LOGISTIC),
        "PCA, logistic": make_pipeline(PCA(10), LOGISTIC),
    }
