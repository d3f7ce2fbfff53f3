"""LinkedIn's own per-entity trainer, as a peer: its solver alone, without its queues and pipeline.

Its package has the name of ours, so it is loaded from a folder of its own::

    pip install --no-deps --target linkedin gdmix-trainer==0.3.0
    python benchmarks/random_effects.py --linkedin linkedin

What it needs (SciPy, scikit-learn) is there; the rest of the package asks for TensorFlow 1.15,
which no current Python has.
"""

import importlib.util
from pathlib import Path

import scipy.sparse as sp

_SOLVER = Path("gdmix", "models", "custom", "binary_logistic_regression.py")


def load_trainer(folder):
    """Return LinkedIn's `BinaryLogisticRegressionTrainer` class."""
    spec = importlib.util.spec_from_file_location("linkedin_solver", Path(folder) / _SOLVER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.BinaryLogisticRegressionTrainer


def linkedin_loop(folder, problems, l2=1.0):
    """Return a function that fits every ``(design, label)`` and returns the total objective.

    Designs begin with an intercept column, which LinkedIn's trainer adds by itself.
    """
    trainer = load_trainer(folder)
    sparse = [(sp.csr_matrix(x[:, 1:]), y) for x, y in problems]

    def solve():
        total = 0.0
        for x, y in sparse:
            model = trainer(lambda_l2=l2, precision=10, max_iter=200, regularize_bias=True)
            # it divides the objective by the number of samples
            total += model.fit(x, y)[1] * len(y)
        return total

    return solve
