"""Shared fixtures: where the real data sets are."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# compiled kernels take long on their first call; CI tries the same examples every time, a
# developer's machine tries others
settings.register_profile("gdmix", deadline=None, max_examples=60)
settings.register_profile("ci", settings.get_profile("gdmix"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "gdmix")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Return a function from a data set's folder name to its path; skips when it is absent."""
    root = Path(os.environ.get("GDMIX_TEST_DATA") or ROOT.parent / "shared" / "data")

    def folder(name: str) -> Path:
        if not (root / name).is_dir():
            pytest.skip(
                f"the data set {name} is not here: set GDMIX_TEST_DATA to its parent folder"
            )
        return root / name

    return folder
