"""Running the command line, in this process and in real ones."""

import copy
import os
import subprocess
import sys

import pytest
import yaml

from gdmix.cli import main
from tests.made_up import write


@pytest.fixture
def run(monkeypatch, capsys):
    """Return a function that runs ``gdmix ...`` here and gives exit status, output and error."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["gdmix", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = stop.code or 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture
def process():
    """Return a function that starts ``gdmix ...`` as a real process."""

    def start(*arguments, **options):
        command = [sys.executable, "-c", "from gdmix.cli import main; main()", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200"}
        return subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    return start


@pytest.fixture
def config(tmp_path):
    """Write made-up data and its config; return a function that changes and writes the config."""
    values = write(tmp_path)

    def make(change=None, **options):
        changed = copy.deepcopy(values | {"report": False} | options)
        if change is not None:
            change(changed)
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(changed, sort_keys=False), encoding="utf-8")
        return path

    return make
