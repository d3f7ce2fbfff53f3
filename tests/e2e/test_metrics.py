"""Metrics asked for by name: in a run, in its files, on the command line and on real data."""

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score

import gdmix
from gdmix import FixedEffect, MixedModel, RandomEffect
from gdmix.data.dataset import Dataset, EntityColumn
from gdmix.metrics import Evaluation, parse

GROUPED = ["auc:user_id", "auc", "precision@3:item_id", "ndcg@5:user_id", "aupr:city"]


def by_group(frame, column, measure):
    """Return a metric of every group by a loop over them, None where one class is missing."""
    found = {}
    for key, group in frame.groupby(column):
        two = group.click.nunique() == 2
        found[key] = measure(group.click, group.score) if two else None
    return found


def scored(folder):
    frame = pq.read_table(folder / "valid.parquet").to_pandas()
    scores = pq.read_table(folder / "run" / "scores" / "validation").to_pandas()
    return frame.assign(score=scores.score)


def test_grouped_metrics_of_a_run(run, config, tmp_path):
    status, out, err = run("train", config(metrics=GROUPED, save_group_metrics=True))
    assert (status, err) == (0, "")
    assert "AUC per user_id" in out
    assert "precision@3 per item_id" in out
    final = json.loads((tmp_path / "run" / "metrics.json").read_text())["final"]
    assert list(final) == GROUPED
    frame = scored(tmp_path)
    expected = by_group(frame, "user_id", roc_auc_score)
    known = [value for value in expected.values() if value is not None]
    assert final["auc:user_id"] == pytest.approx(np.mean(known), abs=1e-12)
    saved = pq.read_table(tmp_path / "run" / "metrics" / "user_id.parquet")
    assert saved.column_names == ["group", "rows", "weight", "auc", "ndcg@5"]
    assert saved["rows"].to_pylist() == frame.groupby("user_id").size().tolist()
    found = dict(zip(saved["group"].to_pylist(), saved["auc"].to_pylist(), strict=True))
    assert found == pytest.approx(expected)
    assert sorted(path.name for path in (tmp_path / "run" / "metrics").iterdir()) == [
        "city.parquet",
        "item_id.parquet",
        "user_id.parquet",
    ]
    cities = pq.read_table(tmp_path / "run" / "metrics" / "city.parquet")
    found = dict(zip(cities["group"].to_pylist(), cities["aupr"].to_pylist(), strict=True))
    assert found == pytest.approx(by_group(frame, "city", average_precision_score))
    # who scores needs no group column
    bare = tmp_path / "bare.parquet"
    pq.write_table(pq.read_table(tmp_path / "valid.parquet").drop_columns(["click"]), bare)
    assert run("predict", tmp_path / "run", bare, "-o", tmp_path / "s.parquet", "-q")[0] == 0


def test_a_group_column_may_be_named_as_one_likes(run, config, tmp_path):
    pytest.importorskip("plotly", reason="the extra 'report' is not installed")
    name = "a/b [red]:<i>@2"
    path = config(metrics=f"auc:{name}", save_group_metrics=True, report=True)
    rows = pq.read_table(tmp_path / "valid.parquet")
    pq.write_table(rows.append_column(name, rows["item_id"]), tmp_path / "valid.parquet")
    status, out, err = run("train", path)
    assert (status, err) == (0, "")
    assert f"AUC per {name}" in out
    (file,) = (tmp_path / "run" / "metrics").iterdir()
    assert file.name == "a%2Fb %5Bred%5D%3A%3Ci%3E%402.parquet"
    assert pq.read_table(file).num_rows == 15
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "AUC per a/b [red]:&lt;i&gt;@2 on validation" in page
    assert name not in page
    status, out, _ = run("evaluate", tmp_path / "run", tmp_path / "valid.parquet")
    assert f"AUC per {name}" in out


def test_evaluate_by_name_and_by_group(run, config, tmp_path):
    assert run("train", config(), "--quiet")[0] == 0
    assert not (tmp_path / "run" / "metrics").exists()
    data, groups = tmp_path / "valid.parquet", tmp_path / "g.parquet"
    asked = ["-m", "auc:city", "-m", "ndcg@10:city", "-m", "mrr"]
    status, out, err = run("evaluate", tmp_path / "run", data, *asked, "--per-group", groups)
    assert (status, err) == (0, "")
    assert "over 3 of 3 groups" in out
    table = pq.read_table(groups)
    assert table.column_names == ["group", "rows", "weight", "auc", "ndcg@10"]
    status, out, _ = run("evaluate", tmp_path / "run", data, *asked, "--json")
    found = json.loads(out)
    assert list(found) == ["auc:city", "ndcg@10:city", "mrr"]
    frame = scored(tmp_path)
    expected = by_group(frame, "city", lambda y, s: ndcg_score([y], [s], k=10))
    assert found["ndcg@10:city"] == pytest.approx(np.mean(list(expected.values())))
    assert gdmix.load(tmp_path / "run" / "model").evaluate(data, "mrr") == {"mrr": found["mrr"]}
    for words, message in (
        (["--per-group", groups], "exists already; --overwrite replaces it"),
        (["--per-group", data, "--overwrite"], "is one of the input files"),
        (["--per-group", tmp_path / "g.csv"], "a file name ending in .parquet"),
        (
            ["-m", "auc:user_id", "--per-group", groups, "--overwrite"],
            "--per-group: found 'city', 'user_id'; expected metrics of one group column",
        ),
    ):
        status, _, err = run("evaluate", tmp_path / "run", data, *asked, *words)
        assert status == 2
        assert message in err
    status, _, err = run("evaluate", tmp_path / "run", data, "--per-group", tmp_path / "h.parquet")
    assert "--per-group: found none" in err
    status, _, err = run("evaluate", tmp_path / "run", data, "-m", "auc:ctiy")
    assert "metrics: column 'ctiy' not found" in err
    assert "did you mean 'city'?" in err


def count_labels(folder):
    for name in ("train", "valid"):
        path = folder / f"{name}.parquet"
        rows = pq.read_table(path)
        mean = np.exp(0.3 * rows["age"].to_numpy() + 0.1 * (rows["user_id"].to_numpy() % 5))
        counts = np.random.default_rng(0).poisson(mean)
        at = rows.schema.get_field_index("click")
        pq.write_table(rows.set_column(at, "click", pa.array(counts)), path)


@pytest.mark.parametrize(
    ("task", "metrics", "shown"),
    [
        ("poisson", ["poisson_loss", "rmse"], "Validation Poisson loss per user_id"),
        ("smoothed_hinge", ["auc", "smoothed_hinge_loss"], "Validation AUC per user_id"),
    ],
)
def test_every_task_runs_and_is_reported(task, metrics, shown, run, config, tmp_path):
    pytest.importorskip("plotly", reason="the extra 'report' is not installed")
    path = config(task=task, report=True, sweeps=2)
    if task == "poisson":
        count_labels(tmp_path)
    status, _, err = run("train", path)
    assert (status, err) == (0, "")
    final = json.loads((tmp_path / "run" / "metrics.json").read_text())["final"]
    assert list(final) == metrics
    assert all(np.isfinite(value) for value in final.values())
    frame = scored(tmp_path)
    if task == "poisson":
        mean = np.exp(frame.score)
        assert final["rmse"] == pytest.approx(np.sqrt(np.mean((frame.click - mean) ** 2)))
        expected = np.mean(mean - frame.click * frame.score)
        assert final["poisson_loss"] == pytest.approx(expected)
    else:
        assert final["auc"] == pytest.approx(roc_auc_score(frame.click, frame.score))
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert shown in page
    # a margin predicts no mean, so there is nothing to compare with labels
    assert ("Calibration on validation" in page) == (task == "poisson")


def test_ndcg_of_a_feature_on_letor(shared_data):
    """Of every query, against scikit-learn; many features are tied within a query."""
    label, query, feature = [], [], []
    with gzip.open(shared_data("letor") / "mq2008" / "S5.txt.gz", "rt") as lines:
        for line in lines:
            words = line.split()
            label.append(float(words[0]))
            query.append(words[1].partition(":")[2])
            feature.append([float(word.partition(":")[2]) for word in words[2:48]])
    label, query, feature = np.array(label), np.array(query), np.array(feature)
    ids, codes = np.unique(query, return_inverse=True)
    entities = {"qid": EntityColumn(pa.array(ids), codes.astype(np.int32))}
    zeros = np.zeros(len(label))
    rows = Dataset(len(label), label, zeros + 1.0, zeros, entities=entities)
    evaluator = parse("ndcg@10:qid", "linear")
    for column in (24, 38):
        score = feature[:, column]
        found = Evaluation([evaluator], rows, score).within(evaluator)
        assert len(found) == 156
        for position, one in enumerate(found):
            mine = codes == position
            if not label[mine].any():
                assert np.isnan(one)
            elif mine.sum() > 1:
                expected = ndcg_score([label[mine]], [score[mine]], k=10)
                assert one == pytest.approx(expected, rel=1e-12)
        assert 0.3 < evaluator.value(rows, score) < 1.0


def test_auc_of_users_on_movielens(shared_data):
    file = shared_data("ml-100k") / "u.data"
    user, item, rating, _ = np.loadtxt(file, dtype=np.int64, unpack=True)
    rows = {"user": user, "item": item, "liked": (rating >= 4).astype(float)}
    test = np.random.default_rng(0).random(len(user)) < 0.2
    train, valid = ({k: v[part] for k, v in rows.items()} for part in (~test, test))
    model = MixedModel(
        label="liked",
        coordinates={
            "global": FixedEffect(features=[]),
            "user": RandomEffect("user", l2=2.0),
            "item": RandomEffect("item", l2=2.0),
        },
        metrics=["auc:user", "ndcg@5:user"],
    ).fit(train, valid)
    scores = model.predict(valid)["score"].to_numpy()
    areas, gains = [], []
    for one in np.unique(valid["user"]):
        mine = valid["user"] == one
        label = valid["liked"][mine]
        if 0.0 < label.mean() < 1.0:
            areas.append(roc_auc_score(label, scores[mine]))
        if label.any():
            several = len(label) > 1
            gains.append(ndcg_score([label], [scores[mine]], k=5) if several else 1.0)
    found = model.evaluate(valid)
    assert found["auc:user"] == pytest.approx(np.mean(areas), abs=1e-9)
    assert found["ndcg@5:user"] == pytest.approx(np.mean(gains), abs=1e-9)
    assert found == pytest.approx(model.history_[-1]["metrics"], abs=1e-9)
