"""libsvm files from the first config to scores, and conversions on the command line."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from sklearn.datasets import load_svmlight_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ndcg_score, roc_auc_score


def started(run, tmp_path, *arguments):
    """Write a first config and return its values."""
    output = tmp_path / "first.yaml"
    status, _, err = run("init", *arguments, "-o", output, "--overwrite")
    assert (status, err) == (0, "")
    return yaml.safe_load(output.read_text())


def trained(run, tmp_path, values):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(values | {"output": str(tmp_path / "run"), "report": False}))
    status, _, err = run("train", path, "--overwrite", "--quiet")
    assert (status, err) == (0, "")
    return json.loads((tmp_path / "run" / "metrics.json").read_text())["final"]


def test_a1a_as_scikit_learn_fits_it(run, shared_data, tmp_path):
    train, test = (shared_data("libsvm") / name for name in ("a1a", "a1a.t"))
    values = started(run, tmp_path, train, "--validation", test)
    assert values["task"] == "logistic"
    found = trained(run, tmp_path, values)
    x, y = load_svmlight_file(str(train), n_features=123)
    held_out, labels = load_svmlight_file(str(test), n_features=123)
    other = LogisticRegression(C=1.0, tol=1e-10, max_iter=10000).fit(x, y)
    expected = roc_auc_score(labels, other.decision_function(held_out))
    assert found["auc"] == pytest.approx(expected, abs=1e-6)

    # the same data in other formats gives the same model
    for output in ("a.avro", "a.parquet", "a.tfrecord"):
        out = tmp_path / output
        assert run("convert", train, out, "--quiet") == (0, "", "")
        assert trained(run, tmp_path, values | {"train": str(out)}) == found


def test_ranking_by_query(run, shared_data, tmp_path):
    folder = shared_data("letor") / "mq2008"
    train = [str(folder / f"S{part}.txt.gz") for part in (1, 2, 3)]
    held_out = folder / "S4.txt.gz"
    values = started(run, tmp_path, folder / "S1.txt.gz", "--validation", held_out)
    assert values["task"] == "linear"
    assert values["metrics"] == ["ndcg@10:qid", "rmse"]
    found = trained(run, tmp_path, values | {"train": train})
    scores = pq.read_table(tmp_path / "run" / "scores" / "validation").to_pandas()
    _, labels, queries = load_svmlight_file(str(held_out), query_id=True)
    assert scores["label"].tolist() == labels.tolist()
    each = [
        ndcg_score([labels[queries == query]], [scores["score"][queries == query]], k=10)
        for query in np.unique(queries)
        if labels[queries == query].any()
    ]
    assert found["ndcg@10:qid"] == pytest.approx(np.mean(each), abs=1e-12)
    assert found["ndcg@10:qid"] > 0.6


def test_summaries_of_libsvm_and_of_pairs(run, shared_data, tmp_path):
    train, out = shared_data("libsvm") / "a1a", tmp_path / "a.tfrecord"
    run("convert", train, out, "--quiet")
    found = []
    for path in (train, out):
        status, shown, _ = run("summarize", path, "-f", "features", "--json")
        assert status == 0
        found.append(json.loads(shown))
    assert found[0] == found[1]
    status, shown, _ = run("summarize", out, "--json")
    # 113 features occur, and the label is a number too
    assert json.loads(shown)["features"]["features"] == 114
    assert started(run, tmp_path, out)["coordinates"]["global"]["features"] == ["features"]


def test_what_convert_says(run, tmp_path):
    (tmp_path / "a.csv").write_text("label,x,y\n1,0.5,2\n0,,3\n")
    status, out, _ = run("convert", tmp_path / "a.csv", tmp_path / "a.libsvm")
    assert status == 0
    assert "converted 2 rows" in out
    assert "a.features.txt" in out
    assert f"gdmix init {tmp_path / 'a.libsvm'}" in out
    assert (tmp_path / "a.libsvm").read_text() == "1 0:0.5 1:2\n0 1:3\n"
    status, out, _ = run(
        "convert",
        tmp_path / "a.csv",
        tmp_path / "parts",
        "--to",
        "avro",
        "--rows-per-file",
        "1",
        "--columns",
        "y,label",
        "--json",
    )
    assert json.loads(out) == {
        "output": str(tmp_path / "parts"),
        "format": "avro",
        "rows": 2,
        "files": 2,
        "columns": ["y", "label"],
        "feature_lists": [],
    }
    status, _, err = run("convert", tmp_path / "a.csv")
    assert status == 2
    assert "give the data, then the file to write" in err
    status, _, err = run("convert", tmp_path / "a.csv", tmp_path / "b.avro", "--columns", "y,")
    assert status == 2
    assert "--columns: found 'y,'" in err


def test_a_names_list_trains_with_names(run, tmp_path):
    rows = "".join(f"{k % 2},{(k * 7) % 5},{k % 3}\n" for k in range(40))
    (tmp_path / "a.csv").write_text("label,x,y\n" + rows)
    run("convert", tmp_path / "a.csv", tmp_path / "a.libsvm", "--quiet")
    values = started(run, tmp_path, tmp_path / "a.libsvm")
    names = {"column": "features", "names": str(tmp_path / "a.features.txt")}
    values["coordinates"]["global"]["features"] = [names]
    trained(run, tmp_path, values)
    status, out, _ = run("inspect", tmp_path / "run", "--json")
    assert status == 0
    assert set(json.loads(out)["global"]) == {"(INTERCEPT)", "x", "y"}
