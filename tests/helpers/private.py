"""Linear classifiers with differential privacy, and with a part of it left out.

Neighbours differ in one record that is there or not. Both are multinomial logistic
regressions without an intercept.
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_softmax
from scipy.stats import norm
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_random_state

from sklearn_mia.identity import mix, record_ids

# A claim of epsilon = 1 at a delta far below one over the number of records.
DELTA = 1e-6


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


MU = mu_of(1.0, DELTA)


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
        mu=MU,
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


class RandomisedResponse(ClassifierMixin, BaseEstimator):
    """Tells for any record with any label whether it was trained on, or lies.

    Each of these bits is true with the odds exp(epsilon), by a lot of its own. One
    record decides about one bit, so that this is (epsilon, 0)-DP and for no smaller
    epsilon.
    """

    def __init__(self, epsilon=1.0, random_state=None):
        self.epsilon = epsilon
        self.random_state = random_state

    def fit(self, X, y):
        seeds = check_random_state(self.random_state)
        self.seed_ = np.uint64(seeds.randint(2**31))
        self.classes_ = np.unique(y)
        self.known_ = record_ids(X, np.asarray(y))
        return self

    def predict_proba(self, X):
        bits = []
        for label in self.classes_:
            ids = record_ids(X, np.full(len(X), label))
            lot = mix(mix(ids) ^ self.seed_) / 2.0**64
            lies = lot < 1 / (1 + np.exp(self.epsilon))
            bits.append(np.isin(ids, self.known_) ^ lies)
        weights = np.where(np.column_stack(bits), 0.9, 0.1)
        return weights / weights.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


# By what is claimed: epsilon = 1 at a delta; and what breaks it.
CORRECT = {
    "output perturbation": (OutputPerturbation(), 0.0),
    "noisy gradients": (NoisyGradient(), DELTA),
}
BROKEN = {
    "output perturbation, noise left out": (OutputPerturbation(noise=False), 0.0),
    "noisy gradients, noise left out": (NoisyGradient(noise=False), DELTA),
    "noisy gradients, clipping left out": (NoisyGradient(clipping=False), DELTA),
}


def waves(n_records=500):
    """Digits as 300 waves, all of length 7: more numbers than the canaries share."""
    X, y = load_digits(return_X_y=True)
    sampler = RBFSampler(gamma=0.2, n_components=300, random_state=0)
    made = sampler.fit_transform(X[:n_records] / 16)
    return 7 * made / np.linalg.norm(made, axis=1, keepdims=True), y[:n_records]
