import os
import subprocess
import sys
import textwrap

import numpy as np

from gdmix import jit

PACKAGE = jit._PACKAGE


def _run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()


_ONE_KERNEL = """
    import numpy as np
    from gdmix.jit import cache_directory, is_compiled
    print(is_compiled())
    from gdmix.glm.steps import norm
    from gdmix.glm.alignment import copy_matching as kernel
    i, f = np.zeros(1, np.int64), np.zeros(0)
    kernel(np.zeros(0, np.int32), i, np.zeros(0, np.int32), i, np.zeros(0, np.int32), f, 1, f)
    print(is_compiled(), sum(kernel.stats.cache_hits.values()))
"""


def test_a_second_process_finds_the_compiled_kernels(tmp_path):
    assert _run(_ONE_KERNEL, GDMIX_CACHE=str(tmp_path)) == ["False", "True", "0"]
    assert _run(_ONE_KERNEL, GDMIX_CACHE=str(tmp_path)) == ["True", "True", "1"]


def test_without_a_place_to_write_kernels_still_run(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert _run(_ONE_KERNEL, GDMIX_CACHE=str(blocked)) == ["False", "False", "0"]


def test_the_cache_folder_changes_with_every_kernel_source(tmp_path, monkeypatch):
    for path in jit.kernel_sources(PACKAGE):
        copy = tmp_path / path.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(jit, "_PACKAGE", tmp_path)
    directory = jit.cache_directory.__wrapped__
    before = directory()
    assert before == jit.cache_directory()
    (tmp_path / "other.py").write_text("no_kernel = 1\n")
    assert directory() == before
    seen = {before}
    for path in jit.kernel_sources(tmp_path):
        path.write_bytes(path.read_bytes() + b"# changed\n")
        seen.add(directory())
    assert len(seen) == 1 + len(jit.kernel_sources(tmp_path))


def test_every_user_of_numba_is_a_kernel_source():
    sources = set(jit.kernel_sources(PACKAGE))
    users = {
        path
        for path in PACKAGE.rglob("*.py")
        if any(word in path.read_text() for word in ("@kernel", "@inner_kernel", "import numba"))
    }
    assert users <= sources


def test_the_configuration_of_numba_is_left_as_it_was():
    import numba

    before = numba.config.CACHE_DIR
    twice = jit.kernel(_twice)
    assert before == numba.config.CACHE_DIR
    assert twice(np.float64(2.0)) == 4.0


def _twice(x):
    return 2.0 * x
