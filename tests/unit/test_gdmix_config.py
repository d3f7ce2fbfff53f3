"""GDMix's configuration, key by key: what it becomes, and what is refused."""

import copy
import json
import math

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gdmix.compat.configs import converted, prepare
from gdmix.compat.gdmix_config import convert, is_gdmix_config, tolerance_of
from gdmix.compat.gdmix_options import FixedParams, GdmixParams, RandomParams
from gdmix.compat.idle import idle_reason
from gdmix.config import TrainOptions
from gdmix.data.formats.tfrecord_writer import open_writer
from gdmix.errors import ConfigError, GdmixError

DRIVER = {"uid_column_name": "uid", "label_column_name": "y", "weight_column_name": "w"}


def write(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({"uid": [0, 1], "y": [0, 1], "user": [7, 8], **columns})
    with open_writer(path, table.schema) as writer:
        for batch in table.to_batches():
            writer.write(batch)
    return str(path.parent)


def pair(bag):
    return {f"{bag}_indices": [[0], [1]], f"{bag}_values": [[1.0], [2.0]]}


@pytest.fixture
def config(tmp_path):
    fixed = {
        "training_data_dir": write(tmp_path / "g" / "train" / "a.tfrecord", **pair("global")),
        "feature_bag": "global",
        "gdmix_config": dict(DRIVER),
    }
    random = {
        "training_data_dir": write(tmp_path / "u" / "train" / "a.tfrecord", **pair("mine")),
        "feature_bag": "mine",
        "partition_entity": "user",
        "gdmix_config": dict(DRIVER),
    }
    return {
        "output_dir": "out",
        "fixed_effect_config": {"global": fixed},
        "random_effect_config": {"per-user": random},
    }


def options(config):
    return TrainOptions.parse(convert(config, "c.yaml").options)


def test_defaults_are_those_of_gdmix(config):
    found = options(config)
    fixed, random = found.coordinates["global"], found.coordinates["per-user"]
    for coordinate in (fixed, random):
        assert (coordinate.l2, coordinate.l1) == (1.0, 0.0)
        assert coordinate.intercept
        # unlike our own default for a fixed effect
        assert coordinate.penalize_intercept
        assert coordinate.max_iterations == 100
        assert coordinate.tolerance == pytest.approx(1e-9)
        assert coordinate.sparsity_threshold == 0.0
        assert coordinate.variance == "none"
    assert (found.task, found.sweeps, found.metrics) == ("logistic", 1, ("auc",))
    assert (found.label, found.uid, found.output) == ("y", "uid", "out")
    # named, but not in the data: GDMix takes ones and zeros
    assert (found.weight, found.offset) == (None, None)


def test_every_option_that_shapes_the_solution(config, tmp_path):
    names = tmp_path / "names"
    names.write_text("a,\nb,\n")
    random = config["random_effect_config"]["per-user"]
    random |= {
        "l2_reg_weight": 2.5,
        "regularize_bias": False,
        "lbfgs_tolerance": 1e-7,
        "num_of_lbfgs_iterations": 33,
        "sparsity_threshold": 1e-4,
        "random_effect_variance_mode": "FULL",
        "feature_file": str(names),
    }
    config["fixed_effect_config"]["global"] |= {
        "has_intercept": False,
        "fixed_effect_variance_mode": "simple",
    }
    found = options(config)
    random = found.coordinates["per-user"]
    assert (random.l2, random.penalize_intercept, random.max_iterations) == (2.5, False, 33)
    assert (random.sparsity_threshold, random.variance) == (1e-4, "full")
    assert random.features[0].names == str(names)
    assert random.tolerance == 1e-7
    assert not found.coordinates["global"].intercept
    assert found.coordinates["global"].variance == "simple"


def test_the_penalty_of_a_squared_loss_is_halved(config):
    """GDMix: sum (s - y)^2 + l2/2 |w|^2; ours: half the squares."""
    for section in ("fixed_effect_config", "random_effect_config"):
        for params in config[section].values():
            params["l2_reg_weight"] = 3.0
            params["gdmix_config"]["model_type"] = "linear_regression"
    found = options(config)
    assert (found.task, found.metrics) == ("linear", ("mse",))
    assert found.coordinates["global"].l2 == found.coordinates["per-user"].l2 == 1.5


def test_weights_and_offsets_are_taken_where_they_are(config, tmp_path):
    folder = tmp_path / "weighted"
    columns = {"w": [1.5, 2.0], "offset": [0.1, 0.2], **pair("global")}
    write(folder / "a.tfrecord", **columns)
    config["fixed_effect_config"]["global"]["training_data_dir"] = str(folder)
    found = options(config)
    assert (found.weight, found.offset) == ("w", "offset")


def test_other_data_sets_are_joined(config, tmp_path):
    found = options(config)
    (join,) = found.joins
    assert join.train == (str(tmp_path / "u" / "train"),)
    assert join.key == "uid"
    assert join.columns == ("mine_indices", "mine_values")
    # one data set for both needs no join
    folder = write(tmp_path / "both" / "a.tfrecord", **pair("global"), **pair("mine"))
    config["fixed_effect_config"]["global"]["training_data_dir"] = folder
    config["random_effect_config"]["per-user"]["training_data_dir"] = folder
    assert options(config).joins == ()


def test_one_bag_name_in_two_data_sets_is_refused(config):
    config["random_effect_config"]["per-user"]["feature_bag"] = "global"
    with pytest.raises(ConfigError, match=r"per-user\.feature_bag: 'global' is also the bag of"):
        convert(config, "c.yaml")


def test_scores_of_an_outside_model(config, tmp_path):
    config["fixed_effect_config"]["deep"] = {
        "gdmix_config": {
            **DRIVER,
            "model_type": "detext",
            "training_score_dir": "s/train",
            "prediction_score_column_name": "logit",
        }
    }
    del config["fixed_effect_config"]["global"]
    config["fixed_effect_config"]["deep"]["gdmix_config"]["model_type"] = "logistic_regression"
    found = options(config)
    assert found.coordinates["deep"].score == "logit"
    assert list(found.coordinates) == ["deep", "per-user"]
    (join,) = found.joins
    assert (join.train, join.columns, join.key) == (("s/train",), ("logit",), "uid")
    # the rows are the first random effect's
    assert found.train == (str(tmp_path / "u" / "train"),)


def test_random_effects_alone(config):
    del config["fixed_effect_config"]
    assert list(options(config).coordinates) == ["per-user"]


def test_no_bag_is_intercepts_alone(config):
    random = config["random_effect_config"]["per-user"]
    del random["feature_bag"]
    random["feature_file"] = "nowhere"
    found = convert(config, "c.yaml")
    assert TrainOptions.parse(found.options).coordinates["per-user"].features == ()
    assert any(name.endswith("feature_file") for name, _ in found.report.ignored)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("output_dir", None, "output_dir: required option is missing"),
        ("fixed_effect_config.global.l2_reg_weigth", 1, "did you mean 'l2_reg_weight'"),
        ("fixed_effect_config.global.gdmix_config.uid_colum_name", 1, "mean 'uid_column_name'"),
        ("random_effct_config", {}, "did you mean 'random_effect_config'"),
        ("random_effect_config.per-user.partition_entity", None, "required option is missing"),
        ("random_effect_config.per-user.training_data_dir", None, "required option is missing"),
        ("fixed_effect_config.global.gdmix_config.model_type", "svm", "'logistic_regression'"),
        ("fixed_effect_config.global.gdmix_config.model_type", "linear_regression", "one loss"),
        ("fixed_effect_config.global.gdmix_config.action", "inference", "gdmix predict"),
        ("fixed_effect_config.global.gdmix_config.label_column_name", None, "label_column_name"),
        ("fixed_effect_config.global.l2_reg_weight", -1, "greater than or equal to 0"),
        ("fixed_effect_config.global.lbfgs_tolerance", "x", "a number"),
        ("fixed_effect_config.global.regularize_bias", "perhaps", "true or false"),
        ("fixed_effect_config.global.metric", "ndcg", "'auc' or 'mse'"),
        ("fixed_effect_config.global.validation_data_dir", "v", "for every coordinate, or for"),
        ("random_effect_config.per-user.gdmix_config.uid_column_name", "id", "rows are joined"),
        ("random_effect_config.per-user.gdmix_config.label_column_name", "z", "one label"),
        ("fixed_effect_config.other", {"gdmix_config": DRIVER}, "one fixed effect"),
        ("fixed_effect_config.global", 3, "a mapping of options"),
        ("fixed_effect_config", "x", "a mapping"),
        ("random_effect_config.model", None, ""),
    ],
)
def test_what_is_refused(config, path, value, expected):
    *parents, last = path.split(".")
    node = config
    for name in parents:
        node = node[name]
    if path == "random_effect_config.model":
        node["model"], expected = node.pop("per-user"), "a run has a folder of this name"
    elif value is None:
        del node[last]
    else:
        node[last] = value
    with pytest.raises(ConfigError) as caught:
        convert(config, "c.yaml")
    assert expected in str(caught.value)


def test_what_means_nothing_is_named_once(config):
    for section in ("fixed_effect_config", "random_effect_config"):
        for params in config[section].values():
            params["batch_size"] = 16
    config["random_effect_config"]["per-user"] |= {"num_of_consumers": 2, "num_partitions": 1}
    config["spark_config"] = {"executorInstances": 2}
    *_, last = convert(config, "c.yaml").report.summary()
    assert last.startswith("without a meaning here")
    assert last.endswith("batch_size, num_partitions, num_of_consumers, spark_config")


def test_every_option_is_mapped_or_passed_over(config, tmp_path):
    """No option may be read and then do nothing, unless the report says so."""
    given = {
        "fixed_effect_config.global": (FixedParams, config["fixed_effect_config"]["global"]),
        "random_effect_config.per-user": (
            RandomParams,
            config["random_effect_config"]["per-user"],
        ),
    }
    values = {
        "metadata_file": str(tmp_path / "metadata.json"),
        "validation_data_dir": str(tmp_path / "held-out"),
        "feature_file": str(tmp_path / "features"),
        "sparsity_threshold": 0.1,
        "data_format": "tfrecord",
        "metric": "auc",
    }
    for kind, params in given.values():
        for name, declared in kind.model_fields.items():
            default = "simple" if name.endswith("variance_mode") else declared.default
            default = 1 if idle_reason(kind, name) is not None else default
            if name == "output_model_dir":
                default = "elsewhere"
            params.setdefault(name, values.get(name, default))
    report = convert(config, "c.yaml").report
    told = {name for name, _ in [*report.mapped, *report.ignored]}
    for path, (kind, _) in given.items():
        untold = {name for name in kind.model_fields if f"{path}.{name}" not in told}
        # offsets are looked for in the rows, and said to be absent
        assert untold == {"gdmix_config", "offset_column_name"}


def test_weights_in_other_data_are_no_weights(config, tmp_path):
    folder = write(tmp_path / "w" / "a.tfrecord", w=[1.0, 2.0], **pair("mine"))
    config["random_effect_config"]["per-user"]["training_data_dir"] = folder
    notes = convert(config, "c.yaml").report.notes
    assert any("has the column 'w'" in note and "not used" in note for note in notes)


@pytest.mark.parametrize("fall", [0.0, 1e-16, 1e-12, 1e-7, 0.5])
def test_the_tolerance_is_never_looser_than_ours(fall):
    assert 1e-10 <= tolerance_of(fall) <= 1e-7
    if 1e-14 <= fall <= 1e-8:
        assert tolerance_of(fall) == pytest.approx(math.sqrt(fall) / 1000)


def test_the_golden_configuration(shared_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = shared_data("gdmix") / "gdmix-workflow" / "test" / "resources"
    path = folder / "lr-movieLens.yaml"
    found, report = converted(path)
    assert list(found.coordinates) == ["global", "per-user", "per-movie"]
    assert found.train == ("movieLens/global/trainingData",)
    assert [join.validation for join in found.joins] == [
        ("movieLens/per_user/validationData",),
        ("movieLens/per_movie/validationData",),
    ]
    assert any("cannot be read" in note for note in report.notes)
    # what is written is read back as the same options
    assert TrainOptions.parse(yaml.safe_load(found.to_yaml())) == found


def older(config):
    """Write a configuration as GDMix's first versions had it."""
    fixed = dict(config["fixed_effect_config"]["global"])
    random = dict(config["random_effect_config"]["per-user"])
    for params in (fixed, random):
        del params["gdmix_config"]
        params["train_data_path"] = params.pop("training_data_dir")
        params["action"] = "train"
        params["model_type"] = "logistic_regression"
        params["input_column_names"] = {
            "label": "y",
            "sample_id": "uid",
            "sample_weight": "w",
            "feature_bag": params.pop("feature_bag"),
        }
        params["output_column_name"] = "predictionScore"
        params["optimizer"] = {"optimizer_name": "LBFGS", "lbfgs_tolerance": 1e-7}
    return {
        "output_dir": "out",
        "fixed_effect_config": {"name": "global", **fixed},
        "random_effect_config": [{"name": "per-user", **random}],
    }


def test_the_older_form(config):
    found = options(older(config))
    for params in (
        config["fixed_effect_config"]["global"],
        config["random_effect_config"]["per-user"],
    ):
        params["lbfgs_tolerance"] = 1e-7
    assert found == options(config)


def test_the_older_form_as_it_is_documented(config):
    past = older(config)
    parameters = [{"lbfgs_tolerance": 1e-7, "num_of_lbfgs_iterations": 7}]
    past["fixed_effect_config"]["optimizer"] = {"name": "LBFGS", "params": parameters}
    assert options(past).coordinates["global"].max_iterations == 7


def test_the_older_form_as_json_with_tabs(config, tmp_path):
    past = older(config)
    path = tmp_path / "lr.config"
    path.write_text(json.dumps(past, indent="\t"))
    assert prepare(path).options == options(past)
    path.write_text(path.read_text()[:-9])
    with pytest.raises(ConfigError, match=r"lr\.config, line"):
        prepare(path)


@pytest.mark.parametrize(
    ("section", "value", "expected"),
    [
        ("random_effect_config", [{"name": "a"}, {"name": "a"}], "is there twice"),
        ("random_effect_config", [3], "a mapping of options with a name"),
        ("random_effect_config", [{}], "a mapping of options with a name"),
        ("fixed_effect_config", {"name": "a", "optimizer": 3}, "a mapping of options"),
        ("fixed_effect_config", {"name": "a", "optimizer": {"name": "TRON"}}, "'LBFGS'"),
        ("fixed_effect_config", {"name": "a", "model_type": "detext"}, "a.train_file: required"),
    ],
)
def test_the_older_form_gone_wrong(config, section, value, expected):
    past = older(config)
    past[section] = value
    with pytest.raises(ConfigError) as caught:
        convert(past, "c.yaml")
    assert expected in str(caught.value)


def test_files_of_ours_are_told_apart(tmp_path):
    assert not is_gdmix_config({"coordinates": {}})
    path = tmp_path / "ours.yaml"
    path.write_text("{label: y, train: a, output: b, coordinates: {g: {}}}")
    prepared = prepare(path, ("sweeps=3",))
    assert (prepared.report, prepared.beside, prepared.options.sweeps) == (None, None, 3)
    with pytest.raises(ConfigError, match="is ours already"):
        converted(path)


def test_overrides_are_of_our_options(config, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(config))
    found = prepare(path, ("coordinates.global.l2=9", "sweeps=2")).options
    assert (found.coordinates["global"].l2, found.sweeps) == (9.0, 2)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=4,
)
PLACES = [
    ("output_dir",),
    ("fixed_effect_config",),
    ("random_effect_config",),
    ("fixed_effect_config", "global"),
    ("random_effect_config", "per-user", "gdmix_config"),
    *(("fixed_effect_config", "global", name) for name in FixedParams.model_fields),
    *(("random_effect_config", "per-user", name) for name in RandomParams.model_fields),
    *(("fixed_effect_config", "global", "gdmix_config", name) for name in GdmixParams.model_fields),
]


@given(place=st.sampled_from(PLACES), value=ANYTHING, past=st.booleans())
def test_whatever_stands_there_is_taken_or_refused_clearly(place, value, past):
    driver = {"uid_column_name": "uid", "label_column_name": "y"}
    fixed = {"training_data_dir": "nowhere/a", "feature_bag": "a", "gdmix_config": driver}
    random = {"training_data_dir": "nowhere/b", "partition_entity": "u", "gdmix_config": driver}
    config = {
        "output_dir": "out",
        "fixed_effect_config": {"global": fixed},
        "random_effect_config": {"per-user": random},
    }
    config = copy.deepcopy(config)
    node = config
    for name in place[:-1]:
        node = node[name]
    node[place[-1]] = value
    if past and isinstance(config["fixed_effect_config"], dict):
        config["random_effect_config"] = [config["random_effect_config"]]
    try:
        found = convert(config, "c.yaml")
    except GdmixError:
        return
    TrainOptions.parse(found.options)
