"""Bad input through the command line: one clear error with its place, before any training."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def replace(path, column, values):
    table = pq.read_table(path)
    at = table.schema.get_field_index(column)
    pq.write_table(table.set_column(at, column, pa.array(values)), path)


def spoil(column, row, value, file="train.parquet"):
    def change(folder):
        path = folder / file
        values = pq.read_table(path)[column].to_pylist()
        values[row] = value
        replace(path, column, values)

    return change


def set_option(path, value):
    *parents, last = path.split(".")

    def change(values):
        for name in parents:
            values = values[name]
        values[last] = value

    return change


def nothing(_):
    pass


def drop_label(values):
    del values["label"]


def second_file(folder):
    (folder / "parts").mkdir()
    table = pq.read_table(folder / "train.parquet")
    pq.write_table(table, folder / "parts" / "a.parquet")
    return table


def without_column(folder):
    table = second_file(folder)
    pq.write_table(table.drop_columns("age"), folder / "parts" / "b.parquet")


def other_type(folder):
    table = second_file(folder)
    at = table.schema.get_field_index("age")
    text = pa.array(["old"] * table.num_rows)
    pq.write_table(table.set_column(at, "age", text), folder / "parts" / "b.parquet")


def duplicate_uid(folder):
    uids = np.arange(600)
    uids[44] = 7
    replace(folder / "train.parquet", "uid", uids)


def truncated(folder):
    path = folder / "train.parquet"
    path.write_bytes(path.read_bytes()[:-100])


def empty(folder):
    path = folder / "train.parquet"
    pq.write_table(pq.read_table(path).slice(0, 0), path)


def occupied(folder):
    (folder / "run").mkdir()
    (folder / "run" / "thesis.tex").write_text("do not delete")


CASES = {
    # name: change of the config, change of the files, words of the message
    "unknown option": (
        set_option("coordinates.per-user.l22", 1),
        nothing,
        ["coordinates.per-user.l22: unknown option", "did you mean 'l2'?"],
    ),
    "unknown top option": (
        set_option("cordinates", {}),
        nothing,
        ["cordinates: unknown option", "did you mean 'coordinates'?"],
    ),
    "missing option": (drop_label, nothing, ["label: required option is missing"]),
    "value of a wrong type": (
        set_option("coordinates.global.l2", "much"),
        nothing,
        ["coordinates.global.l2: found 'much'", "number"],
    ),
    "negative penalty": (
        set_option("coordinates.global.l2", -1),
        nothing,
        ["coordinates.global.l2: found -1", "greater than or equal to 0"],
    ),
    "unknown task": (set_option("task", "rank"), nothing, ["task: found 'rank'", "'logistic'"]),
    "unknown metric": (
        set_option("metrics", ["acu"]),
        nothing,
        ["metrics: no metric 'acu'", "did you mean 'auc'?"],
    ),
    "metric of another task": (
        set_option("metrics", ["rmse"]),
        nothing,
        ["metrics: 'rmse' is no metric of task 'logistic'; expected auc, aupr"],
    ),
    "metric without its k": (
        set_option("metrics", ["precision:user_id"]),
        nothing,
        ["metrics: 'precision' lacks the places to count; expected precision@10"],
    ),
    "metric of no place": (
        set_option("metrics", ["ndcg@0:user_id"]),
        nothing,
        ["metrics: found '0' in 'ndcg@0'; expected a whole number from 1"],
    ),
    "metric of a missing column": (
        set_option("metrics", ["auc", "auc:usr_id"]),
        nothing,
        ["metrics: column 'usr_id' not found in", "valid.parquet", "did you mean 'user_id'?"],
    ),
    "metric of the label": (
        set_option("metrics", ["auc:click"]),
        nothing,
        ["metrics: 'click' is the label; expected the column of an id"],
    ),
    "metric of groups that are no ids": (
        set_option("metrics", ["auc:age"]),
        nothing,
        ["valid.parquet, column 'age'", "found type double for an entity id", "(metrics)"],
    ),
    "metric of a group that is null": (
        set_option("metrics", ["auc:city"]),
        spoil("city", 4, None, "valid.parquet"),
        ["valid.parquet, row 5, column 'city': the entity id is null", "(metrics)"],
    ),
    "groups to save of no metric": (
        set_option("save_group_metrics", True),
        nothing,
        ["save_group_metrics: no metric is grouped; expected one such as 'auc:user_id'"],
    ),
    "groups to save without validation": (
        lambda values: values.update(save_group_metrics=True, metrics="auc:user_id", validation=[]),
        nothing,
        ["save_group_metrics: there is no validation data"],
    ),
    "label of a hinge": (
        set_option("task", "smoothed_hinge"),
        spoil("click", 9, 2),
        ["train.parquet, row 10, column 'click'", "0 or 1 for task 'smoothed_hinge'"],
    ),
    "negative count": (
        set_option("task", "poisson"),
        spoil("click", 9, -1),
        ["train.parquet, row 10, column 'click': the label is -1; expected 0 or more for task"],
    ),
    "negative gain": (
        lambda values: values.update(task="linear", metrics=["rmse", "ndcg@5:user_id"]),
        spoil("click", 9, -1, "valid.parquet"),
        ["valid.parquet, row 10, column 'click'", "0 or more for metric 'ndcg@5:user_id'"],
    ),
    "grid of a locked coordinate": (
        lambda values: values.update(
            initial_model="yesterday", locked=["global"], grid={"global.l2": [1, 2]}
        ),
        nothing,
        ["grid: global.l2: 'global' is locked", "unlock it, or remove this option"],
    ),
    "bound that is no number": (
        set_option("coordinates.global.bounds", [{"name": "age", "lower": float("nan")}]),
        nothing,
        ["coordinates.global.bounds.0.lower: found nan; expected a finite number"],
    ),
    "bound without a value": (
        set_option("coordinates.global.bounds", [{"name": "age"}]),
        nothing,
        ["coordinates.global.bounds.0", "neither lower nor upper is there; give one, or both"],
    ),
    "ridge beside an elastic net": (
        set_option("coordinates.global", {"elastic_net": {"weight": 2}, "l2": 3.0}),
        nothing,
        ["coordinates.global.l2", "beside elastic_net, which stands in its place; remove one"],
    ),
    "name that is no folder": (
        set_option("coordinates.a/b", {}),
        nothing,
        ["coordinates.a/b: found 'a/b'", "a name of letters, digits"],
    ),
    "no coordinates": (
        set_option("coordinates", {}),
        nothing,
        ["coordinates: found {}; expected at least 1"],
    ),
    "missing entity column": (
        set_option("coordinates.per-user.entity", "usr_id"),
        nothing,
        ["coordinates.per-user.entity: column 'usr_id' not found", "did you mean 'user_id'?"],
    ),
    "missing feature column": (
        set_option("coordinates.global.features", ["aeg"]),
        nothing,
        ["coordinates.global.features: column 'aeg' not found", "did you mean 'age'?"],
    ),
    "missing label column": (
        set_option("label", "clik"),
        nothing,
        ["label: column 'clik' not found", "did you mean 'click'?"],
    ),
    "missing file": (
        lambda values: set_option("train", values["train"].replace("train.", "trian."))(values),
        nothing,
        ["trian.parquet: no such file", "did you mean 'train.parquet'?"],
    ),
    "unknown format": (
        lambda values: set_option("train", values["train"].replace("train.parquet", "notes.doc"))(
            values
        ),
        lambda folder: (folder / "notes.doc").write_text("hello"),
        ["notes.doc: unknown format '.doc'", ".parquet"],
    ),
    "truncated file": (nothing, truncated, ["train.parquet: not a Parquet file", "complete"]),
    "no rows": (nothing, empty, ["train.parquet", "no rows"]),
    "infinite feature": (
        nothing,
        spoil("age", 122, float("inf")),
        ["train.parquet, row 123, column 'age'", "found inf", "finite"],
    ),
    "NaN label": (
        nothing,
        spoil("click", 9, None),
        ["train.parquet, row 10, column 'click'", "null"],
    ),
    "label out of range": (
        nothing,
        spoil("click", 20, 2),
        ["train.parquet, row 21, column 'click'", "label is 2", "0 or 1"],
    ),
    "negative weight": (
        set_option("weight", "weight"),
        spoil("weight", 33, -1.0),
        ["train.parquet, row 34, column 'weight'", "weight is -1", "0 or more"],
    ),
    "null entity": (
        nothing,
        spoil("item_id", 3, None),
        ["train.parquet, row 4, column 'item_id'", "entity id is null"],
    ),
    "fractional entity": (
        set_option("coordinates.per-user.entity", "age"),
        nothing,
        ["column 'age'", "type double for an entity id"],
    ),
    "duplicate uid": (
        set_option("unique_uid", True),
        duplicate_uid,
        ["row 45, column 'uid'", "uid 7 repeats that of row 8"],
    ),
    "column missing in one file": (
        lambda values: set_option("train", values["train"].replace("train.parquet", "parts"))(
            values
        ),
        without_column,
        ["b.parquet", "column 'age' is missing", "a.parquet has it"],
    ),
    "types differ between files": (
        lambda values: set_option("train", values["train"].replace("train.parquet", "parts"))(
            values
        ),
        other_type,
        ["b.parquet, column 'age'", "string", "double as in", "a.parquet"],
    ),
    "output is something else": (
        nothing,
        occupied,
        ["run: exists and is not a run directory", "choose another output"],
    ),
    "output cannot be made": (
        lambda values: set_option("output", values["train"] + "/run")(values),
        nothing,
        ["train.parquet/run: cannot be made"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_training_input(name, run, config, tmp_path):
    change, files, words = CASES[name]
    path = config(change)
    files(tmp_path)
    status, _, err = run("train", path)
    assert status == 2
    assert err.startswith("error: ")
    assert "Traceback" not in err
    for word in words:
        assert word in err, err
    assert not (tmp_path / "run" / "log.jsonl").exists()


def test_bad_yaml(run, tmp_path):
    path = tmp_path / "config.yaml"
    for text, words in {
        "task: logistic\nlabel: [a\n": "line 3",
        "label: a\nlabel: b\n": "config.yaml, line 2: key 'label' is given twice",
        "- a\n": "found list; expected a mapping",
        "": "expected a mapping",
    }.items():
        path.write_text(text)
        status, _, err = run("train", path)
        assert status == 2
        assert words in err
    status, _, err = run("train", tmp_path / "confg.yaml")
    assert (status, "no such file" in err) == (2, True)


def test_bad_use_of_a_model(run, config, tmp_path):
    assert run("train", config(), "--quiet")[0] == 0
    folder, data, out = tmp_path / "run", tmp_path / "valid.parquet", tmp_path / "s.parquet"
    cases = [
        (["train", tmp_path / "config.yaml"], "holds a finished run; --overwrite replaces it"),
        (["train", tmp_path / "config.yaml", "--set", "sweeps"], "no assignment"),
        (["predict", tmp_path / "nothing", data, "-o", out], "no model here"),
        (["predict", folder, data, "-o", tmp_path / "s.csv"], "a file name ending in .parquet"),
        (["predict", folder, tmp_path / "no-*.parquet", "-o", out], "no such file"),
        (["evaluate", folder, data, "-m", "acu"], "did you mean 'auc'?"),
        (["inspect", folder, "-c", "per-usr"], "did you mean 'per-user'?"),
        (["inspect", folder, "-c", "per-user", "-e", "9999"], "no model for user_id '9999'"),
        (["inspect", folder, "-e", "1"], "--coordinate, one of per-user, per-item"),
        (["init", data, "-o", tmp_path / "config.yaml"], "exists already; --overwrite"),
        (["datasets", "get", "movielens"], "did you mean 'movielens-100k'?"),
        (["report", tmp_path / "nothing"], "nothing"),
    ]
    for arguments, words in cases:
        status, _, err = run(*arguments)
        assert status == 2, arguments
        assert err.startswith("error: "), err
        assert words in err, err
    # unlabelled data can be scored but not evaluated
    pq.write_table(pq.read_table(data).drop_columns("click"), data)
    assert run("predict", folder, data, "-o", out, "--quiet") == (0, "", "")
    status, _, err = run("evaluate", folder, data)
    assert "label: column 'click' not found" in err


def test_damaged_model(run, config, tmp_path):
    assert run("train", config(), "--quiet")[0] == 0
    part = tmp_path / "run" / "model" / "per-user" / "coefficients" / "part-00000.parquet"
    content = bytearray(part.read_bytes())
    content[50] ^= 1
    part.write_bytes(content)
    status, _, err = run("inspect", tmp_path / "run")
    assert status == 2
    assert "part-00000.parquet: the file is damaged" in err
    part.unlink()
    assert "the file is missing" in run("inspect", tmp_path / "run")[2]
    manifest = tmp_path / "run" / "model" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 99'))
    assert "format 99; expected format 1" in run("inspect", tmp_path / "run")[2]
