"""GDMix's output tree: which files, with which columns, and what is right there that was not."""

import json

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from gdmix import load
from gdmix.compat.configs import prepare
from gdmix.errors import RunError
from gdmix.workflow import train

ROWS = 60


def table(seed, uid):
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "uid": uid,
            "y": random.integers(0, 2, ROWS),
            "w": random.choice([0.5, 1.25], ROWS),
            "user": random.integers(0, 5, ROWS),
            "x": random.normal(size=ROWS),
        }
    )


@pytest.fixture
def config(tmp_path):
    driver = {"uid_column_name": "uid", "label_column_name": "y", "weight_column_name": "w"}
    places = {}
    for seed, split in enumerate(("training", "validation")):
        folder = tmp_path / split
        folder.mkdir()
        pq.write_table(table(seed, np.arange(ROWS)), folder / "a.parquet")
        places[f"{split}_data_dir"] = str(folder)
    common = {"feature_bag": "x", "gdmix_config": driver, **places}
    return {
        "output_dir": str(tmp_path / "out"),
        "fixed_effect_config": {"global": dict(common)},
        "random_effect_config": {"per-user": {"partition_entity": "user", **common}},
    }


def run(config, tmp_path, **options):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    prepared = prepare(path, options.pop("overrides", ()))
    return train(prepared.options, beside=prepared.beside, **options).path


def records(path):
    with path.open("rb") as stream:
        reader = fastavro.reader(stream)
        return reader.writer_schema, list(reader)


def test_the_files_and_their_columns(config, tmp_path):
    out = run(config, tmp_path)
    for name, below, active in (("global", "", ""), ("per-user", "partitionId=0/", "-active")):
        held_out = out / name / "validation_scores" / f"{below}part-00000.avro"
        trained = out / name / "train_scores" / f"{below}part-00000{active}.avro"
        for path in (held_out, trained):
            schema, rows = records(path)
            kinds = {field["name"]: field["type"] for field in schema["fields"]}
            assert kinds == {
                "uid": "long",
                "predictionScore": "float",
                "y": ["null", "int"],
                "w": "float",
                "predictionScorePerCoordinate": "float",
            }
            assert [row["uid"] for row in rows] == list(range(ROWS))
        # a fractional weight is whole in GDMix's files, which loses it
        assert {row["w"] for row in rows} == {0.5, 1.25}
        summary = json.loads((out / name / "metric" / "evalSummary.json").read_text())
        assert 0.0 <= summary["auc"] <= 1.0
    # ours are beside them
    for name in ("model", "scores", "metrics.json", "config.yaml"):
        assert (out / name).exists()


def test_models_are_those_of_the_run(config, tmp_path):
    """Read as GDMix reads them, and as a model of its own."""
    config["fixed_effect_config"]["global"]["fixed_effect_variance_mode"] = "full"
    out = run(config, tmp_path)
    ours = load(out)
    # the run is ours, whatever lies beside its model
    assert ours.options_.coordinates["per-user"].entity == "user"
    _, (fixed,) = records(out / "global" / "models" / "global_model.avro")
    part = ours.model_.parts["global"]
    assert [mean["name"] for mean in fixed["means"]] == ["(INTERCEPT)", "x"]
    assert [mean["value"] for mean in fixed["means"]] == part.coefficients.tolist()
    assert [item["value"] for item in fixed["variances"]] == part.variances.tolist()
    _, entities = records(out / "per-user" / "models" / "part-00000.avro")
    table = ours.model_.parts["per-user"]
    assert [record["modelId"] for record in entities] == [str(e) for e in table.table.ids]
    for at, record in enumerate(entities):
        intercept, _, values = table.coefficients_of(at)
        assert [mean["value"] for mean in record["means"]] == [intercept, *values]
    assert not (out / "model" / "global" / "models").exists()
    again = load(out / "per-user" / "models", {"coordinates.per-user.entity": "user"})
    assert len(again.model_.parts["per-user"].table.ids) == len(entities)


def test_the_metric_counts_every_row_once(config, tmp_path):
    from sklearn.metrics import roc_auc_score

    out = run(config, tmp_path)
    _, rows = records(out / "global" / "validation_scores" / "part-00000.avro")
    label, score = ([row[name] for row in rows] for name in ("y", "predictionScore"))
    summary = json.loads((out / "global" / "metric" / "evalSummary.json").read_text())
    assert summary["auc"] == pytest.approx(roc_auc_score(label, score), abs=1e-12)


def test_names_of_columns_are_those_asked_for(config, tmp_path):
    driver = config["fixed_effect_config"]["global"]["gdmix_config"]
    driver |= {
        "prediction_score_column_name": "total",
        "prediction_score_per_coordinate_column_name": "own",
    }
    out = run(config, tmp_path)
    _, rows = records(out / "global" / "train_scores" / "part-00000.avro")
    assert set(rows[0]) == {"uid", "y", "w", "total", "own"}
    assert all(row["total"] == row["own"] for row in rows)


def test_texts_as_uids_and_labels_with_fractions(config, tmp_path):
    for split in ("training", "validation"):
        rows = table(3, [f"é{number}" for number in range(ROWS)])
        rows = rows.set_column(1, "y", pa.array(np.linspace(0.0, 1.0, ROWS)))
        pq.write_table(rows, tmp_path / split / "a.parquet")
    for section in ("fixed_effect_config", "random_effect_config"):
        for params in config[section].values():
            params["gdmix_config"]["model_type"] = "linear_regression"
    out = run(config, tmp_path)
    _, rows = records(out / "global" / "train_scores" / "part-00000.avro")
    assert [row["uid"] for row in rows] == [f"é{number}" for number in range(ROWS)]
    assert [row["y"] for row in rows] == pytest.approx(np.linspace(0.0, 1.0, ROWS))
    summary = json.loads((out / "global" / "metric" / "evalSummary.json").read_text())
    _, rows = records(out / "global" / "validation_scores" / "part-00000.avro")
    errors = [(row["predictionScore"] - row["y"]) ** 2 for row in rows]
    assert summary == {"mse": pytest.approx(np.mean(errors), abs=1e-6)}


@pytest.mark.parametrize("penalized", [True, False])
def test_linear_regression_is_at_the_optimum_of_gdmix_objective(config, tmp_path, penalized):
    """GDMix: sum of weight * (s - y)^2, plus l2/2 times the squared norm; solved directly."""
    del config["random_effect_config"]
    fixed = config["fixed_effect_config"]["global"]
    fixed["gdmix_config"]["model_type"] = "linear_regression"
    fixed |= {"l2_reg_weight": 7.0, "regularize_bias": penalized}
    out = run(config, tmp_path)
    rows = pq.read_table(tmp_path / "training" / "a.parquet")
    x = np.column_stack([np.ones(ROWS), rows["x"].to_numpy()])
    weighted = x.T * rows["w"].to_numpy()
    held = np.diag([7.0 if penalized else 0.0, 7.0])
    best = np.linalg.solve(2 * weighted @ x + held, 2 * weighted @ rows["y"].to_numpy())
    found = load(out).model_.parts["global"].coefficients
    np.testing.assert_allclose(found, best, atol=1e-8, rtol=0)


def test_without_validation_data_there_are_no_metrics(config, tmp_path):
    for section in ("fixed_effect_config", "random_effect_config"):
        for params in config[section].values():
            params["validation_data_dir"] = ""
    out = run(config, tmp_path)
    found = {item.name for item in (out / "global").iterdir()}
    assert "train_scores" in found
    assert not found & {"metric", "validation_scores"}


def test_scores_of_the_training_data_may_be_left_out(config, tmp_path):
    name = "disable_random_effect_scoring_after_training"
    config["random_effect_config"]["per-user"][name] = True
    out = run(config, tmp_path)
    assert (out / "global" / "train_scores").exists()
    assert not (out / "per-user" / "train_scores").exists()
    assert (out / "per-user" / "validation_scores").exists()


def test_scores_of_an_outside_model(config, tmp_path):
    """The fixed effect that is given has no files, and the others build on it."""
    given = {}
    for split in ("training", "validation"):
        folder = tmp_path / f"{split}_scores"
        folder.mkdir()
        score = pa.table({"uid": np.arange(ROWS), "predictionScore": np.linspace(-1, 1, ROWS)})
        pq.write_table(score, folder / "a.parquet")
        given[f"{split}_score_dir"] = str(folder)
    driver = config["fixed_effect_config"]["global"]["gdmix_config"]
    config["fixed_effect_config"] = {"deep": {"gdmix_config": {**driver, **given}}}
    out = run(config, tmp_path)
    assert not (out / "deep").exists()
    assert [item.name for item in (out / "per-user" / "models").iterdir()] == ["part-00000.avro"]
    _, rows = records(out / "per-user" / "train_scores/partitionId=0/part-00000-active.avro")
    difference = [row["predictionScore"] - row["predictionScorePerCoordinate"] for row in rows]
    np.testing.assert_allclose(difference, np.linspace(-1, 1, ROWS), atol=1e-6)


def test_a_second_run_replaces_the_first_when_asked(config, tmp_path):
    out = run(config, tmp_path)
    with pytest.raises(RunError, match="--overwrite replaces it"):
        run(config, tmp_path)
    config["random_effect_config"]["per-movie"] = config["random_effect_config"].pop("per-user")
    run(config, tmp_path, overwrite=True)
    assert (out / "per-movie" / "metric" / "evalSummary.json").exists()
    assert not (out / "per-user").exists()


def test_a_run_without_models_writes_no_tree(config, tmp_path):
    out = run(config, tmp_path, overrides=("output_mode=none",))
    assert not (out / "global").exists()
