import pytest

from gdmix.glm import groups
from gdmix.glm.status import Status


@pytest.mark.parametrize("status", Status)
def test_every_status_says_what_happened(status):
    assert status.message
    assert status.ok == (status is Status.CONVERGED)


@pytest.mark.parametrize("status", Status)
def test_compiled_code_uses_the_same_numbers(status):
    assert getattr(groups, f"_{status.name}") == status
