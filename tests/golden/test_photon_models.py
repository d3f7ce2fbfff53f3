"""Every complete model among Photon-ML's test data loads, round-trips, scores, and trains on."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import gdmix
from gdmix import MixedModel
from gdmix.data.formats.avro_records import read_records
from gdmix.errors import ModelError

RESOURCES = "photon-client/src/integTest/resources"
GAME = f"{RESOURCES}/GameIntegTest"
# coordinates of which the stored copy has no coefficients
MODELS = {
    "fixedEffectOnlyGAMEModel": (),
    "gameModel": ("songId-songShard", "userId-userShard"),
    "retrainModels/fixedEffectsOnly": (),
    "retrainModels/mixedEffects": ("per-user",),
    "retrainModels/randomEffectsOnly": ("per-user",),
}


def records_of(folder):
    """Coefficients by kind and coordinate, model and feature, as an Avro reader gives them."""
    found = {}
    for file in sorted(Path(folder).rglob("coefficients/*.avro")):
        kind, name = file.parts[-4:-2]
        for record in read_records(file):
            means = {(each["name"], each["term"]): each["value"] for each in record["means"]}
            assert record["variances"] is None
            found.setdefault((kind, name), {})[record["modelId"]] = means
    return found


@pytest.mark.parametrize("name", MODELS)
def test_model(shared_data, tmp_path, name):
    path = shared_data("photon-ml") / GAME / name
    missing = MODELS[name]
    if missing:
        with pytest.raises(ModelError, match=r"no coefficients here.*--without"):
            gdmix.load(path)
    model = gdmix.load(path, without=missing)
    assert model.options_.task == "linear"
    model.export(tmp_path / "again", "photon")
    original = records_of(path)
    assert records_of(tmp_path / "again") == original
    model.save(tmp_path / "ours")
    data, expected = rows_for(model, original)
    for other in (model, gdmix.load(tmp_path / "ours"), gdmix.load(tmp_path / "again")):
        np.testing.assert_allclose(other.predict(data)["score"], expected, rtol=1e-13)
    train_on(model, path if not missing else tmp_path / "again", data, expected)


def rows_for(model, original):
    """Rows with a few features of every shard, and the scores that the records give them."""
    columns, scores = {}, np.zeros(6)
    for name, part in model.model_.parts.items():
        bag = model.options_.features_of(name)[0].column
        kind = "random-effect" if hasattr(part, "entity") else "fixed-effect"
        models = original[kind, name]
        ids = list(models)[:6] if kind == "random-effect" else list(models) * 6
        if kind == "random-effect":
            columns[part.entity] = ids
        if bag not in columns:
            every = {feature for one in ids for feature in models[one]} - {("(INTERCEPT)", "")}
            chosen = sorted(every)[:30]
            columns[bag] = [
                [{"name": n, "term": t, "value": 0.5 + row} for n, t in chosen] for row in range(6)
            ]
        features = {(each["name"], each["term"]) for each in columns[bag][0]}
        for row, one in enumerate(ids):
            for feature, value in models[one].items():
                if feature == ("(INTERCEPT)", ""):
                    scores[row] += value
                elif feature in features:
                    scores[row] += value * (0.5 + row)
    return pa.table(columns), scores


def train_on(model, path, data, expected):
    """A warm start, from the path itself: at the labels it gives, the model stays where it was."""
    data = data.append_column("y", pa.array(expected))
    coordinates = model.options_.plain()["coordinates"]
    for each in coordinates.values():
        each["l2"] = 1e-9
    again = MixedModel(
        task="linear", label="y", coordinates=coordinates, initial_model=str(path)
    ).fit(data)
    np.testing.assert_allclose(again.predict(data)["score"], expected, rtol=1e-6)
    for name, part in model.model_.parts.items():
        ids = getattr(part, "table", None)
        if ids is not None:
            # who has no rows is kept
            assert again.model_.parts[name].table.ids.equals(ids.ids)


def test_heart_data_to_photon_and_back(shared_data, tmp_path):
    """Train on Photon-ML's Avro, hand the model over, and score as before."""
    folder = shared_data("photon-ml") / RESOURCES / "DriverIntegTest" / "input"
    options = {"label": "label", "coordinates": {"global": {"features": ["features"]}}}
    model = MixedModel(**options).fit(folder / "heart.avro")
    model.export(tmp_path / "game", "photon")
    loaded = gdmix.load(tmp_path / "game", {"label": "label"})
    held_out = folder / "heart_validation.avro"
    expected, found = model.predict(held_out)["score"], loaded.predict(held_out)["score"]
    np.testing.assert_allclose(found, expected, rtol=1e-15)
    # weights are null there, which is 1 in a model of Photon-ML
    assert loaded.evaluate(held_out)["auc"] == model.evaluate(held_out)["auc"] > 0.7
