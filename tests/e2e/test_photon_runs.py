"""Photon-ML's documented commands, run on its own test data."""

import json
import shlex
import shutil

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge

import gdmix
from tests.photon import GAME, GLOBAL, inputs, per, training, words

EXACT = (
    "name=global,feature.shard=shard1,min.partitions=4,optimizer=LBFGS,tolerance=1.0E-10,"
    "max.iter=500,regularization=L2,reg.weights=2"
)
QUIET = ("--quiet", "--set", "report=false")


@pytest.fixture
def folder(shared_data):
    return inputs(shared_data)


def dense(path, label="label"):
    """Rows as a dense matrix with a column of ones first, labels, and the names of columns."""
    with path.open("rb") as stream:
        records = list(fastavro.reader(stream))
    names = sorted({(f["name"], f["term"]) for row in records for f in row["features"]})
    at = {name: column for column, name in enumerate(names, 1)}
    x = np.zeros((len(records), len(names) + 1))
    x[:, 0] = 1.0
    for i, row in enumerate(records):
        for f in row["features"]:
            x[i, at[f["name"], f["term"]]] = f["value"]
    return x, np.array([float(row[label]) for row in records]), names


def coefficients(run, names):
    """The fixed effect of a run, the intercept first."""
    model = gdmix.load(run / "model").model_
    keys = model.index_of("global").keys.to_pylist()
    part = model.parts["global"]
    found = dict(zip(keys, part.coefficients[1:], strict=True))
    return np.r_[part.coefficients[0], [found["\x01".join(name)] for name in names]]


def trained(run, tmp_path, train, **more):
    more = {"coordinate_configurations": EXACT} | more
    line = words(training(train, tmp_path / "out", **more))
    status, out, err = run("train", "--photon", line, "--set", "report=false")
    assert (status, err) == (0, "")
    return tmp_path / "out" / "gdmix", out


def test_heart(run, folder, tmp_path):
    found, out = trained(
        run, tmp_path, folder / "heart.avro",
        validation_data_directories=folder / "heart_validation.avro",
    )  # fmt: skip
    assert "intercepts are shrunk" in out
    x, y, names = dense(folder / "heart.avro")
    theirs = LogisticRegression(C=0.5, fit_intercept=False, solver="newton-cholesky", tol=1e-12)
    theirs.fit(x, y > 0)
    np.testing.assert_allclose(coefficients(found, names), theirs.coef_[0], atol=1e-5)
    final = json.loads((found / "metrics.json").read_text())["final"]
    assert list(final) == ["auc"]


def test_the_shard_of_its_own_name_spares_the_intercept(run, folder, tmp_path):
    shard = "name=global,feature.bags=features"
    line = EXACT.replace("shard1", "global")
    found, _ = trained(
        run, tmp_path, folder / "linear_regression_train.avro",
        training_task="LINEAR_REGRESSION", feature_shard_configurations=shard,
        coordinate_configurations=line,
    )  # fmt: skip
    x, y, names = dense(folder / "linear_regression_train.avro")
    theirs = Ridge(2.0, solver="cholesky").fit(x[:, 1:], y)
    expected = np.r_[theirs.intercept_, theirs.coef_]
    np.testing.assert_allclose(coefficients(found, names), expected, atol=1e-6)


def test_counts_without_intercept(run, folder, tmp_path):
    found, _ = trained(
        run, tmp_path, folder / "poisson_test.avro",
        training_task="POISSON_REGRESSION",
        feature_shard_configurations="name=shard1,feature.bags=features,intercept=false",
        coordinate_configurations=EXACT.replace("reg.weights=2", "reg.weights=20000"),
    )  # fmt: skip
    x, y, names = dense(folder / "poisson_test.avro", "response")
    theirs = PoissonRegressor(alpha=20000.0 / len(y), fit_intercept=False, tol=1e-12)
    theirs.set_params(solver="newton-cholesky", max_iter=500).fit(x[:, 1:], y)
    model = gdmix.load(found / "model").model_
    keys = model.index_of("global").keys.to_pylist()
    ours = dict(zip(keys, model.parts["global"].coefficients, strict=True))
    ours = [ours["\x01".join(name)] for name in names]
    np.testing.assert_allclose(ours, theirs.coef_, atol=1e-6)


def test_columns_by_other_names_and_weights(run, folder, tmp_path):
    names = "response=the_label,weight=w,offset=intercept,metadataMap=metadata"
    found, _ = trained(
        run, tmp_path, folder / "different-column-names" / "diff-col-names.avro",
        input_column_names=names,
        feature_bags_directory=folder / "different-column-names" / "feature-lists",
    )  # fmt: skip
    saved = yaml.safe_load((found / "config.yaml").read_text())
    assert (saved["label"], saved["weight"], saved["offset"]) == ("the_label", "w", "intercept")
    # the list has the features 1 to 13, all there are
    assert len(gdmix.load(found / "model").model_.index_of("global").keys) == 13
    status, _, err = run(
        "train", "--photon",
        words(training(folder / "bad-weights" / "negative-weights.avro", tmp_path / "no")),
    )  # fmt: skip
    assert status == 2
    assert "the weight is -" in err


SHARDS = [
    "name=shard1,feature.bags=features|userFeatures|songFeatures",
    "name=shard2,feature.bags=features|userFeatures",
    "name=shard3,feature.bags=songFeatures",
]
EFFECTS = [per("user", "shard2"), per("song", "shard3"), per("artist", "shard3")]


@pytest.fixture
def music(run, shared_data, tmp_path):
    """Photon-ML's mixed-effects test on the rows that are there: data, root, parameters."""
    data = shared_data("photon-ml") / GAME / "input" / "duplicateFeatures"
    given = training(
        data, tmp_path / "out",
        validation_data_directories=data,
        training_task="LINEAR_REGRESSION",
        feature_shard_configurations=SHARDS,
        coordinate_configurations=[GLOBAL.replace("weights=10", "weights=10|1"), *EFFECTS],
        coordinate_update_sequence="global,per-user,per-song,per-artist",
        coordinate_descent_iterations=2,
        output_mode="ALL",
    )  # fmt: skip
    status, _, err = run("train", "--photon", words(given), *QUIET)
    assert (status, err) == (0, "")
    return data, tmp_path / "out", given


def test_mixed_effects_and_the_folders_of_photon(run, music):
    _, root, given = music
    model = gdmix.load(root / "gdmix" / "model")
    assert list(model.model_.parts) == ["global", "per-user", "per-song", "per-artist"]
    assert sorted(path.name for path in root.iterdir()) == ["best", "gdmix", "models"]
    assert sorted(path.name for path in (root / "models").iterdir()) == ["0", "1"]
    info = root / "best" / "random-effect" / "per-song" / "id-info"
    assert info.read_text().split() == ["songId", "shard3"]
    # the same again needs leave to replace it, which the command may give
    status, _, err = run("train", "--photon", words(given))
    assert status == 2
    assert "--overwrite" in err
    given |= {"override-output-directory": "true", "coordinate-configurations": [GLOBAL, *EFFECTS]}
    assert run("train", "--photon", words(given), *QUIET)[0] == 0
    assert sorted(path.name for path in (root / "models").iterdir()) == ["0"]


def test_models_are_not_written_over(run, music, tmp_path):
    _, root, given = music
    shutil.rmtree(root / "gdmix")
    status, _, err = run("train", "--photon", words(given), *QUIET)
    assert status == 2
    assert "best: exists already" in err


def test_its_models_are_scored(run, music, tmp_path):
    data, root, _ = music
    given = {
        "input-data-directories": data,
        "model-input-directory": root / "best",
        "root-output-directory": tmp_path / "scored",
        "evaluators": "RMSE",
        "feature-shard-configurations": SHARDS,
    }
    _, out, _ = run("convert-config", "--photon", words(given), "--json")
    for command in json.loads(out)["commands"]:
        status, out, err = run(*shlex.split(command)[1:])
        assert (status, err) == (0, ""), command
    with (tmp_path / "scored" / "scores" / "part-00000.avro").open("rb") as stream:
        theirs = [record["predictionScore"] for record in fastavro.reader(stream)]
    ours = gdmix.load(root / "gdmix" / "model").predict(str(data))["score"].to_numpy()
    np.testing.assert_allclose(theirs, ours, atol=1e-12)


def test_a_locked_coordinate_stays(run, music, tmp_path):
    _, root, given = music
    given |= {
        "coordinate-configurations": EFFECTS,
        "model-input-directory": root / "best",
        "partial-retrain-locked-coordinates": "global",
        "root-output-directory": tmp_path / "again",
    }
    status, _, err = run("train", "--photon", words(given), *QUIET)
    assert (status, err) == (0, "")
    found = [gdmix.load(folder / "best").model_ for folder in (root, tmp_path / "again")]
    first, second = (model.parts["global"].coefficients for model in found)
    assert np.array_equal(first, second)


def test_its_own_model_is_retrained_from(run, music, shared_data, tmp_path):
    """Photon-ML's test of partial retraining: its saved global model, locked."""
    _, _, given = music
    model = shared_data("photon-ml") / GAME / "retrainModels" / "fixedEffectsOnly"
    given |= {
        "coordinate-configurations": EFFECTS,
        "model-input-directory": model,
        "partial-retrain-locked-coordinates": "global",
        "root-output-directory": tmp_path / "again",
    }
    status, _, err = run("train", "--photon", words(given), *QUIET)
    assert (status, err) == (0, "")
    file = "fixed-effect/global/coefficients/part-00000.avro"
    means = []
    for folder in (model, tmp_path / "again" / "best"):
        with (folder / file).open("rb") as stream:
            (record,) = fastavro.reader(stream)
        means.append({(f["name"], f["term"]): f["value"] for f in record["means"]})
    assert len(means[0]) == 15_019
    assert {name: value for name, value in means[1].items() if value} == means[0]


def test_convert_config_writes_what_trains_the_same(run, folder, tmp_path):
    given = training(folder / "heart.avro", tmp_path / "out", coordinate_configurations=EXACT)
    command = tmp_path / "job.sh"
    command.write_text("spark-submit --class a.GameTrainingDriver x.jar \\\n" + words(given))
    status, out, err = run("convert-config", command, "-o", tmp_path / "ours.yaml")
    assert (status, err) == (0, "")
    assert "optimizer: lbfgs" in out
    assert "min.partitions" in out
    assert run("train", tmp_path / "ours.yaml", "--quiet", "--set", "report=false")[0] == 0
    first = gdmix.load(tmp_path / "out" / "gdmix" / "model").model_.parts["global"].coefficients
    arguments = ("train", "--photon", f"@{command}", "--overwrite", "--quiet")
    assert run(*arguments, "--set", "report=false")[0] == 0
    second = gdmix.load(tmp_path / "out" / "gdmix" / "model").model_.parts["global"].coefficients
    assert np.array_equal(first, second)
    status, out, _ = run("convert-config", "--photon", words(given), "--json")
    assert json.loads(out)["config"]["label"] == "label"
    # a file that holds a command is one, wherever a config may stand
    assert run("train", command, "--overwrite", "--quiet", "--set", "sweeps=1")[0] == 0
    for arguments in (("train",), ("train", command, "--photon", "x"), ("convert-config",)):
        status, _, err = run(*arguments)
        assert status == 2
        assert "one of" in err
    assert "no such file" in run("train", "--photon", f"@{tmp_path / 'none'}")[2]
    large = tmp_path / "large.sh"
    large.write_text(words(given) + " " * (1 << 20))
    assert "too long" in run("train", large)[2]


def test_the_deprecated_driver_with_bounds(run, folder, tmp_path):
    bounds = [{"name": "3", "term": "", "lowerBound": -0.1, "upperBound": 0.1}]
    bounds = json.dumps([*bounds, {"name": "12", "term": "*", "upperBound": 0.2}])
    line = words(
        {
            "training-data-directory": folder / "heart.avro",
            "validating-data-directory": folder / "heart_validation.avro",
            "output-directory": tmp_path / "out",
            "task": "LOGISTIC_REGRESSION",
            "format": "TRAINING_EXAMPLE",
            "data-validation-type": "VALIDATE_DISABLED",
            "regularization-weights": "2,20",
            "num-iterations": 500,
            "convergence-tolerance": "1e-9",
            "coefficient-box-constraints": bounds,
        }
    )
    status, _, err = run("train", "--photon", line, "--quiet", "--set", "report=false")
    assert (status, err) == (0, "")
    found = tmp_path / "out" / "gdmix"
    assert sorted(path.name for path in (found / "models").iterdir())
    x, y, names = dense(folder / "heart.avro")
    chosen = json.loads((found / "metrics.json").read_text())
    l2 = gdmix.load(found / "model").options.coordinates["global"].l2
    assert l2 in (2.0, 20.0), chosen
    sign = np.where(y > 0, 1.0, -1.0)

    def objective(b):
        margin = sign * (x @ b)
        slope = -sign / (1.0 + np.exp(margin))
        return np.logaddexp(0.0, -margin).sum() + l2 / 2 * b @ b, x.T @ slope + l2 * b

    limits = {"3": (-0.1, 0.1), "12": (None, 0.2)}
    box = [(None, None), *(limits.get(name, (None, None)) for name, _ in names)]
    options = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 20000, "maxfun": 50000}
    start = np.zeros(len(names) + 1)
    best = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=box, options=options)
    ours = objective(coefficients(found, names))[0]
    assert ours <= best.fun + 1e-6


def test_scoring_has_its_commands(run, folder, tmp_path):
    line = words(
        {
            "input-data-directories": folder / "heart.avro",
            "model-input-directory": "model",
            "root-output-directory": tmp_path / "scored",
            "evaluators": "AUC",
            "feature-shard-configurations": "name=shard1,feature.bags=features",
        }
    )
    status, out, _ = run("convert-config", "--photon", line, "--json")
    assert status == 0
    predict, evaluate = json.loads(out)["commands"]
    assert predict.startswith("gdmix predict model ")
    assert evaluate.endswith("--metric auc")


def test_lists_of_features(run, shared_data, tmp_path):
    data = shared_data("photon-ml") / GAME / "input"
    line = words(
        {
            "input-data-directories": data / "duplicateFeatures",
            "root-output-directory": tmp_path / "lists",
            "feature-bags-keys": "features,songFeatures,userFeatures",
        }
    )
    _, out, _ = run("convert-config", "--photon", line, "--json")
    (command,) = json.loads(out)["commands"]
    status, _, err = run(*command.split()[1:])
    assert (status, err) == (0, "")
    for bag in ("features", "songFeatures", "userFeatures"):
        with (data / "duplicateFeatures" / "yahoo-music-train.avro").open("rb") as stream:
            pairs = {(f["name"], f["term"]) for row in fastavro.reader(stream) for f in row[bag]}
        lines = (tmp_path / "lists" / bag).read_text().splitlines()
        assert sorted(lines) == sorted("\t".join(pair) for pair in pairs)
        # the file is in the form of Photon-ML's own
        theirs = (data / "feature-lists" / bag).read_text().splitlines()
        assert {line.count("\t") for line in theirs} == {line.count("\t") for line in lines}


def test_lists_that_cannot_be_written(run, tmp_path):
    data, lists = tmp_path / "d.parquet", tmp_path / "lists"
    columns = {"a": ["x", "y"], "b": ["x\ty", "z"], "c/d": [1.0, 2.0]}
    pq.write_table(pa.table(columns), data)
    assert run("features", data, "-f", "a", "-o", lists, "--quiet") == (0, "", "")
    assert (lists / "a").read_text() == "a\tx\na\ty\n"
    for column, problem in (
        ("a", "exists already"),
        ("b", "holds a tab or a line end"),
        ("c/d", "no name of a file"),
        ("e", "column 'e' not found"),
    ):
        status, _, err = run("features", data, "-f", column, "-o", lists)
        assert status == 2
        assert problem in err
    assert [path.name for path in lists.iterdir()] == ["a"]
    assert run("features", data, "-f", "a", "-o", lists, "--quiet", "--overwrite")[0] == 0


def test_selected_features_are_avro(run, folder, shared_data, tmp_path):
    """A whitelist may be Photon-ML's Avro file of names and terms."""
    schema = {"type": "record", "name": "F", "fields": [{"name": n, "type": "string"}
                                                        for n in ("name", "term")]}  # fmt: skip
    chosen = tmp_path / "selected.avro"
    with chosen.open("wb") as stream:
        fastavro.writer(stream, schema, [{"name": "3", "term": ""}, {"name": "12", "term": ""}])
    values = {"label": "label", "train": str(folder / "heart.avro"), "positive_above": 0.5}
    values |= {"output": str(tmp_path / "run"), "report": False}
    feature = {"column": "features", "only": str(chosen)}
    values["coordinates"] = {"global": {"features": [feature]}}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(values))
    assert run("train", tmp_path / "c.yaml", "--quiet")[0] == 0
    table = pq.read_table(tmp_path / "run" / "model" / "features")
    assert sorted(table["name"].to_pylist()) == ["12", "3"]
