"""``gdmix import``, ``export``, ``split``, and scores in the files of other projects."""

import json

import fastavro
import numpy as np
import pyarrow.parquet as pq
import pytest

from gdmix import MixedModel
from tests.made_up import table, write
from tests.unit.test_foreign_models import CLASS, record, write_theirs


@pytest.fixture
def model(tmp_path):
    values = write(tmp_path, rows=200)
    options = {name: values[name] for name in ("task", "label", "uid", "coordinates")}
    fitted = MixedModel(**options, weight="weight").fit(values["train"])
    fitted.save(tmp_path / "model")
    return tmp_path


def test_out_and_in_again(run, model):
    status, out, _ = run("export", model / "model", model / "game", "--to", "photon")
    assert status == 0
    assert "per-user: 25 models by user_id" in out
    status, _, error = run("export", model / "model", model / "game", "--to", "photon")
    assert (status, "exists already" in error) == (2, True)
    sets = [
        "--set=coordinates.global.features=[age, city, tags]",
        "--set=coordinates.per-user.features=[tags]",
        "--set=coordinates.per-item.features=[age]",
        "--set=label=click",
    ]
    status, out, error = run("import", model / "game", model / "back", *sets, "--json")
    assert status == 0, error
    assert json.loads(out)["coordinates"].keys() == {"global", "per-user", "per-item"}
    data = model / "valid.parquet"
    for name in ("model", "back"):
        status, _, error = run("predict", model / name, data, "-o", model / f"{name}.parquet")
        assert status == 0, error
    ours, theirs = (pq.read_table(model / f"{name}.parquet") for name in ("model", "back"))
    np.testing.assert_allclose(theirs["score"], ours["score"], rtol=1e-13, atol=1e-15)
    # without import: what the directory calls its features is looked for as columns
    status, _, error = run("predict", model / "game", data, "-o", model / "no.parquet")
    assert status == 2
    assert "column" in error
    status, _, error = run("import", model / "game", model / "new", "--set", "tsk=linear")
    assert (status, "did you mean 'task'" in error) == (2, True)


@pytest.mark.parametrize("layout", ["gdmix", "photon"])
def test_scores_of_others(run, model, layout):
    data, file = model / "valid.parquet", model / "scores.avro"
    status, _, error = run("predict", model / "model", data, "-o", file, "--layout", layout)
    assert status == 0, error
    run("predict", model / "model", data, "-o", model / "ours.parquet")
    ours = pq.read_table(model / "ours.parquet")
    with file.open("rb") as stream:
        reader = fastavro.reader(stream)
        records, schema = list(reader), reader.writer_schema
    assert [int(each["uid"]) for each in records] == ours["uid"].to_pylist()
    scores = ours["score"].to_numpy()
    if layout == "photon":
        assert schema["name"] == "com.linkedin.photon.avro.generated.ScoringResultAvro"
        assert [each["predictionScore"] for each in records] == list(scores)
        assert [each["weight"] for each in records] == ours["weight"].to_pylist()
        first = ours.slice(0, 1).to_pylist()[0]
        ids = {"user_id": str(first["user_id"]), "item_id": first["item_id"]}
        assert records[0]["metadataMap"] == ids
        assert records[0]["label"] == first["label"]
        return
    assert schema["name"] == "validation_result"
    kinds = {field["name"]: field["type"] for field in schema["fields"]}
    assert kinds == {
        "uid": "long",
        "predictionScore": "float",
        "label": ["null", "int"],
        "weight": "float",
        "predictionScorePerCoordinate": "float",
    }
    for name in ("predictionScore", "predictionScorePerCoordinate"):
        found = [each[name] for each in records]
        assert found == list(scores.astype(np.float32).astype(float))
    # fractions of weights are kept, which GDMix cuts off
    weights = np.array([each["weight"] for each in records])
    np.testing.assert_allclose(weights, ours["weight"].to_numpy(), rtol=1e-7)


def test_wrong_outputs_of_scores(run, model):
    data = model / "valid.parquet"
    status, _, error = run("predict", model / "model", data, "-o", model / "scores.avro")
    assert (status, "--layout gdmix or photon" in error) == (2, True)
    arguments = ("predict", model / "model", data, "--layout", "gdmix", "-o")
    status, _, error = run(*arguments, model / "scores.parquet")
    assert (status, "ending in .avro" in error) == (2, True)
    words = table(30).set_column(0, "uid", table(30)["item_id"])
    pq.write_table(words, model / "words.parquet")
    arguments = ("predict", model / "model", model / "words.parquet", "--layout", "gdmix", "-o")
    status, _, error = run(*arguments, model / "scores.avro")
    assert (status, "a uid is no whole number" in error) == (2, True)
    assert not (model / "scores.avro").exists()


def test_split(run, tmp_path):
    means = [("(INTERCEPT)", "", 0.5), ("7_gdmixcross_age", "", 1.0), ("8_gdmixcross_age", "", 2.0)]
    whole = record("global model", means, modelClass=CLASS)
    write_theirs(tmp_path / "crossed" / "global_model.avro", [whole])
    arguments = ("split", tmp_path / "crossed", tmp_path / "model", "--entity", "user_id")
    status, out, error = run(*arguments, "-f", "age", "--name", "per-user")
    assert status == 0, error
    assert "per-user: 2 models by user_id, 2 coefficients; reads age" in out
    data = table(40)
    pq.write_table(data, tmp_path / "data.parquet")
    fixed = ("--set", "coordinates.crossed.features=[]")
    assert run(*arguments, "-f", "age", "--overwrite", *fixed)[0] == 0
    status, _, error = run(
        "predict", tmp_path / "model", tmp_path / "data.parquet", "-o", tmp_path / "s.parquet"
    )
    assert status == 0, error
    factor = np.select([data["user_id"].to_numpy() == 7, data["user_id"].to_numpy() == 8], [1, 2])
    expected = 0.5 + factor * data["age"].to_numpy()
    np.testing.assert_allclose(pq.read_table(tmp_path / "s.parquet")["score"], expected)


def test_an_imported_model_asks_for_no_weight(run, model):
    """In Photon-ML's world a weight may be null, or not be there at all."""
    run("export", model / "model", model / "game", "--to", "photon")
    features = {"global": "[age, city, tags]", "per-user": "[tags]", "per-item": "[age]"}
    sets = [f"--set=coordinates.{name}.features={each}" for name, each in features.items()]
    assert run("import", model / "game", model / "back", *sets, "--set=label=click")[0] == 0
    bare = pq.read_table(model / "valid.parquet").drop_columns(["weight", "uid"])
    pq.write_table(bare, model / "bare.parquet")
    status, out, error = run("evaluate", model / "back", model / "bare.parquet", "--json")
    assert status == 0, error
    assert 0.4 < json.loads(out)["auc"] < 1.0
