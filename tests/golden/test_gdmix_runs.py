"""GDMix's configurations on GDMix's own TFRecords, against SciPy's optimum of GDMix's objective."""

import numpy as np
import pytest
import yaml
from scipy.optimize import minimize

from gdmix import load
from gdmix.compat.configs import prepare
from gdmix.data.formats.avro_records import read_records
from gdmix.data.source import open_source
from gdmix.workflow import train

DRIVER = {
    "uid_column_name": "uid",
    "label_column_name": "response",
    "weight_column_name": "weight",
    "model_type": "logistic_regression",
}


@pytest.fixture
def resources(shared_data):
    return shared_data("gdmix") / "gdmix-trainer" / "test" / "resources"


def run(tmp_path, values):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"output_dir": str(tmp_path / "out"), **values}))
    prepared = prepare(path)
    return train(prepared.options, beside=prepared.beside).path


def columns(path, metadata, names):
    source = open_source(path, metadata=metadata)
    rows = [row for batch, _ in source.batches(names, frozenset()) for row in batch.to_pylist()]
    return {name: [row[name] for row in rows] for name in names}


def design(indices, values, width):
    x = np.zeros((len(indices), width + 1))
    x[:, 0] = 1.0
    for row, (at, value) in enumerate(zip(indices, values, strict=True)):
        x[row, 1 + np.array(at, int)] = value
    return x


def optimum(x, y, weight, offset, l2, penalized):
    """Minimize sum of weight * loss + l2/2 * squared norm, with SciPy."""
    y, weight, offset = (np.asarray(column, float) for column in (y, weight, offset))
    held = np.full(x.shape[1], l2)
    held[0] = l2 if penalized else 0.0

    def value(w):
        margin = x @ w + offset
        return weight @ (np.logaddexp(0, margin) - y * margin) + 0.5 * (held * w) @ w

    def slope(w):
        return x.T @ (weight * (1 / (1 + np.exp(-(x @ w + offset))) - y)) + held * w

    def curvature(w):
        p = 1 / (1 + np.exp(-(x @ w + offset)))
        return (x.T * (weight * p * (1 - p))) @ x + np.diag(held)

    options = {"gtol": 1e-10, "maxiter": 500}
    begin = np.zeros(x.shape[1])
    return minimize(
        value, begin, jac=slope, hess=curvature, method="trust-exact", options=options
    ).x, curvature


@pytest.mark.parametrize("penalized", [True, False])
def test_a_fixed_effect(resources, tmp_path, penalized):
    folder = resources / "fe_lbfgs"
    data, metadata = folder / "training_data", folder / "metadata" / "tensor_metadata.json"
    fixed = {
        "training_data_dir": str(data),
        "metadata_file": str(metadata),
        "feature_file": str(folder / "featureList" / "global"),
        "feature_bag": "global",
        "regularize_bias": penalized,
        "l2_reg_weight": 2.0,
        "fixed_effect_variance_mode": "simple",
        "gdmix_config": DRIVER,
    }
    out = run(tmp_path, {"fixed_effect_config": {"global": fixed}})
    names = ["global_indices", "global_values", "response", "weight"]
    rows = columns(data, metadata, names)
    x = design(rows["global_indices"], rows["global_values"], 306)
    best, curvature = optimum(x, rows["response"], rows["weight"], np.zeros(len(x)), 2.0, penalized)
    listed = (folder / "featureList" / "global").read_text().splitlines()
    (record,) = read_records(out / "global" / "models" / "global_model.avro")
    place = {tuple(line.split(",")): 1 + number for number, line in enumerate(listed)}
    place["(INTERCEPT)", ""] = 0
    found, spread = np.zeros(len(best)), 1.0 / np.diag(curvature(best))
    for mean, variance in zip(record["means"], record["variances"], strict=True):
        at = place[mean["name"], mean["term"]]
        found[at] = mean["value"]
        assert variance["value"] == pytest.approx(spread[at], rel=1e-5)
    np.testing.assert_allclose(found, best, atol=1e-6, rtol=0)


def test_random_effects_alone_on_data_grouped_by_entity(resources, tmp_path):
    """What GDMix's partitioner left: the offsets in the data are where they start from."""
    folder = resources / "grouped_per_member_train"
    data, metadata = folder / "data.tfrecord", folder / "data.json"
    random = {
        "training_data_dir": str(data),
        "metadata_file": str(metadata),
        "partition_entity": "memberId",
        "feature_bag": "per_member",
        "gdmix_config": DRIVER,
    }
    out = run(tmp_path, {"random_effect_config": {"per-member": random}})
    names = ["per_member_indices", "per_member_values", "response", "weight", "offset", "memberId"]
    rows = columns(data, metadata, names)
    x = design(rows["per_member_indices"], rows["per_member_values"], 100)
    ids = np.array(rows["memberId"])
    label, weight, offset = (np.array(rows[name]) for name in ("response", "weight", "offset"))
    assert np.any(offset != 0.0)
    model = load(out)
    part, index = model.model_.parts["per-member"], model.model_.index_of("per-member")
    assert sorted(part.table.ids.to_pylist()) == sorted(set(ids.tolist()))
    for at, entity in enumerate(part.table.ids.to_pylist()):
        mine = ids == entity
        best, _ = optimum(x[mine], label[mine], weight[mine], offset[mine], 1.0, penalized=True)
        intercept, features, values = part.coefficients_of(at)
        found = np.zeros(len(best))
        found[0] = intercept
        found[[1 + int(index.terms[int(k)].as_py()) for k in features]] = values
        np.testing.assert_allclose(found, best, atol=1e-6, rtol=0)
