"""``gdmix summarize``, over several files and batches."""

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

from gdmix.data import source
from tests.made_up import table


def test_summarize_as_pandas_has_it(run, config, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "_BATCH_ROWS", 64)
    path, data = config(), tmp_path / "train.parquet"
    out = tmp_path / "stats.parquet"
    status, shown, err = run("summarize", data, "-f", "age", "-f", "city", "-o", out)
    assert (status, err) == (0, "")
    assert "city=Łódź" in shown
    found = pq.read_table(out).to_pandas().set_index(["name", "term"])
    frame = table().to_pandas()
    expected = pd.concat([frame[["age"]], pd.get_dummies(frame["city"], dtype=float)], axis=1)
    keys = [("age", "")] + [("city", city) for city in expected.columns[1:]]
    assert found["mean"][keys].to_numpy() == pytest.approx(expected.mean().to_numpy())
    assert found["variance"][keys].to_numpy() == pytest.approx(expected.var().to_numpy())
    assert found["nonzeros"][keys].tolist() == (expected != 0).sum().tolist()
    assert run("summarize", data, "-o", out)[0] == 2
    assert run("summarize", data, "-o", out, "--overwrite", "--quiet")[:2] == (0, "")

    shards = json.loads(run("summarize", data, "--config", path, "--json", "--top", 2)[1])
    assert list(shards) == ["global", "per-user", "per-item"]
    assert shards["global"]["rows"] == 600
    assert [row["name"] for row in shards["global"]["largest"]] == ["age", "city"]


def test_wrong_requests_are_refused(run, config, tmp_path):
    path, data = config(), tmp_path / "train.parquet"
    status, _, err = run("summarize", data, "-f", "aeg")
    assert (status, "did you mean 'age'?" in err) == (2, True)
    status, _, err = run("summarize", data, "-f", "age", "--config", path)
    assert (status, "give one of the two" in err) == (2, True)
