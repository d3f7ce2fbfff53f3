"""What is loaded when: heavy libraries only where they are used."""

import subprocess
import sys

import pytest

HEAVY = ("numba", "pyarrow", "pandas", "polars", "plotly", "jinja2", "torch", "pyspark", "scipy")


def loaded(statement):
    """Return the modules that a fresh process has loaded after a statement."""
    code = f"{statement}\nimport sys\nprint(' '.join(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return set(found.stdout.splitlines()[-1].split())


def test_importing_gdmix_loads_nothing_heavy():
    assert loaded("import gdmix").isdisjoint({*HEAVY, "numpy", "pydantic", "rich", "typer"})


def test_help_loads_nothing_heavy():
    statement = (
        "import sys; sys.argv = ['gdmix', '--help']\n"
        "from gdmix.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )
    assert loaded(statement).isdisjoint(HEAVY)


@pytest.mark.parametrize("name", ["gdmix.report", "gdmix.datasets"])
def test_faces_import_their_libraries_late(name):
    assert loaded(f"import {name}").isdisjoint({"plotly", "jinja2"})


def test_training_needs_no_extra():
    statement = "import gdmix.workflow, gdmix.estimator"
    extras = {"pandas", "polars", "plotly", "jinja2", "torch", "pyspark", "sklearn"}
    assert loaded(statement).isdisjoint(extras)
