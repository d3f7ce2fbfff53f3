"""Photon-ML's command line becomes our options, and each of its parameters is accounted for."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gdmix.compat.photon_command import translate
from gdmix.compat.photon_legacy import box_constraints
from gdmix.compat.photon_parameters import DRIVERS
from gdmix.compat.photon_words import read_command
from gdmix.config import TrainOptions
from gdmix.errors import ConfigError, DataError, GdmixError
from tests.photon import GLOBAL, per, training, words

BAG = pa.list_(pa.struct([("name", pa.string()), ("term", pa.string()), ("value", pa.float64())]))
SCHEMA = pa.schema(
    {
        "response": pa.float64(),
        "songId": pa.int64(),
        "weight": pa.float64(),
        "metadataMap": pa.map_(pa.string(), pa.string()),
        "features": BAG,
        "songFeatures": BAG,
    }
)
ROW = {"response": 1.0, "songId": 7, "weight": None, "metadataMap": [("userId", "u")]}
ROW |= {"features": [{"name": "a", "term": "", "value": 1.0}], "songFeatures": []}


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "train.parquet"
    pq.write_table(pa.Table.from_pylist([ROW] * 4, SCHEMA), path)
    return path


def asked(data, **more):
    return translate(words(training(data, "out", **more)))


def notes(found):
    return " ".join(found.report.notes)


def test_the_least_command(data):
    found = asked(data)
    assert found.options.plain() == {
        "label": "response",
        "weight": "weight",
        "null_defaults": True,
        "positive_above": 0.5,
        "coordinates": {
            "global": {
                "features": ["shard1"],
                "l2": 10.0,
                "penalize_intercept": True,
                "tolerance": 1e-5,
                "max_iterations": 10,
                "optimizer": "tron",
            }
        },
        "bags": {"shard1": ["features"]},
        "train": [str(data)],
        "output": "out/gdmix",
    }
    assert not found.overwrite
    assert (
        "--coordinate-configurations global: min.partitions",
        "all rows are in one process",
    ) in (found.report.ignored)


def test_a_mixed_model(data):
    shards = ["name=shard1,feature.bags=features|songFeatures", "name=s,feature.bags=songFeatures"]
    shards.append("name=none,intercept=true")
    bounds = {"active_data_lower_bound": 2, "active_data_upper_bound": 9}
    found = asked(
        data,
        validation_data_directories=data,
        training_task="LINEAR_REGRESSION",
        feature_shard_configurations=shards,
        coordinate_configurations=[
            GLOBAL.replace("TRON", "LBFGS").replace("weights=10", "weights=1|10|0.1|10"),
            per("user", "none", **bounds, features_to_samples_ratio=0.5, incremental_weight=0.9),
            per("song", "s").replace("name=per-song", "name=s"),
        ],
        coordinate_update_sequence="global,s,per-user",
        coordinate_descent_iterations=3,
        evaluators="RMSE,squared_loss",
        normalization="SCALE_WITH_MAX_MAGNITUDE",
        variance_computation_type="SIMPLE",
        model_sparsity_threshold="1e-4",
        data_summary_directory="summary",
        output_mode="ALL",
        override_output_directory="true",
        ignore_threshold_for_new_models="true",
    )
    options = found.options
    assert (options.sweeps, options.sweep_tolerance) == (3, 0.0)
    assert (options.metrics, options.keep_best) == (("rmse", "squared_loss"), True)
    assert options.grid == {"global.l2": (10.0, 1.0, 0.1)}
    assert (options.statistics, options.output_mode, options.positive_above) == (True, "all", None)
    assert list(options.coordinates) == ["global", "s", "per-user"]
    user = options.coordinates["per-user"]
    assert user.entity == "metadataMap.userId"
    assert options.coordinates["s"].entity == "songId"
    assert user.features == ()
    assert (user.active_lower_bound, user.active_upper_bound) == (2, 9)
    assert (user.features_to_samples_ratio, user.prior_weight) == (0.5, 0.9)
    # the intercept is spared only where a coordinate has the name of its shard
    assert not options.coordinates["s"].penalize_intercept
    for coordinate in options.coordinates.values():
        assert coordinate.normalization == "max_magnitude"
        assert coordinate.variance == "simple"
        assert coordinate.sparsity_threshold == 1e-4
    assert user.ignore_lower_bound_for_new
    assert found.overwrite


def test_penalties(data):
    def of(text):
        line = GLOBAL.replace("regularization=L2,reg.weights=10", text)
        return asked(data, coordinate_configurations=line.replace("TRON", "LBFGS"))

    found = of("regularization=L1,reg.weights=3").options.coordinates["global"]
    assert (found.l1, found.l2, found.optimizer) == (3.0, 0.0, "owlqn")
    found = of("regularization=ELASTIC_NET,reg.alpha=0.25,reg.weights=3")
    net = found.options.coordinates["global"].elastic_net
    assert (net.weight, net.alpha) == (3.0, 0.25)
    assert of("down.sampling.rate=0.5").options.coordinates["global"].l2 == 0.0
    # without validation data the last point is what Photon-ML takes: that of the least weights
    found = of("regularization=L2,reg.weights=0.5|2")
    assert found.options.coordinates["global"].l2 == 0.5
    assert not found.options.grid
    assert "smallest weights" in notes(found)
    with pytest.raises(ConfigError, match=r"reg.alpha: is missing"):
        of("regularization=ELASTIC_NET,reg.weights=3")


def test_evaluators_with_groups(data):
    found = asked(
        data,
        validation_data_directories=data,
        evaluators="auc:userId,PRECISION@5:songId,AUPR,LOGISTICLOSS",
        save_per_group_evaluation_result="true",
    ).options
    metrics = ("auc:metadataMap.userId", "precision@5:songId", "aupr", "logistic_loss")
    assert found.metrics == metrics
    assert found.save_group_metrics


def test_an_id_is_a_column_or_a_key_of_the_metadata(tmp_path):
    path = tmp_path / "d.parquet"
    pq.write_table(pa.table({"response": [1.0], "user": [1]}), path)
    line = {
        "coordinate_configurations": per("user", "shard1"),
        "coordinate_update_sequence": "per-user",
    }
    with pytest.raises(ConfigError, match=r"random.effect.type: column 'userId' not found.*'user'"):
        asked(path, **line)


def test_feature_lists(data):
    found = asked(data, feature_bags_directory="lists/").options
    assert found.bags["shard1"][0].only == "lists/features"


def test_a_shard_named_like_a_column_is_its_columns(data):
    found = asked(
        data,
        feature_shard_configurations="name=features,feature.bags=features|songFeatures",
        coordinate_configurations=GLOBAL.replace("shard1", "features"),
    ).options
    assert not found.bags
    columns = [feature.column for feature in found.coordinates["global"].features]
    assert columns == ["features", "songFeatures"]


def test_columns_by_other_names(tmp_path):
    schema = pa.schema({"y": pa.float64(), "meta": SCHEMA.field("metadataMap").type, "id": "int64"})
    path = tmp_path / "d.parquet"
    pq.write_table(
        pa.Table.from_pylist([{"y": 1.0, "meta": [("userId", "u")], "id": 1}], schema), path
    )
    found = asked(
        path,
        input_column_names="response=y,metadataMap=meta,uid=id",
        coordinate_configurations=per("user", "shard1"),
        coordinate_update_sequence="per-user",
    ).options
    assert (found.label, found.uid, found.weight) == ("y", "id", None)
    assert not found.null_defaults
    assert found.coordinates["per-user"].entity == "meta.userId"
    with pytest.raises(ConfigError, match=r"input-column-names: response: column 'yy' not found"):
        asked(path, input_column_names="response=yy")


def test_locked_coordinates_are_as_in_the_model(data, tmp_path):
    for kind, name, text in (
        ("fixed-effect", "global", "shard1"),
        ("random-effect", "per-user", "userId\nshard1\n"),
    ):
        folder = tmp_path / "model" / kind / name
        folder.mkdir(parents=True)
        (folder / "id-info").write_text(text, encoding="utf-8")
    locked = {
        "model_input_directory": tmp_path / "model",
        "partial_retrain_locked_coordinates": "global,per-user",
        "coordinate_configurations": per("song", "shard1"),
        "coordinate_update_sequence": "global,per-user,per-song",
    }
    found = asked(data, **locked).options
    assert found.locked == ("global", "per-user")
    assert found.initial_model == str(tmp_path / "model")
    assert found.coordinates["per-user"].entity == "metadataMap.userId"
    with pytest.raises(ConfigError, match="is not in the model"):
        asked(
            data,
            **locked
            | {
                "partial_retrain_locked_coordinates": "global,per-user,per-song",
                "coordinate_configurations": GLOBAL.replace("global", "x"),
            },
        )
    with pytest.raises(ConfigError, match="is configured too"):
        asked(data, **locked | {"coordinate_configurations": GLOBAL})
    with pytest.raises(ConfigError, match="no --model-input-directory"):
        asked(data, **locked | {"model_input_directory": None})


def test_days(tmp_path):
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=ago) for ago in (1, 2, 5)]
    for day in days:
        folder = tmp_path / "daily" / f"{day:%Y/%m/%d}"
        folder.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist([ROW], SCHEMA), folder / "part.parquet")
    data = tmp_path / "daily"
    assert asked(data, input_data_days_range="3-1").options.train_dates == "3-1"
    found = asked(data, input_data_days_range="3-1", time_zone="UTC").options
    assert found.train_dates == f"{today - timedelta(3):%Y%m%d}-{days[0]:%Y%m%d}"
    dates = f"{days[2]:%Y%m%d}-{days[1]:%Y%m%d}"
    assert asked(data, input_data_date_range=dates).options.train_dates == dates
    with pytest.raises(DataError, match="no data files on the days"):
        asked(data, input_data_date_range="19990101-19990131")
    for wrong in ("20161301-20170101", "2016-2017", "00000000-99999999", "20200101-20190101"):
        with pytest.raises(ConfigError, match="input-data-date-range"):
            asked(data, input_data_date_range=wrong)
    with pytest.raises(ConfigError, match="give one of the two"):
        asked(data, input_data_date_range=dates, input_data_days_range="3-1")
    with pytest.raises(ConfigError, match="time zone"):
        asked(data, input_data_days_range="3-1", time_zone="Moon/Base")


WRONG = {
    "training_task": ("RANKING", "training-task: found 'RANKING'.*LOGISTIC_REGRESSION"),
    "training-taks": ("X", "training-taks: no parameter.*did you mean 'training-task'"),
    "coordinate_update_sequence": ("globl", "'globl' has no --coordinate-configurations"),
    "coordinate_descent_iterations": (
        "0",
        "coordinate-descent-iterations: found '0'; expected a wh",
    ),
    "coordinate_configurations": [
        (GLOBAL.replace("max.iter", "max.iters"), "max.iters: is unknown.*did you mean 'max.iter'"),
        (GLOBAL.replace(",max.iter=10", ""), "max.iter: is missing"),
        (GLOBAL.replace("shard1", "shard2"), "no feature shard 'shard2'; did you mean 'shard1'"),
        (GLOBAL.replace("TRON", "SGD"), "optimizer: found 'SGD'; expected LBFGS, TRON"),
        (GLOBAL.replace("L2", "L1"), "TRON cannot hold an L1"),
        (GLOBAL.replace("weights=10", "weights=1||2"), "reg.weights: found '1||2'"),
        (
            GLOBAL.replace("weights=10", "weights=-1"),
            "reg.weights: found '-1'; expected a number f",
        ),
        (GLOBAL.replace("weights=10", "weights=nan"), "reg.weights: found 'nan'"),
        (GLOBAL + ",name=again", "name: is given twice"),
        (GLOBAL + ",x", "found 'x'"),
        (GLOBAL.replace("1.0E-5", "2"), "tolerance: found 2; expected between 0 and 1"),
        ([GLOBAL, GLOBAL], "global: is configured twice"),
    ],
    "feature_shard_configurations": ("feature.bags=x", "name: is missing"),
    "input_column_names": ("respons=y", "respons: is unknown.*did you mean 'response'"),
    "evaluators": [
        ("AUCC", "did you mean 'AUC'"),
        ("RMSE:userId", "AUC:idTag or PRECISION@k:idTag"),
        ("PRECISION:userId", "PRECISION@k:idTag"),
        ("AUC,,", "found 'AUC,,'"),
    ],
    "output_mode": ("BETS", "did you mean 'BEST'"),
    "normalization": ("L2", "normalization: found 'L2'"),
    "override_output_directory": ("maybe", "expected true or false"),
    "incremental_training": ("true", "no --model-input-directory"),
}
CASES = [
    (name, *case)
    for name, cases in WRONG.items()
    for case in (cases if isinstance(cases, list) else [cases])
]


@pytest.mark.parametrize(("name", "value", "message"), CASES)
def test_wrong_values_name_their_parameter(data, name, value, message):
    pattern = message.replace("(", r"\(").replace("|", r"\|")
    with pytest.raises((ConfigError, DataError), match=pattern):
        asked(data, **{name: value})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("--input-data-directories", "has no value"),
        ("--input-data-directories --training-task X", "has no value"),
        ("train this", "found 'train'"),
        ("'", "cannot be read"),
        ("spark-submit --class x.Driver", "there is no jar"),
        ("spark-submit --class x.Trainer a.jar --task X", "no driver of Photon-ML"),
        ("--training-task X --training-task Y", "given twice"),
        ("--root-output-directory x", "which driver"),
        ("--zzz x", "no parameter"),
        ("--model-input-directory m --input-data-directories d", "root-output-directory: required"),
    ],
)
def test_no_command(text, message):
    with pytest.raises(ConfigError, match=message):
        read_command(text)


def test_every_parameter_becomes_something_or_says_why(data):
    """A parameter is in the report, or is one of the few that act on others."""
    silent = {
        "input-data-date-range",
        "input-data-days-range",
        "validation-data-date-range",
        "validation-data-days-range",
        "time-zone",
        "feature-shard-configurations",
        "input-column-names",
        "override-output-directory",
    }
    values = {
        "data-validation": "VALIDATE_FULL", "normalization": "NONE", "output-mode": "BEST",
        "evaluators": "AUC", "feature-bags-directory": "x", "model-input-directory": "m",
        "variance-computation-type": "NONE", "compute-variance": "true",
        "model-sparsity-threshold": "1e-4", "incremental-training": "true",
        "ignore-threshold-for-new-models": "true", "save-per-group-evaluation-result": "true",
        "validation-data-directories": str(data), "data-summary-directory": "s",
    }  # fmt: skip
    rest = DRIVERS["training"].keys() - silent - {"partial-retrain-locked-coordinates"}
    more = {name: values.get(name, "1") for name in rest - training(data, "out").keys()}
    report = asked(data, **more).report
    named = " ".join(name for name, _ in [*report.mapped, *report.ignored])
    for name in rest:
        assert f"--{name}" in named, name


def test_spark_submit_goes_and_the_words_may_be_glued(data):
    given = training(data, "out", feature_shard_configurations=None)
    line = words(given) + " --feature-shard-configurations=name=shard1,feature.bags=features"
    spark = (
        "#!/bin/bash\nset -e\nspark-submit \\\n  --class com.linkedin.photon.ml.cli.game.training."
        "GameTrainingDriver \\\n --jars a.jar --master 'local[*]' photon-all.jar \\\n"
    )
    assert translate(spark + line).options == asked(data).options


def test_data_that_is_elsewhere(tmp_path):
    line = words(training(tmp_path / "not" / "here", "out", input_column_names="uid=id"))
    with pytest.raises(DataError, match="no such file"):
        translate(line)
    found = translate(line, there=False)
    assert (found.options.label, found.options.uid) == ("response", "id")
    assert "the data is not here" in notes(found)


def test_names_that_are_no_folders(data):
    line = GLOBAL.replace("name=global", "name=per member.v2")
    found = asked(data, coordinate_configurations=line, coordinate_update_sequence="per member.v2")
    assert list(found.options.coordinates) == ["per-member-v2"]
    assert "per-member-v2" in notes(found)


@given(
    weights=st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=4),
    kind=st.sampled_from(["NONE", "L1", "L2", "ELASTIC_NET"]),
    alpha=st.floats(0, 1),
    rate=st.floats(0.01, 1),
    sweeps=st.integers(1, 9),
    mode=st.sampled_from(["NONE", "BEST", "EXPLICIT", "TUNED", "ALL"]),
    normalization=st.sampled_from(["NONE", "STANDARDIZATION"]),
    name=st.text(st.sampled_from("abz09-_. é"), min_size=1)
    .map(str.strip)
    .filter(lambda text: text and text[0] != "-"),
)
def test_what_is_written_reads_back(weights, kind, alpha, rate, sweeps, mode, normalization, name):
    numbers = "|".join(map(repr, weights))
    line = (
        f"name={name},feature.shard=s,min.partitions=1,optimizer=LBFGS,max.iter=7,tolerance=1e-6,"
        f"regularization={kind},reg.alpha={alpha!r},reg.weights={numbers},down.sampling.rate={rate!r}"
    )
    command = training(
        Path("/nowhere/data"),
        "out",
        validation_data_directories="/nowhere/else",
        feature_shard_configurations="name=s,feature.bags=a|b",
        coordinate_configurations=[line, per("user", "s")],
        coordinate_update_sequence=f"{name},per-user",
        coordinate_descent_iterations=sweeps,
        output_mode=mode,
        normalization=normalization,
    )
    found = translate(words(command), there=False).options
    assert TrainOptions.parse(yaml.safe_load(found.to_yaml())) == found


LINE = words(
    training(
        "/nowhere",
        "out",
        validation_data_directories="/nowhere/else",
        coordinate_configurations=[GLOBAL, per("user", "shard1", active_data_upper_bound=9)],
        coordinate_update_sequence="global,per-user",
        evaluators="AUC:userId,PRECISION@3:userId",
        input_data_date_range="20200101-20200102",
        time_zone="UTC",
    )
)


@given(st.data())
def test_a_damaged_command_is_one_error(data):
    text = LINE
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        gone = data.draw(st.integers(0, 12))
        new = data.draw(
            st.sampled_from(["", "'", "|", ",", "=", "-", " ", "\\", "9" * 30, "é\0", "--"])
        )
        text = text[:at] + new + text[at + gone :]
    with suppress(GdmixError):
        assert translate(text, there=False).options.coordinates


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "is no JSON"),
        ("{}", "is no list"),
        ("[1]", "is no list"),
        ('[{"name": "a"}]', "item 1: has no name and term"),
        ('[{"name": "a", "term": "", "lowerBound": "low"}]', "lowerBound: found 'low'"),
        ('[{"name": "a", "term": "", "lowerBound": NaN}]', "lowerBound: found nan"),
    ],
)
def test_wrong_constraints(text, message):
    with pytest.raises(ConfigError, match=message):
        box_constraints(text)


def test_constraints():
    text = '[{"name": "a", "term": "*", "lowerBound": -Infinity, "upperBound": 1}, '
    text += '{"name": "b", "term": ""}]'
    assert box_constraints(text) == [{"name": "a", "term": "*", "upper": 1}]
