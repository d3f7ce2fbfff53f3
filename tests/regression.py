"""A regression in dense NumPy, as the minimizers see it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize as scipy_minimize
from scipy.sparse import issparse
from scipy.special import expit

from gdmix.glm.objective import Objective
from gdmix.glm.penalties import Penalty


def ridge(size, l2, intercept_l2=0.0, intercept=1):
    """Return a ridge: one weight for the features, one for the intercept."""
    precision = np.full(size, float(l2))
    precision[:intercept] = intercept_l2
    return Penalty.ridge(precision)


@dataclass
class Regression:
    """Weighted losses over the rows of a dense (or SciPy sparse) matrix; counts its passes."""

    x: Any
    y: np.ndarray
    weight: np.ndarray
    squared: bool = False
    passes: int = 0

    def value_and_gradient(self, b):
        self.passes += 1
        s = self.x @ b
        if self.squared:
            return 0.5 * self.weight @ (s - self.y) ** 2, self.x.T @ (self.weight * (s - self.y))
        value = self.weight @ np.logaddexp(0.0, np.where(self.y > 0.5, -s, s))
        slope = np.where(self.y > 0.5, -expit(-s), expit(s))
        return float(value), self.x.T @ (self.weight * slope)

    def curvature(self, b):
        s = self.x @ b
        curve = np.ones_like(s) if self.squared else expit(s) * expit(-s)
        return _Curvature(self, self.weight * curve)


@dataclass
class _Curvature:
    rows: Regression
    curve: np.ndarray

    def multiply(self, vector):
        self.rows.passes += 1
        return self.rows.x.T @ (self.curve * (self.rows.x @ vector))

    def diagonal(self):
        return np.asarray(_squares(self.rows.x).T @ self.curve)

    def dense(self):
        self.rows.passes += 1
        weighted = (
            self.rows.x.T.multiply(self.curve)
            if issparse(self.rows.x)
            else (self.rows.x.T * self.curve)
        )
        product = weighted @ self.rows.x
        return product.toarray() if issparse(product) else product


def best(objective, size):
    """Return the least value that SciPy's trust-region Newton method and a polish find."""

    def hessian(b):
        curvature = objective.curvature(b)
        return np.stack([curvature.multiply(row) for row in np.eye(size)])

    # in the scale of the first Hessian, where SciPy's methods do well
    scale = np.sqrt(np.maximum(objective.curvature(np.zeros(size)).diagonal(), 1e-300))
    found = scipy_minimize(
        lambda z: objective.value_and_gradient(z / scale)[0],
        np.zeros(size),
        jac=lambda z: objective.value_and_gradient(z / scale)[1] / scale,
        hess=lambda z: hessian(z / scale) / np.outer(scale, scale),
        method="trust-exact",
        # the objective is above its least by about the square of the gradient
        options={"gtol": 1e-8, "maxiter": 200},
    )
    return float(found.fun)


def logistic(seed, rows=200, columns=8, l2=1.0, intercept_l2=0.0, scale=1.0):
    """Return an objective with an intercept, and its size."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns))
    beta = rng.normal(size=columns)
    y = (rng.random(rows) < expit(x @ beta + 0.5)).astype(float)
    x = np.hstack([np.ones((rows, 1)), x * scale])
    weight = rng.uniform(0.5, 2.0, rows)
    return Objective(Regression(x, y, weight), ridge(columns + 1, l2, intercept_l2)), columns + 1


def ridge_solution(rows, penalty):
    """Return the closed form of a squared loss's optimum."""
    weights = np.diag(penalty.precision)
    gram = (rows.x.T * rows.weight) @ rows.x + weights
    return np.linalg.solve(gram, rows.x.T @ (rows.weight * rows.y))


def _squares(matrix):
    return matrix.power(2) if issparse(matrix) else matrix * matrix
