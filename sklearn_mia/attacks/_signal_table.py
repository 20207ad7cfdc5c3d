"""Records in, a table of named signals out."""

import numpy as np
from sklearn.base import (
    BaseEstimator,
    MetaEstimatorMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from sklearn_mia.base._target import TargetMixin
from sklearn_mia.response import check_target
from sklearn_mia.signals import as_signal, signal_name, signals_for


def signal_table(answer, codes, functions):
    """Compute signals, one column each.

    Parameters
    ----------
    answer : ndarray of shape (n_records, n_classes) or (n_records,)

    codes : ndarray of shape (n_records,)

    functions : iterable of callable

    Returns
    -------
    table : ndarray of shape (n_records, n_signals)
    """
    return np.column_stack([function(answer, codes) for function in functions])


def check_signals(signals, known):
    """Raise ValueError for an empty list of signals or an unknown name.

    Parameters
    ----------
    signals : iterable of str or callable, or None
        None takes all names known.

    known : SignalSet
        Of the kind of model.

    Returns
    -------
    signals : list of str or callable

    functions : list of callable
    """
    signals = list(known.known) if signals is None else list(signals)
    if not signals:
        raise ValueError(
            f"signals={signals!r} must hold at least one of {', '.join(known.known)}, "
            "or a callable."
        )
    return signals, [as_signal(signal, known) for signal in signals]


class MembershipSignals(
    TargetMixin, TransformerMixin, MetaEstimatorMixin, BaseEstimator
):
    """Turn records into signals of membership, for a classifier of your choice.

    With it every scikit-learn classifier becomes an attack:
    ``make_pipeline(MembershipSignals(model), HistGradientBoostingClassifier())`` is
    fitted on records and known membership.

    Parameters
    ----------
    target_estimator : classifier or regressor
        The fitted model under attack. Never refitted, never changed; a clone keeps it
        by identity.

    signals : sequence of str or callable, or None, default=None
        Signals by their name in :mod:`sklearn_mia.signals`, or functions
        ``signal(log_proba, labels)``; None takes all names.

    label_column : {"auto"}, int, str or None, default="auto"
        Which column of a record is the class label (of a regressor the value). "auto":
        in a frame the one column that the target was not trained on, else the last.
        None: records carry no label, a classifier's own prediction stands in.

    response_method : str, default="auto"
        How the target is asked: "predict_proba", "decision_function", "predict", or
        "auto" for the first of them that it has.

    Attributes
    ----------
    label_column_ : int, str or None
        The label column found.

    signals_ : list of str or callable
        The columns of the output.

    n_features_in_ : int
        Columns of a record.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if the records had text names.

    See Also
    --------
    SupervisedAttack : The same idea as one estimator, with a threshold.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    >>> from sklearn_mia import MembershipSignals, as_records
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LinearDiscriminantAnalysis().fit(X, y)
    >>> signals = MembershipSignals(model, signals=["confidence", "correctness"])
    >>> signals.fit_transform(as_records(X, y))[::70].round(2)
    array([[1.  , 1.  ],
           [0.25, 0.  ],
           [1.  , 1.  ]])
    """

    _parameter_constraints: dict = {
        **TargetMixin._parameter_constraints,
        "signals": ["array-like", None],
    }

    def __init__(
        self,
        target_estimator=None,
        *,
        signals=None,
        label_column="auto",
        response_method="auto",
    ):
        self.target_estimator = target_estimator
        self.signals = signals
        self.label_column = label_column
        self.response_method = response_method

    @_fit_context(
        # The target is trained already: its parameters are not ours to validate.
        prefer_skip_nested_validation=False
    )
    def fit(self, X, y=None):
        """Find the label column and the way to ask the target.

        Parameters
        ----------
        X : {array-like, sparse matrix, pandas or polars DataFrame} of shape \
                (n_records, n_columns), or Records
            Records, features and class label.

        y : object, default=None
            Not used.

        Returns
        -------
        self : estimator instance
            The fitted transformer.
        """
        known = signals_for(check_target(self.target_estimator))
        self.signals_, self._functions = check_signals(self.signals, known)
        self._fit_target(self._check_records(X, reset=True))
        return self

    def transform(self, X):
        """Compute the signals.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} or Records
            Records as in `fit`.

        Returns
        -------
        signals : ndarray of shape (n_records, n_signals)
            Each higher = more likely a member.
        """
        check_is_fitted(self)
        queries = self._ask_target(X)
        return signal_table(queries.answer, queries.codes, self._functions)

    def get_feature_names_out(self, input_features=None):
        """Get the names of the signals.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Checked against the names seen in `fit`, otherwise not used.

        Returns
        -------
        names : ndarray of shape (n_signals,), dtype object
            The columns of the output.
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        return np.asarray([signal_name(s) for s in self.signals_], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags
