"""Power of the attacks on regressors, on values of real tables.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_regression.py

The hours per week of Adult and the credit limit of the Taiwan table are predicted from
all other columns. The target trains on an independent half of 4,000 records (a coin for
each record), five times; the pool is all of them, and attacks with shadow models have
eight (``--shadows``), the same ones for every target. AUC and TPR at 1 % are means over
the targets, with their intervals of 95 % by the t distribution. XGBoost and LightGBM
are left out where they are not installed. Categories are one-hot; with ordinal codes
and three targets, as in the prototype of the formulas:

    python benchmarks/bench_regression.py --coding ordinal --targets 3 \\
        --models forest "gradient boosting" ridge "5 neighbours" --name regression_codes

With as many shadow models as the scorer of a search takes by default:

    python benchmarks/bench_regression.py --shadows 4 --attacks LiRA RMIA \\
        --models forest "forest, leaf 5" "gradient boosting" ridge "5 neighbours" \\
        --name regression_four

With ``--outside`` the pool are as many other records, and shadow models saw none of
those that are judged.
"""

import tempfile
import warnings
from importlib import import_module

import numpy as np
from common import VALUES, command_line, draw_members, load_values, write_results
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import ElasticNet, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from sklearn_mia import (
    RMIA,
    DifficultyCalibrationAttack,
    LinearReconstructionAttack,
    LiRA,
    QuantileRegressionAttack,
    SupervisedAttack,
    ThresholdAttack,
    as_records,
)
from sklearn_mia.auditing._evaluation import mean_interval
from sklearn_mia.metrics import tpr_at_fpr_score


def scaled(regressor):
    return make_pipeline(
        StandardScaler(),
        TransformedTargetRegressor(regressor, transformer=StandardScaler()),
    )


MODELS = {
    "forest": RandomForestRegressor(random_state=0),
    "forest, leaf 5": RandomForestRegressor(min_samples_leaf=5, random_state=0),
    "gradient boosting": HistGradientBoostingRegressor(random_state=0),
    "ridge": make_pipeline(StandardScaler(), Ridge()),
    "elastic net": scaled(ElasticNet(0.01)),
    "5 neighbours": make_pipeline(StandardScaler(), KNeighborsRegressor()),
    "support vectors": scaled(SVR()),
    "network": scaled(MLPRegressor(random_state=0)),
}
for _name, _module, _class in (
    ("XGBoost", "xgboost", "XGBRegressor"),
    ("LightGBM", "lightgbm", "LGBMRegressor"),
):
    try:
        _made = getattr(import_module(_module), _class)
    except ImportError:
        continue
    quiet = {"verbose": -1} if _name == "LightGBM" else {}
    MODELS[_name] = _made(random_state=0, n_jobs=1, **quiet)


def attacks_on(target, memory, outside, n_shadows):
    few = {"n_shadows": n_shadows, "keep_models": outside, "memory": memory}
    few |= {"random_state": 0}
    yield "ThresholdAttack", ThresholdAttack(target)
    yield "SupervisedAttack", SupervisedAttack(target, random_state=0)
    yield "QuantileRegressionAttack", QuantileRegressionAttack(target, random_state=0)
    yield "DifficultyCalibrationAttack", DifficultyCalibrationAttack(target, **few)
    yield "LiRA", LiRA(target, **few)
    yield "LiRA, gap per record", LiRA(target, gap="per_record", **few)
    yield "LiRA offline", LiRA(target, mode="offline", **few)
    yield "RMIA", RMIA(target, **few)
    yield "RMIA offline", RMIA(target, mode="offline", **few)
    if LinearReconstructionAttack.handles(target):
        yield "LinearReconstructionAttack", LinearReconstructionAttack(target)


def scores_of(attack, records, member, pool=None):
    """Membership and scores of the records that an attack may be judged on."""
    if pool is not None:
        return member, attack.fit(pool).score_samples(records)
    if not isinstance(attack, SupervisedAttack):
        return member, attack.fit_score(records)
    half = np.random.default_rng(2).random(len(member)) < 0.5
    attack.fit(records[half], member[half])
    return member[~half], attack.score_samples(records[~half])


def bench(table, name, n_records, n_targets, coding, outside, n_shadows, wanted):
    X, y = load_values(table, n_records * (1 + outside), coding=coding)
    X, y, pool = X[:n_records], y[:n_records], as_records(X, y)[n_records:]
    records, found = as_records(X, y), {}
    with tempfile.TemporaryDirectory() as memory:
        for seed in range(n_targets):
            member = draw_members(len(y), seed)
            target = clone(MODELS[name]).fit(X[member], y[member])
            for attack_name, attack in attacks_on(target, memory, outside, n_shadows):
                if wanted and attack_name not in wanted:
                    continue
                judged, scores = scores_of(
                    attack, records, member, pool if outside else None
                )
                found.setdefault(attack_name, []).append(
                    (
                        roc_auc_score(judged, scores),
                        tpr_at_fpr_score(judged, scores, max_fpr=0.01),
                    )
                )
    for attack_name, values in found.items():
        row = {"table": table, "model": name, "attack": attack_name}
        columns = np.transpose(values)
        for metric, of_targets in zip(("AUC", "TPR@1%"), columns, strict=True):
            mean, low, high = mean_interval(of_targets, 0.95)
            row |= {metric: mean, f"{metric} interval": f"{low:.3f}-{high:.3f}"}
        yield row


def main():
    parser = command_line(__doc__, "regression", n_records=4000)
    parser.add_argument("--tables", nargs="+", default=list(VALUES), choices=VALUES)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--attacks", nargs="+", help="all by default")
    parser.add_argument("--targets", type=int, default=5)
    parser.add_argument("--shadows", type=int, default=8)
    parser.add_argument("--coding", default="one-hot", choices=["one-hot", "ordinal"])
    parser.add_argument("--outside", action="store_true", help="of the pool")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for table in options.tables:
        for model in options.models:
            given = (
                options.records,
                options.targets,
                options.coding,
                options.outside,
                options.shadows,
                options.attacks,
            )
            rows += bench(table, model, *given)
            print(f"{table}, {model}: done", flush=True)
    about = {
        name: getattr(options, name)
        for name in ("targets", "records", "coding", "outside", "shadows")
    }
    write_results(options.name, rows, **about)


if __name__ == "__main__":
    main()
