"""Checkpoints: what is damaged or foreign is told, and the newest whole one counts."""

import json

import numpy as np
import pyarrow as pa
import pytest
import torch

from gdmix.data.dataset import Csr
from gdmix.deep.checkpoints import STATE, read_checkpoint, write_checkpoint
from gdmix.deep.examples import Examples
from gdmix.deep.fingerprint import fingerprint_of
from gdmix.errors import RunError


def values(step):
    return {"step": step, "weights": {"a": torch.arange(5) * step}, "plain": [1.5, None, "x"]}


def test_the_last_one_comes_back(tmp_path):
    folder = tmp_path / "here"
    assert read_checkpoint(folder, "f") is None
    for step in (10, 20):
        write_checkpoint(folder, step, "f", values(step))
    assert sorted(path.name for path in folder.iterdir()) == [STATE, "step-20.pt"]
    found = read_checkpoint(folder, "f")
    assert found["step"] == 20
    assert torch.equal(found["weights"]["a"], torch.arange(5) * 20)
    assert found["plain"] == [1.5, None, "x"]


def test_one_of_another_training_is_refused(tmp_path):
    write_checkpoint(tmp_path, 10, "f", values(10))
    with pytest.raises(RunError, match="begun with other data or options"):
        read_checkpoint(tmp_path, "g")


def test_damage_is_told(tmp_path):
    write_checkpoint(tmp_path, 10, "f", values(10))
    path = tmp_path / "step-10.pt"
    body = path.read_bytes()
    for cut in (0, 1, len(body) // 2, len(body) - 1):
        path.write_bytes(body[:cut])
        with pytest.raises(RunError, match="damaged"):
            read_checkpoint(tmp_path, "f")
    for place in range(0, len(body), 97):
        path.write_bytes(body[:place] + bytes([body[place] ^ 8]) + body[place + 1 :])
        with pytest.raises(RunError, match="damaged"):
            read_checkpoint(tmp_path, "f")
    path.unlink()
    with pytest.raises(RunError, match="missing"):
        read_checkpoint(tmp_path, "f")
    state = (tmp_path / STATE).read_text()
    for text in (state[:20], "[]", "null", '{"step": 3}', json.dumps({"file": 3})):
        (tmp_path / STATE).write_text(text)
        with pytest.raises(RunError, match="damaged"):
            read_checkpoint(tmp_path, "f")


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="cannot be written"):
        write_checkpoint(tmp_path / "file", 1, "f", values(1))


def rows(**changes):
    given = {
        "label": np.array([0.0, 1.0]),
        "weight": np.ones(2),
        "offset": np.zeros(2),
        "wide": Csr(np.array([0, 1, 1]), np.array([0], np.int32), np.array([2.0]), 3),
        "dense": np.zeros((2, 1), np.float32),
        "texts": {"title": pa.array(["ab", "c"])},
    }
    return Examples(**{**given, **changes})


def test_a_fingerprint_sees_every_part():
    wide = rows().wide
    different = [
        rows(),
        rows(label=np.array([1.0, 1.0])),
        rows(wide=wide._replace(width=4)),
        rows(wide=wide._replace(values=np.array([2.5]))),
        rows(dense=np.array([[0.0], [np.nan]], np.float32)),
        rows(texts={"title": pa.array(["a", "bc"])}),
        rows(texts={"name": pa.array(["ab", "c"])}),
        rows(texts={"title": pa.array(["ab", "d"])}),
        rows(fields={"id": wide}),
        rows(group=np.zeros(2, np.int32)),
        rows(task=np.zeros(2, np.int32)),
    ]
    found = {fingerprint_of("x", part) for part in different}
    assert len(found) == len(different)
    assert fingerprint_of("y", rows()) not in found


def test_equal_rows_have_one_fingerprint():
    """A slice of a longer array is the same rows; so are an empty text and a null."""
    longer = pa.array(["zzz", "ab", None, "q"]).slice(1, 2)
    one = fingerprint_of(rows(texts={"title": longer}))
    assert one == fingerprint_of(rows(texts={"title": pa.array(["ab", ""])}))
    none = pa.array([], pa.string())
    empty = Csr(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0), 3)
    nothing = rows(
        label=np.zeros(0),
        weight=np.zeros(0),
        offset=np.zeros(0),
        wide=empty,
        dense=np.zeros((0, 1), np.float32),
        texts={"title": none},
    )
    assert fingerprint_of(nothing) != one
