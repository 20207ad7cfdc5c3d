"""Models that are linear in their features: their file follows from their answers."""

import copy

import numpy as np
from sklearn.linear_model import LogisticRegression

from sklearn_mia.models import model_name, open_model
from sklearn_mia.tables import as_array, as_dense

# Below e to this, probabilities are clipped or rounded.
_SMALLEST_LOG_PROBA = -25.0


def model_from_answers(model, features, log_proba):
    r"""The model that gives the answers, from the answers alone.

    The log-odds of a logistic regression are linear in the features that it gets, so
    that least squares over the answers to the pool give its coefficients:

    .. math:: \log p_k - \overline{\log p} = x^\top \beta_k + \beta_{k0}

    Known beside the answers are the settings of the model and the steps before it.

    Parameters
    ----------
    model : fitted classifier
        A logistic regression, in wrappers that answer as it. Its coefficients are not
        looked at.

    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)
        Of the pool, as the model gets them.

    log_proba : ndarray of shape (n_records, n_classes)
        Its answers.

    Returns
    -------
    found : LogisticRegression
        With the coefficients found.

    Raises
    ------
    ValueError
        If the model is of another class, or the pool is smaller than the number of
        coefficients.
    """
    opened = open_model(model, features, same_answers=True)
    classifier = opened.classifier
    two = log_proba.ndim == 2 and log_proba.shape[1] == 2
    if type(classifier) is not LogisticRegression or (
        not two and getattr(classifier, "multi_class", "auto") == "ovr"
    ):
        raise ValueError(
            f"equations='outputs' got the target {model_name(model)}; its file follows "
            "from its answers for a LogisticRegression alone. Use equations='file'."
        )
    X = as_dense(as_array(opened.features)).astype(np.float64)
    if classifier.fit_intercept:
        X = np.column_stack([X, np.ones(len(X))])
    usable = log_proba.min(axis=1) > _SMALLEST_LOG_PROBA
    if usable.sum() < X.shape[1]:
        raise ValueError(
            f"equations='outputs' needs the answers to at least {X.shape[1]} records "
            f"that are not certain, and the pool has {usable.sum()}. Use a larger pool."
        )
    if two:
        scores = log_proba[:, [1]] - log_proba[:, [0]]
    else:
        scores = log_proba - log_proba.mean(axis=1, keepdims=True)
    coef = np.linalg.lstsq(X[usable], scores[usable], rcond=None)[0].T
    found = copy.copy(classifier)
    found.intercept_ = np.zeros(len(coef))
    if classifier.fit_intercept:
        found.intercept_, coef = coef[:, -1], coef[:, :-1]
    found.coef_ = coef
    # Whether it converged is not among the answers.
    found.n_iter_ = np.zeros(1, dtype=int)
    return found
