"""What a released model gives away by its structure."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC, NuSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import check_array
from sklearn.utils.validation import _num_samples, check_consistent_length

from sklearn_mia._views import TableViewMixin
from sklearn_mia.equations._parts import draws_of
from sklearn_mia.identity import record_ids
from sklearn_mia.models import open_model
from sklearn_mia.records import as_labels
from sklearn_mia.response import check_classifier, encode_labels
from sklearn_mia.risk._leave_one_out import _two_columns
from sklearn_mia.tables import as_array, check_container, own_copy


@dataclass(frozen=True)
class StructuralFinding(TableViewMixin):
    """One thing that a released model gives away.

    Attributes
    ----------
    name : {"stored_records", "k_anonymity", "class_disclosure", "stored_seeds", \
            "residual_degrees_of_freedom"}

    value : int
        The number behind it.

    is_risk : bool
        Whether the value is beyond the limit.

    text : str
        The finding in a sentence.
    """

    name: str
    value: int
    is_risk: bool
    text: str


@dataclass(frozen=True, repr=False)
class StructuralRisk(TableViewMixin):
    """What a released model gives away by its structure.

    Attributes
    ----------
    model_name : str
        Class of the model.

    n_records : int
        Training records.

    findings : tuple of StructuralFinding
        What was looked at, risk or not.

    n_stored : int or None
        Training records found whole in the model; None for a model that stores none.

    group_sizes : ndarray of shape (n_records,) or None
        For each record, how many training records share all its leaves, itself
        included; None for a model without leaves.

    n_parameters : int or None
        Numbers that were fitted; None for a model that stores records instead.
    """

    model_name: str
    n_records: int
    findings: tuple
    n_stored: int | None = None
    group_sizes: np.ndarray | None = None
    n_parameters: int | None = None

    def __getitem__(self, name):
        """Return the finding of that name."""
        for finding in self.findings:
            if finding.name == name:
                return finding
        raise KeyError(
            f"{name!r} is not among "
            f"{[f.name for f in self.findings]} of {self.model_name}"
        )

    def __str__(self):
        """Return the findings, one a line, risks marked."""
        marks = ("    ", "risk")
        lines = [f"{marks[f.is_risk]}  {f.text}" for f in self.findings]
        return "\n".join([f"{self.model_name}, {self.n_records} records", *lines])

    __repr__ = __str__

    def _shown(self):
        rows = [("risk" if f.is_risk else "no risk", f.text) for f in self.findings]
        return [("model", self.model_name), ("records", self.n_records), *rows]


def structural_risk(model, X, y, *, min_group=10):
    """What a released model gives away by its structure.

    - `stored_records`: records that are found whole in the model, as in
      nearest-neighbour models and among support vectors.
    - `k_anonymity`: the size of the smallest group of records that share all leaves of
      all trees. A record alone in its group is described by the trees themselves.
    - `class_disclosure`: records whose group holds a single class. Who knows the
      features of such a record reads its label from the trees.
    - `stored_seeds`: trees whose draws of training records follow from seeds in the
      file. Fitted forests and bagging hold them with ``random_state=None`` too, and
      gradient boosting with `subsample` if its seed is an integer. Who has the training
      records in their order, but for the one in question, replays how often each tree
      drew it, and the draws hide it no more. :func:`~sklearn_mia.strip_counts` removes
      them.
    - `residual_degrees_of_freedom`: records minus fitted parameters. With none left the
      parameters can hold the data.

    Parameters
    ----------
    model : classifier
        A fitted tree, forest, bagging or boosting of trees of scikit-learn, XGBoost or
        LightGBM, a nearest-neighbour or support-vector model, a linear model or a
        multi-layer perceptron, alone or as the last step of a pipeline.

    X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)
        The training data.

    y : array-like of shape (n_records,)
        Their labels.

    min_group : int, default=10
        Fewest records that a group may have, and fewest residual degrees of freedom.

    Returns
    -------
    risk : StructuralRisk
        Findings and the numbers behind them.

    Raises
    ------
    TypeError
        For another model.

    See Also
    --------
    leave_one_out_risk : The risk of each record.

    Notes
    -----
    Seeds tell how often each position of the training table was drawn, not whose record
    it was: :class:`~sklearn_mia.LinearReconstructionAttack`, which knows no order, does
    not use them, and no verdict counts them.

    A split counts as two parameters, a leaf as one a class but one (one in boosting).

    The structure is that of the model inside any wrapper: a calibrated model with a
    single inner one, or a defence that changes answers alone, as
    :class:`~sklearn_mia.CoarsenedClassifier` does, holds the same model and releases
    as much.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_mia import structural_risk
    >>> X, y = load_iris(return_X_y=True)
    >>> tree = DecisionTreeClassifier(max_leaf_nodes=3, random_state=0).fit(X, y)
    >>> print(structural_risk(tree, X, y))
    DecisionTreeClassifier, 150 records
          the smallest group of records with the same leaves has 46
    risk  50 records are in groups of a single class
          150 records leave 140 degrees of freedom beside 10 parameters
    """
    classes = check_classifier(model, "structural_risk")
    check_container(X)
    codes = encode_labels(as_labels(y), classes)
    check_consistent_length(X, codes)
    opened = open_model(model, own_copy(X))
    inner, X = opened.classifier, opened.features
    name, n = type(inner).__name__, len(codes)
    stored = _stored(inner)
    if stored is not None:
        found = np.isin(record_ids(_plain(X)), record_ids(_plain(stored)))
        n_stored = int(found.sum())
        finding = StructuralFinding(
            "stored_records",
            n_stored,
            n_stored > 0,
            f"{n_stored} of {n} records are stored whole in the model",
        )
        return StructuralRisk(name, n, (finding,), n_stored=n_stored)
    leaves, n_parameters = _leaves(inner, X)
    findings, sizes = [], None
    if leaves is not None:
        _, group, counts = np.unique(
            record_ids(leaves), return_inverse=True, return_counts=True
        )
        sizes = counts[group]
        findings += _group_findings(group, sizes, codes, min_group)
        findings += _seed_findings(inner)
    elif n_parameters is None:
        raise TypeError(
            f"structural_risk got a {name}; it knows trees and ensembles of trees of "
            "scikit-learn, XGBoost and LightGBM, nearest neighbours, support vectors, "
            "linear models (coef_) and MLPClassifier."
        )
    residual = n - n_parameters
    findings.append(
        StructuralFinding(
            "residual_degrees_of_freedom",
            residual,
            residual < min_group,
            f"{n} records leave {residual if residual > 0 else 'no'} degrees of "
            f"freedom beside {n_parameters} parameters",
        )
    )
    return StructuralRisk(
        name, n, tuple(findings), group_sizes=sizes, n_parameters=n_parameters
    )


def _group_findings(group, sizes, codes, min_group):
    smallest = int(sizes.min())
    alone = int(np.sum(sizes == 1))
    text = f"the smallest group of records with the same leaves has {smallest}"
    if alone:
        text = f"{alone} of {len(sizes)} records share all their leaves with no other"
    yield StructuralFinding("k_anonymity", smallest, smallest < min_group, text)
    n_groups = group.max() + 1
    lowest, highest = np.full(n_groups, codes.max()), np.zeros(n_groups, dtype=int)
    np.minimum.at(lowest, group, codes)
    np.maximum.at(highest, group, codes)
    disclosed = int(np.sum((lowest == highest)[group]))
    yield StructuralFinding(
        "class_disclosure",
        disclosed,
        disclosed > 0,
        f"{disclosed} records are in groups of a single class",
    )


def _seed_findings(model):
    seeds = []
    if isinstance(model, (RandomForestClassifier, ExtraTreesClassifier)):
        seeds = [tree.random_state for tree in model.estimators_]
    elif isinstance(model, BaggingClassifier):
        # Private, but for the samples that a public attribute makes of them.
        seeds = getattr(model, "_seeds", None)
        seeds = [] if seeds is None else list(seeds)
    elif isinstance(model, GradientBoostingClassifier) and model.subsample < 1:
        seeds = [model.random_state] * model.estimators_.size
    if not isinstance(model, GradientBoostingClassifier):
        drawn = draws_of(model) if seeds else None
        seeds = seeds if drawn is not None and drawn[1] > 0 else []
    n_told = sum(isinstance(seed, Integral) for seed in seeds)
    if n_told:
        yield StructuralFinding(
            "stored_seeds",
            n_told,
            True,
            f"seeds in the file tell which training records, by their order, {n_told} "
            "trees drew (strip_counts removes them)",
        )


def _plain(X):
    """Features as numbers without names, as a model stores them."""
    if sp.issparse(X):
        return X.tocsr().astype(np.float64)
    return check_array(X, dtype=np.float64, ensure_all_finite=False)


def _stored(model):
    if isinstance(model, KNeighborsClassifier):
        return model._fit_X
    if isinstance(model, (SVC, NuSVC)) and model.kernel != "precomputed":
        return model.support_vectors_
    return None


def _leaves(model, X):
    """Leaf of each record in each tree, None without trees, and fitted parameters."""
    n_classes = len(model.classes_)
    if isinstance(model, DecisionTreeClassifier):
        return model.apply(X)[:, None], _tree_parameters(model, n_classes - 1)
    if isinstance(model, (RandomForestClassifier, ExtraTreesClassifier)):
        trees = model.estimators_
        return model.apply(X), sum(_tree_parameters(t, n_classes - 1) for t in trees)
    if isinstance(model, GradientBoostingClassifier):
        leaves = model.apply(X).reshape(_num_samples(X), -1)
        return leaves, sum(_tree_parameters(t, 1) for t in model.estimators_.ravel())
    if isinstance(model, HistGradientBoostingClassifier):
        # Records that share all leaves, and no others, share the sums at all stages.
        stages = [_two_columns(d) for d in model.staged_decision_function(X)]
        n_leaves = [t.get_n_leaf_nodes() for trees in model._predictors for t in trees]
        return np.hstack(stages), sum(3 * leaves - 2 for leaves in n_leaves)
    if isinstance(model, (AdaBoostClassifier, BaggingClassifier)):
        if not isinstance(model.estimators_[0], DecisionTreeClassifier):
            return None, None
        table = as_array(X)
        columns = getattr(model, "estimators_features_", None)
        leaves = [
            tree.apply(table if columns is None else table[:, columns[t]])
            for t, tree in enumerate(model.estimators_)
        ]
        return np.column_stack(leaves), sum(
            _tree_parameters(t, n_classes - 1) for t in model.estimators_
        )
    if hasattr(model, "get_booster"):
        dumps = model.get_booster().get_dump()
        n_leaves = [dump.count("leaf=") for dump in dumps]
        leaves = np.asarray(model.apply(X)).reshape(_num_samples(X), -1)
        return leaves, sum(3 * leaves - 2 for leaves in n_leaves)
    if hasattr(model, "booster_"):
        trees = model.booster_.dump_model()["tree_info"]
        leaves = np.asarray(model.predict(X, pred_leaf=True))
        return leaves, sum(3 * tree["num_leaves"] - 2 for tree in trees)
    if isinstance(model, MLPClassifier):
        arrays = [*model.coefs_, *model.intercepts_]
        return None, sum(a.size for a in arrays)
    if hasattr(model, "coef_") and hasattr(model, "intercept_"):
        return None, int(np.size(model.coef_) + np.size(model.intercept_))
    return None, None


def _tree_parameters(tree, values_per_leaf):
    n_leaves = tree.get_n_leaves()
    return int(2 * (n_leaves - 1) + values_per_leaf * n_leaves)
