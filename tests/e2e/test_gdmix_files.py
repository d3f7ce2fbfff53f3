"""GDMix's own file on the command line: TFRecords in its layout, its tree, and what is told."""

import json

import numpy as np
import pyarrow as pa
import pytest
import yaml

from gdmix.data.formats.tensor_metadata import Tensor, write_metadata
from gdmix.data.formats.tfrecord_writer import open_writer

BAGS = {"global": "global", "per-user": "per_user"}
SINGLE = [Tensor(name, pa.int64(), (), False) for name in ("uid", "user_id")]


def lay_out(folder):
    """Write two data sets, each with its own features of the same samples."""
    random = np.random.default_rng(4)
    for split, rows in (("trainingData", 200), ("validationData", 80)):
        truth = random.normal(size=20)
        users = random.integers(0, 20, rows)
        columns = {
            "uid": np.arange(rows),
            "user_id": users,
            "response": (truth[users] + random.normal(size=rows) > 0).astype(np.int64),
        }
        for bag in BAGS.values():
            values = random.normal(size=(rows, 2)).astype(np.float32)
            pair = {f"{bag}_indices": [[0, 2]] * rows, f"{bag}_values": values.tolist()}
            path = folder / "data" / bag / split / "part-00000.tfrecord"
            path.parent.mkdir(parents=True)
            table = pa.table(columns | pair)
            with open_writer(path, table.schema) as writer:
                for batch in table.to_batches():
                    writer.write(batch)
    for bag in BAGS.values():
        sparse = Tensor(bag, pa.float32(), (3,), True)
        place = folder / "data" / bag
        write_metadata(
            place / "metadata" / "tensor_metadata.json",
            [sparse, *SINGLE],
            [Tensor("response", pa.int64(), (), False)],
        )
        (place / "featureList").mkdir()
        (place / "featureList" / bag).write_text("height,\nwidth,cm\ndepth,\n")


@pytest.fixture
def laid_out(tmp_path, monkeypatch):
    lay_out(tmp_path)
    driver = {
        "model_type": "logistic_regression",
        "label_column_name": "response",
        "uid_column_name": "uid",
        "weight_column_name": "weight",
    }
    places = {
        name: {
            "training_data_dir": f"data/{bag}/trainingData",
            "validation_data_dir": f"data/{bag}/validationData",
            "metadata_file": f"data/{bag}/metadata/tensor_metadata.json",
            "feature_file": f"data/{bag}/featureList/{bag}",
            "feature_bag": bag,
            "num_of_lbfgs_curvature_pairs": 10,
            "gdmix_config": driver,
        }
        for name, bag in BAGS.items()
    }
    values = {
        "output_dir": "out",
        "fixed_effect_config": {"global": places["global"]},
        "random_effect_config": {
            "per-user": {"partition_entity": "user_id", "num_of_consumers": 2} | places["per-user"]
        },
        "spark_config": {"driverMemory": "1g"},
    }
    (tmp_path / "lr.yaml").write_text(yaml.safe_dump(values))
    # its paths are relative to where the command is run
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_train_then_use_the_model(laid_out, run):
    status, out, err = run("train", "--config", "lr.yaml", "--set", "report=false")
    assert status == 0, err
    notes = [line for line in out.splitlines() if line.startswith("note:")]
    assert any("no column 'weight': every weight is 1" in line for line in notes)
    passed = [line for line in notes if "passed over" in line]
    assert len(passed) == 1
    assert "num_of_lbfgs_curvature_pairs, num_of_consumers, spark_config" in passed[0]
    summary = json.loads((laid_out / "out/per-user/metric/evalSummary.json").read_text())

    # what is printed as the next command works as it stands
    (line,) = [line.split() for line in out.splitlines() if "gdmix evaluate" in line]
    status, out, err = run(*line[1:], "--json")
    assert status == 0, err
    assert json.loads(out)["auc"] == pytest.approx(summary["auc"], abs=1e-9)

    status, out, _ = run("inspect", "out", "-c", "global", "--json")
    assert set(json.loads(out)["global"]) == {"(INTERCEPT)", "height", "depth"}


def test_the_converted_file_trains_the_same_model(laid_out, run):
    assert run("train", "lr.yaml", "--set", "report=false", "--quiet")[0] == 0
    status, out, err = run("convert-config", "lr.yaml", "-o", "ours.yaml")
    assert status == 0, err
    assert "random_effect_config.per-user.partition_entity" in out
    assert "coordinates.per-user.entity: user_id" in out
    assert "there is no Spark job" in out
    options = ("--set", "report=false", "--set", "output=again", "--quiet")
    status, _, err = run("train", "ours.yaml", *options)
    assert status == 0, err
    part = "model/per-user/coefficients/part-00000.parquet"
    assert (laid_out / "out" / part).read_bytes() == (laid_out / "again" / part).read_bytes()
    # the tree is that of GDMix's own file
    assert not (laid_out / "again" / "global").exists()


def test_convert_config_as_json_and_its_errors(laid_out, run):
    status, out, _ = run("convert-config", "lr.yaml", "-o", "ours.yaml", "--json")
    assert status == 0
    assert set(json.loads(out)) == {"config", "mapped", "ignored", "notes"}
    status, _, err = run("convert-config", "lr.yaml", "-o", "ours.yaml")
    assert (status, "exists already" in err) == (2, True)
    status, _, err = run("convert-config", "lr.yaml", "-o", "lr.yaml", "--overwrite")
    assert (status, "one of the input files" in err) == (2, True)
    status, _, err = run("convert-config", "ours.yaml", "-o", "x.yaml")
    assert (status, "is ours already" in err) == (2, True)


def test_what_is_wrong_ends_in_one_line(laid_out, run):
    assert run("train")[0] == 2
    assert run("train", "lr.yaml", "--config", "lr.yaml")[0] == 2
    status, _, err = run("train", "--config", "nowhere.yaml")
    assert (status, "no such file" in err) == (2, True)
    text = (laid_out / "lr.yaml").read_text()
    (laid_out / "wrong.yaml").write_text(text.replace("feature_bag:", "feature_bags:"))
    status, _, err = run("train", "wrong.yaml")
    assert (status, "did you mean 'feature_bag'" in err) == (2, True)
    # a sample that another data set lacks
    (laid_out / "data/per_user/trainingData/part-00000.tfrecord").rename(laid_out / "x.tfrecord")
    held_out = laid_out / "data/per_user/validationData/part-00000.tfrecord"
    (laid_out / "data/per_user/trainingData/a.tfrecord").write_bytes(held_out.read_bytes())
    status, _, err = run("train", "lr.yaml")
    assert status == 2
    assert "has no row for 80" in err
    assert not (laid_out / "out").exists()
