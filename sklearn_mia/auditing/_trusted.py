"""Types that a .skops file may hold beyond those that skops trusts itself.

A file names its types, and can have each of them called with arguments of its own, or
made and given a state. So a name stands here only if no call and no state of it
imports, looks up by name, compiles, opens or starts anything: it computes, or holds
what it is given. Every name is written out: a pattern admits what it was not made for.

Left out for this reason: frozen distributions of ``scipy.stats``, which execute a text
that is part of their state; caches of joblib, which read pickles; ``operator``;
functions that take functions, or read and write files; estimators of other packages,
which have their own ways to load a text or a library. Names differ between versions of
scikit-learn and SciPy; one that is not there does no harm.
"""

# What holds, the module, its names.
_GROUPS = (
    (
        "Values and containers, and kinds of number, as column selectors name them",
        {
            "builtins": "object range",
            "collections": "OrderedDict",
            "numpy": "dtype floating integer number",
            "sklearn.utils._bunch": "Bunch",
            "sklearn.compose._column_transformer": "_RemainderColsList",
        },
    ),
    (
        "Functions of numbers, as pooling and FunctionTransformer take them; skops "
        "trusts universal functions itself",
        {
            "numpy": "asarray clip mean median nan_to_num round",
            "scipy._external.array_api_compat.numpy._aliases": "asarray",
            "scipy._lib.array_api_compat.numpy._aliases": "asarray",
            "sklearn.utils.validation": "check_array",
        },
    ),
    (
        "A function with some of its arguments: the function is named beside it",
        {"functools": "partial"},
    ),
    (
        "Nodes of trees, search trees and splines, which compiled code follows without "
        "looking: they are checked or built anew once they are loaded",
        {
            "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
            "sklearn.metrics._dist_metrics": (
                "BrayCurtisDistance64 CanberraDistance64 ChebyshevDistance64 "
                "DiceDistance64 EuclideanDistance64 HammingDistance64 "
                "HaversineDistance64 JaccardDistance64 MahalanobisDistance64 "
                "ManhattanDistance64 MinkowskiDistance64 RogersTanimotoDistance64 "
                "RussellRaoDistance64 SEuclideanDistance64 SokalMichenerDistance64 "
                "SokalSneathDistance64"
            ),
            "sklearn.neighbors._ball_tree": "BallTree",
            "sklearn.neighbors._kd_tree": "KDTree",
            "sklearn.tree._tree": "Tree",
            "scipy.interpolate._bsplines": "BSpline",
        },
    ),
    (
        "Losses of boosting and linear models, which skops trusts in newer versions",
        {
            "sklearn._loss.link": (
                "HalfLogitLink IdentityLink Interval LogLink LogitLink MultinomialLogit"
            ),
            "sklearn._loss.loss": (
                "AbsoluteError ExponentialLoss HalfBinomialLoss HalfGammaLoss "
                "HalfMultinomialLoss HalfPoissonLoss HalfSquaredError HalfTweedieLoss "
                "HalfTweedieLossIdentity HuberLoss PinballLoss"
            ),
            "sklearn.ensemble._hist_gradient_boosting.binning": "_BinMapper",
        },
    ),
    (
        "Parts that fitted estimators are made of: arrays, and other parts",
        {
            "sklearn.calibration": (
                "_CalibratedClassifier _SigmoidCalibration _TemperatureScaling"
            ),
            "sklearn.gaussian_process._gpc": "_BinaryGaussianProcessClassifierLaplace",
            "sklearn.gaussian_process.kernels": (
                "CompoundKernel ConstantKernel DotProduct ExpSineSquared "
                "Exponentiation Matern PairwiseKernel Product RBF RationalQuadratic "
                "Sum WhiteKernel"
            ),
            "sklearn.impute._iterative": "IterativeImputer _ImputerTriplet",
            "sklearn.multiclass": "_ConstantPredictor",
            "sklearn.neural_network._stochastic_optimizers": (
                "AdamOptimizer SGDOptimizer"
            ),
            "sklearn.utils._metadata_requests": "MetadataRequest MethodMetadataRequest",
        },
    ),
    (
        "How columns are chosen: by a pattern or a kind of number, or by a score",
        {
            "sklearn.compose._column_transformer": "make_column_selector",
            "sklearn.feature_selection._mutual_info": (
                "mutual_info_classif mutual_info_regression"
            ),
            "sklearn.feature_selection._univariate_selection": (
                "chi2 f_classif f_regression r_regression"
            ),
        },
    ),
    (
        "Searches and thresholds: splitters, and scorers with the metrics they compute",
        {
            "sklearn.metrics._classification": (
                "accuracy_score balanced_accuracy_score brier_score_loss "
                "class_likelihood_ratios cohen_kappa_score d2_brier_score "
                "d2_log_loss_score f1_score fbeta_score hamming_loss hinge_loss "
                "jaccard_score log_loss matthews_corrcoef precision_score "
                "recall_score zero_one_loss"
            ),
            "sklearn.metrics._ranking": (
                "average_precision_score ndcg_score roc_auc_score top_k_accuracy_score"
            ),
            "sklearn.metrics._regression": (
                "explained_variance_score max_error mean_absolute_error "
                "mean_squared_error median_absolute_error r2_score "
                "root_mean_squared_error"
            ),
            "sklearn.metrics._scorer": (
                "_CurveScorer _PassthroughScorer _Scorer negative_likelihood_ratio "
                "positive_likelihood_ratio"
            ),
            "sklearn.model_selection._search_successive_halving": (
                "HalvingGridSearchCV HalvingRandomSearchCV"
            ),
            "sklearn.model_selection._split": (
                "GroupKFold GroupShuffleSplit KFold LeaveOneGroupOut LeaveOneOut "
                "LeavePGroupsOut LeavePOut PredefinedSplit RepeatedKFold "
                "RepeatedStratifiedKFold ShuffleSplit StratifiedGroupKFold "
                "StratifiedKFold StratifiedShuffleSplit TimeSeriesSplit "
                "_CVIterableWrapper"
            ),
        },
    ),
    (
        "What this package wraps around models, or chooses them by",
        {
            "sklearn_mia.attacks._threshold": "ThresholdAttack",
            "sklearn_mia.model_selection._auditable": "AuditableClassifier",
            "sklearn_mia.model_selection._defences": "CoarsenedClassifier",
            "sklearn_mia.model_selection._refit": (
                "LeastLeakageWithin MostAccurateWithin"
            ),
            "sklearn_mia.model_selection._validation": "_LeakageScorer",
        },
    ),
)

TRUSTED = frozenset(
    f"{module}.{name}"
    for _, modules in _GROUPS
    for module, names in modules.items()
    for name in names.split()
)

# What no model needs, and a file was made to run; the first are whole modules.
_HOSTILE = {
    "": (
        "asyncio codeop ctypes importlib marshal multiprocessing nt os pickle posix "
        "pty runpy shutil socket subprocess sys webbrowser"
    ),
    "builtins": (
        "__import__ breakpoint compile delattr eval exec exit getattr globals input "
        "locals open setattr vars"
    ),
}


def is_hostile(name):
    """Tell whether a type is one that no model needs.

    Parameters
    ----------
    name : str
        Module and name, as skops reports it.

    Returns
    -------
    hostile : bool
    """
    module, _, rest = name.partition(".")
    if module in _HOSTILE:
        return rest in _HOSTILE[module].split()
    return module in _HOSTILE[""].split()
