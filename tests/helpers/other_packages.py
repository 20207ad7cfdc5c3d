"""Models of other packages, as targets of the attacks."""

import os
import tempfile
from importlib import import_module

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import sklearn_mia
from sklearn_mia import BlackBoxClassifier, as_records, audit

N_MEMBERS = 100
SEED = 0


class InContextClassifier(ClassifierMixin, BaseEstimator):
    """Like TabPFN nothing is trained: the records given are the model.

    It answers by attention: the classes of the records, weighted by a softmax of their
    distances.
    """

    def __init__(self, temperature=0.5):
        self.temperature = temperature

    def fit(self, X, y):
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.n_features_in_ = X.shape[1]
        self._keys, self._values = np.array(X), np.eye(len(self.classes_))[codes]
        return self

    def predict_proba(self, X):
        distances = ((X[:, None, :] - self._keys[None]) ** 2).mean(axis=2)
        weights = np.exp(-distances / self.temperature)
        return weights @ self._values / weights.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def in_context():
    return InContextClassifier()


def xgboost():
    return import_module("xgboost").XGBClassifier(n_estimators=20, n_jobs=1)


def lightgbm():
    return import_module("lightgbm").LGBMClassifier(
        n_estimators=20, min_child_samples=2, n_jobs=1, verbose=-1
    )


def catboost():
    return import_module("catboost").CatBoostClassifier(
        iterations=20, verbose=0, allow_writing_files=False, thread_count=1
    )


def catboost_of_a_file():
    return catboost()


def through_a_file(model):
    """A CatBoost model as whoever gets its file has it."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.cbm")
        model.save_model(path)
        return type(model)().load_model(path)


def resampled():
    imblearn = import_module("imblearn.pipeline")
    sampler = import_module("imblearn.under_sampling").RandomUnderSampler
    forest = RandomForestClassifier(20, random_state=0)
    return imblearn.make_pipeline(sampler(random_state=0), forest)


def balanced_forest():
    return import_module("imblearn.ensemble").BalancedRandomForestClassifier(
        20, random_state=0
    )


def as_images(X):
    return np.asarray(X, dtype=np.float32).reshape(-1, 1, 8, 8) / 16


def convolution():
    torch, skorch = import_module("torch"), import_module("skorch")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(288, 10),
    )
    network = skorch.NeuralNetClassifier(
        layers,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.01,
        max_epochs=20,
        train_split=None,
        verbose=0,
    )
    return make_pipeline(FunctionTransformer(as_images), network)


def private():
    # It wants to know the range of the data.
    return import_module("diffprivlib.models").LogisticRegression(
        epsilon=5, data_norm=10, random_state=0
    )


def onnx():
    import_module("onnxruntime")
    import_module("skl2onnx")
    return RandomForestClassifier(20, random_state=0)


class OnnxSession:
    """A file in the format of ONNX, asked by its runtime."""

    def __init__(self, model):
        convert = import_module("skl2onnx").to_onnx
        one = np.zeros((1, model.n_features_in_), dtype=np.float32)
        options = {"zipmap": False}
        self.content = convert(model, one, options=options).SerializeToString()

    def __call__(self, X):
        runtime = import_module("onnxruntime")
        session = runtime.InferenceSession(
            self.content, providers=["CPUExecutionProvider"]
        )
        given = {session.get_inputs()[0].name: np.asarray(X, dtype=np.float32)}
        return session.run(None, given)[1]


def as_service(model):
    """The model in the format of ONNX, which can only be asked."""
    return BlackBoxClassifier(
        predict_proba=OnnxSession(model), classes=model.classes_, backoff=0
    )


# Package, what makes the recipe, and what is done to the fitted model.
TARGETS = {
    "attention over its records (as TabPFN)": (None, in_context, None),
    "XGBoost": ("xgboost", xgboost, None),
    "LightGBM": ("lightgbm", lightgbm, None),
    "CatBoost": ("catboost", catboost, None),
    "CatBoost, loaded from its file": ("catboost", catboost, through_a_file),
    "imbalanced-learn, a pipeline": ("imblearn", resampled, None),
    "imbalanced-learn, a forest": ("imblearn", balanced_forest, None),
    "skorch, a convolution of images": ("skorch", convolution, None),
    "diffprivlib": ("diffprivlib", private, None),
    "ONNX, asked as a service": ("onnxruntime", onnx, as_service),
}
IMAGES = {"skorch, a convolution of images"}

ATTACKS = {
    "ThresholdAttack": {},
    "QuantileRegressionAttack": {"n_folds": 2, "random_state": SEED},
    "SupervisedAttack": {"random_state": SEED},
    "LabelOnlyAttack": {"n_queries": 5, "random_state": SEED},
    "RMIA": {"n_shadows": 4, "random_state": SEED},
    "LiRA": {"n_shadows": 4, "random_state": SEED},
    "ShadowModelAttack": {"n_shadows": 4, "random_state": SEED},
    "DifficultyCalibrationAttack": {"n_shadows": 4, "random_state": SEED},
    "BaggingAttack": {"n_trees": 40, "random_state": SEED},
    "TrajectoryAttack": {"n_stages": 5, "random_state": SEED},
    "LinearReconstructionAttack": {},
}


def sides_of(name):
    """Members and other records: X, y, X, y."""
    if name in IMAGES:
        X, y = load_digits(return_X_y=True)
    else:
        X, y = make_classification(
            2 * N_MEMBERS, 8, n_informative=5, flip_y=0.2, random_state=SEED
        )
    X = X[: 2 * N_MEMBERS].astype(np.float32)
    half = slice(0, N_MEMBERS), slice(N_MEMBERS, 2 * N_MEMBERS)
    return [table[side] for side in half for table in (X, y)]


def audit_of(name, model, recipe):
    """A quick audit of a target."""
    return audit(
        model,
        *sides_of(name),
        shadow_estimator=recipe,
        effort="quick",
        n_permutations=99,
        random_state=0,
    )


def made(name):
    """The trained target, and its recipe if it cannot be cloned."""
    _, make, delivered = TARGETS[name]
    recipe = make()
    model = make().fit(*sides_of(name)[:2])
    if delivered is not None:
        model = delivered(model)
    return model, recipe if isinstance(model, BlackBoxClassifier) else None


def attack_on(name, model, recipe):
    """An attack by its name; None where it says that it is not for the model."""
    cls = getattr(sklearn_mia, name)
    if not cls.handles(model):
        return None
    params = ATTACKS[name]
    if recipe is not None and params.get("n_shadows"):
        params = params | {"shadow_estimator": recipe}
    return cls(model, **params)


def scores_of(attack, records, is_member):
    """Scores of one attack, and who is a member among those that it scored.

    One that learns from known membership is told every other record; of the signals it
    is the first.
    """
    if isinstance(attack, sklearn_mia.SupervisedAttack):
        attack.fit(records[::2], is_member[::2])
        return attack.score_samples(records[1::2]), is_member[1::2]
    if isinstance(attack, sklearn_mia.MembershipSignals):
        return attack.fit_transform(records)[:, 0], is_member
    return attack.fit_score(records), is_member


def has_no_equations(error):
    """Whether an attack on the file says that it cannot read this one."""
    return str(error).startswith("No linear equation is known")


def records_of(name):
    """Records of both sides, and who is a member."""
    X_in, y_in, X_out, y_out = sides_of(name)
    records = as_records(np.vstack([X_in, X_out]), np.concatenate([y_in, y_out]))
    return records, np.arange(len(records)) < N_MEMBERS
