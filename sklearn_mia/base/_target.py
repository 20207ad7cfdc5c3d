"""What attacks and signals share: a target by identity, and records."""

from dataclasses import dataclass
from functools import partial
from numbers import Integral

import numpy as np
from sklearn.base import _clone_parametrized
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import _num_samples, validate_data

from sklearn_mia._links import DocLinkMixin
from sklearn_mia._views import TableViewMixin
from sklearn_mia.answers import asked_once
from sklearn_mia.hooks import frozen
from sklearn_mia.identity import merged_identities, record_ids
from sklearn_mia.records import Records, check_as_records, check_is_no_items
from sklearn_mia.regression import is_regressor_model
from sklearn_mia.response import (
    RESPONSE_METHODS,
    check_target,
    encode_labels,
    make_responder,
)
from sklearn_mia.schema import make_schema
from sklearn_mia.signals import residual, signals_for
from sklearn_mia.tables import check_container, is_frame


@dataclass(frozen=True, repr=False)
class Queries(TableViewMixin):
    """Records taken apart, as the formulas of an attack need them.

    Every formula gets the same ones: arrays cannot be written to, and a frame is copied
    before it is changed. A pickle of it holds the records.

    Attributes
    ----------
    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    labels : ndarray of shape (n_records,) or None
        The class label of each record, None if it carries none.

    codes : ndarray of shape (n_records,)
        Column of the class label, or of the target's own prediction; of a regressor the
        value to predict.

    ids : ndarray of shape (n_records,), dtype uint64
        Identity of each record.

    answer : ndarray of shape (n_records, n_classes) or (n_records,)
        The target's: log-probabilities, or the predictions of a regressor.

    groups : ndarray of shape (n_records,) or None, default=None
        Number of the group of each record, from 0 in the order of the keys.
    """

    features: object
    labels: np.ndarray | None
    codes: np.ndarray
    ids: np.ndarray
    answer: np.ndarray
    groups: np.ndarray | None = None

    @property
    def log_proba(self):
        """Log-probabilities of a classifier, of shape (n_records, n_classes)."""
        if self.answer.ndim == 1:
            raise TypeError(
                "The target is a regressor and gives no probabilities. Read the "
                "`prediction` or the `residual` of the queries."
            )
        return self.answer

    @property
    def prediction(self):
        """Predictions of a regressor, of shape (n_records,)."""
        if self.answer.ndim == 2:
            raise TypeError(
                "The target is a classifier. Read the `log_proba` of the queries."
            )
        return self.answer

    @property
    def residual(self):
        """Value to predict less the prediction of a regressor."""
        return residual(self.prediction, self.codes)

    @property
    def units(self):
        """Identity of what is in the training data as a whole, of each record.

        Equal records are one unit, and so are the records of a group.
        """
        if self.groups is None:
            return self.ids
        return merged_identities(self.ids, self.groups)

    @property
    def unanswered(self):
        """Whether the target left each record without an answer."""
        return np.isnan(self.answer.reshape(len(self.ids), -1)).all(axis=1)

    def __post_init__(self):
        for name, value in list(vars(self).items()):
            object.__setattr__(self, name, frozen(value))


def ask_target(target, features, classes, response_method="auto"):
    """What `make_responder` gives, asked once within `answers_remembered`."""
    by_default = classes is not None and response_method == "auto"
    if by_default and not hasattr(target, "decision_function"):
        # The same for attacks that name it, and those that do not.
        has_proba = hasattr(target, "predict_proba")
        response_method = "predict_proba" if has_proba else response_method
    how = "responder", response_method, None if classes is None else tuple(classes)
    given = target, features, classes, response_method
    return asked_once(target, how, features, partial(make_responder, *given))


class TargetMixin(DocLinkMixin):
    """What attacks and signals share: a target by identity, and records."""

    _parameter_constraints: dict = {
        # Checked by check_target, whose messages say what to do.
        "target_estimator": "no_validation",
        "label_column": [str, Integral, None],
        "response_method": [StrOptions(set(RESPONSE_METHODS))],
    }

    def _fit_target(self, X):
        """Ask the target about checked records."""
        classes = check_target(self.target_estimator)
        self._schema = make_schema(
            self.target_estimator, X, self.label_column, of_values=classes is None
        )
        self.label_column_ = self._schema.label_column
        features, labels = self._schema.split(X)
        if labels is None and classes is None:
            raise ValueError(
                "label_column=None, but the target is a regressor: its own prediction "
                "cannot stand in for the value to predict. Pass records that hold the "
                "value, as_records(X, y)."
            )
        codes = None if labels is None else encode_labels(labels, classes)
        self._responder, answer = ask_target(
            self.target_estimator, features, classes, self._way_to_ask()
        )
        # By class, not by its name: renamed labels draw the same shadows.
        ids = self._ids(features, codes)
        if codes is None:
            codes = answer.argmax(axis=1)
            n_without = int(np.isnan(answer[:, 0]).sum())
            if n_without:
                raise ValueError(
                    f"label_column={self.label_column!r}: records carry no label, and "
                    f"for {n_without} of them there is no answer of the target that "
                    "could stand in. Pass records with labels, or a larger max_queries."
                )
        return Queries(features, labels, codes, ids, answer)

    def _way_to_ask(self):
        """The response method, "auto" where the answers of the target decide."""
        return self.response_method

    @property
    def _of_values(self):
        """Whether the target is a regressor."""
        return is_regressor_model(self.target_estimator)

    @property
    def _signals(self):
        """What can be read from the answers of the target."""
        return signals_for(self._responder.classes)

    def _ids(self, features, codes, **options):
        """Identity of records, of images the same in an array and in a list."""
        shape = self._schema.item_shape
        return record_ids(features, codes, item_shape=shape, **options)

    def _split_queries(self, X):
        X = self._check_records(X, reset=False)
        features, labels = self._schema.split(X)
        codes = None
        if labels is not None:
            codes = encode_labels(labels, self._responder.classes)
        return features, labels, codes

    def _ask_target(self, X):
        features, labels, codes = self._split_queries(X)
        answer = self._responder.answer(self.target_estimator, features)
        ids = self._ids(features, codes)
        if codes is None:
            codes = answer.argmax(axis=1)
        return Queries(features, labels, codes, ids, answer)

    def _check_records(self, X, reset):
        check_container(X)
        if not reset:
            self._schema.check_kind(X)
        if isinstance(X, Records):
            return check_as_records(self, X, reset)
        if is_frame(X):
            X = validate_data(self, X, skip_check_array=True, reset=reset)
            if _num_samples(X) == 0:
                raise ValueError("X is a frame of 0 records; at least 1 is required.")
            return X
        check_is_no_items(X, self._of_values)
        return validate_data(
            self,
            X,
            reset=reset,
            dtype=None,
            # The target says what it takes in the cells of a record.
            ensure_all_finite=False,
            accept_sparse=target_tag(self.target_estimator, "sparse") and "csr",
        )

    def __sklearn_clone__(self):
        # The target is kept by identity: a clone must not drop the fit of a
        # production model. FrozenEstimator is scikit-learn's way to say so.
        shell = object.__new__(type(self))
        shell.__dict__.update(self.__dict__)
        shell.target_estimator = FrozenEstimator(self.target_estimator)
        cloned = _clone_parametrized(shell)
        cloned.target_estimator = self.target_estimator
        return cloned

    def get_params(self, deep=True):
        """Get the parameters, without those of the target.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of nested estimators other than the
            target, which an attack never changes.

        Returns
        -------
        params : dict
            Parameter names mapped to their values.
        """
        params = super().get_params(deep=deep)
        return {
            name: value
            for name, value in params.items()
            if not name.startswith("target_estimator__")
        }

    def set_params(self, **params):
        """Set the parameters; those of the target are out of reach.

        Parameters
        ----------
        **params : dict
            Parameter names mapped to their values.

        Returns
        -------
        self : estimator instance
            This estimator.

        Raises
        ------
        ValueError
            For ``target_estimator__*``, which would change the model under attack.
        """
        has_recipe = "shadow_estimator" in self._get_param_names()
        for name in params:
            if name.startswith("target_estimator__"):
                inner = name.removeprefix("target_estimator__")
                advice = (
                    f"To search the recipe of the shadows pass shadow_estimator="
                    f"clone(model) and set shadow_estimator__{inner}."
                    if has_recipe
                    else f"To attack another model pass it as target_estimator, "
                    f"trained with {inner} as you want it."
                )
                raise ValueError(
                    f"{name!r} cannot be set: the target is a trained model that an "
                    f"attack never changes. {advice}"
                )
            if (
                name.startswith("shadow_estimator__")
                and has_recipe
                and params.get("shadow_estimator", self.shadow_estimator) is None
            ):
                raise ValueError(
                    f"{name!r} cannot be set while shadow_estimator=None. Pass the "
                    "recipe first: shadow_estimator=clone(model)."
                )
        return super().set_params(**params)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        target = self.target_estimator
        tags.input_tags.sparse = target_tag(target, "sparse")
        tags.input_tags.allow_nan = target_tag(target, "allow_nan")
        return tags


def target_tag(target, name):
    """Whether a model says that it takes sparse records, or missing values."""
    try:
        return bool(getattr(get_tags(target).input_tags, name))
    except (AttributeError, TypeError, ValueError):
        # A target without tags speaks for itself when it is asked.
        return True
