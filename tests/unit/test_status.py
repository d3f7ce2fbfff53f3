import importlib
import pkgutil

import pytest

from gdmix import glm
from gdmix.glm.status import Status

MODULES = [
    importlib.import_module(f"gdmix.glm.{module.name}")
    for module in pkgutil.iter_modules(glm.__path__)
]


@pytest.mark.parametrize("status", Status)
def test_every_status_says_what_happened(status):
    assert status.message
    assert status.ok == (status in (Status.CONVERGED, Status.TRAINED))


# networks are no kernels' business
SOLVED = [status for status in Status if status is not Status.TRAINED]


@pytest.mark.parametrize("status", SOLVED)
def test_compiled_code_uses_the_same_numbers(status):
    """Kernels cannot read an enumeration: they name its numbers again."""
    name = f"_{status.name}"
    values = {module.__name__: getattr(module, name) for module in MODULES if hasattr(module, name)}
    assert {"gdmix.glm.single", "gdmix.glm.constrained"} <= set(values)
    assert set(values.values()) == {int(status)}


def test_no_kernel_ends_as_a_network():
    assert not [module for module in MODULES if hasattr(module, "_TRAINED")]


def test_what_a_lane_is_besides_is_no_status():
    from gdmix.glm.lane_work import CLOSED, OPEN, PENDING

    assert not {int(mark) for mark in (CLOSED, OPEN, PENDING)} & set(map(int, Status))
