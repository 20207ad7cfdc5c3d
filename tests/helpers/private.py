"""Linear classifiers with differential privacy, and with a part of it left out.

Neighbours differ in one record that is there or not. Both are multinomial logistic
regressions without an intercept.
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_softmax
from scipy.stats import norm
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_random_state


def clipped(X, length=1.0):
    """Rows no longer than `length`."""
    X = np.asarray(X, dtype=float)
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    return X * np.minimum(1, length / np.maximum(norms, 1e-12))


def delta_of(epsilon, mu):
    """The delta at which mu-GDP gives epsilon (Dong, Roth and Su 2022, cor. 2.13)."""
    return norm.cdf(-epsilon / mu + mu / 2) - np.exp(epsilon) * norm.cdf(
        -epsilon / mu - mu / 2
    )


def mu_of(epsilon, delta):
    """The mu of the Gaussian mechanism that is exactly (epsilon, delta)-DP."""
    return brentq(lambda mu: delta_of(epsilon, mu) - delta, 1e-3, 50)


class _Linear(ClassifierMixin, BaseEstimator):
    def _features(self, X):
        return np.asarray(X, dtype=float)

    def _log_proba(self, X):
        return log_softmax(self._features(X) @ self.coef_.T, axis=1)

    def predict_proba(self, X):
        return np.exp(self._log_proba(X))

    def predict(self, X):
        return self.classes_[self._log_proba(X).argmax(axis=1)]


class OutputPerturbation(_Linear):
    """Chaudhuri, Monteleoni and Sarwate (2011), algorithm 1, for sums of losses.

    The sum of losses plus strength / 2 |w|^2 is minimised for records of length 1. The
    gradient of one loss is at most sqrt(2) long, so that one record moves the minimum
    by at most sqrt(2) / strength, and noise of density exp(-epsilon |b| strength /
    sqrt(2)) gives (epsilon, 0)-DP.
    """

    def __init__(self, epsilon=1.0, strength=1.0, noise=True, random_state=None):
        self.epsilon = epsilon
        self.strength = strength
        self.noise = noise
        self.random_state = random_state

    def _features(self, X):
        return clipped(X)

    def fit(self, X, y):
        generator = check_random_state(self.random_state)
        model = LogisticRegression(
            C=1 / self.strength, fit_intercept=False, tol=1e-6, max_iter=1000
        ).fit(clipped(X), y)
        self.classes_, coef = model.classes_, model.coef_
        if len(coef) == 1:
            # Two rows of opposite sign have the same penalty at twice the strength.
            coef = np.vstack([-coef, coef]) / 2
        if self.noise:
            noise = generator.normal(size=coef.shape)
            scale = np.sqrt(2) / (self.strength * self.epsilon)
            length = generator.gamma(coef.size, scale)
            coef = coef + noise * (length / np.linalg.norm(noise))
        self.coef_ = coef
        return self


class NoisyGradient(_Linear):
    """A few steps of DP-SGD with the full batch (Abadi et al. 2016).

    Each step adds the gradients of all records, none longer than 1, and normal noise of
    standard deviation sigma. It is 1 / sigma-GDP, and n_steps of them together are
    sqrt(n_steps) / sigma-GDP.
    """

    def __init__(
        self,
        mu=1.0,
        n_steps=10,
        rate=0.001,
        noise=True,
        clipping=True,
        random_state=None,
    ):
        self.mu = mu
        self.n_steps = n_steps
        self.rate = rate
        self.noise = noise
        self.clipping = clipping
        self.random_state = random_state

    def fit(self, X, y):
        generator = check_random_state(self.random_state)
        X = self._features(X)
        self.classes_, codes = np.unique(y, return_inverse=True)
        own = np.eye(len(self.classes_))[codes]
        sigma = np.sqrt(self.n_steps) / self.mu
        self.coef_ = np.zeros((len(self.classes_), X.shape[1]))
        lengths = np.linalg.norm(X, axis=1)
        for _ in range(self.n_steps):
            residual = own - self.predict_proba(X)
            if self.clipping:
                norms = np.linalg.norm(residual, axis=1) * lengths
                residual *= np.minimum(1, 1 / np.maximum(norms, 1e-12))[:, None]
            step = residual.T @ X
            if self.noise:
                step += generator.normal(scale=sigma, size=step.shape)
            self.coef_ = self.coef_ + self.rate * step
        return self
