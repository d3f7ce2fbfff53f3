"""GDMix's DeText recipe on MovieLens, and DeText's own ranking records, on the command line."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from sklearn.metrics import ndcg_score, roc_auc_score

from gdmix import datasets
from gdmix.cli.training import chosen
from gdmix.compat.configs import converted, prepare
from gdmix.config import TrainOptions
from gdmix.data.formats.avro_records import read_records
from gdmix.data.formats.tfrecord import TFRecord
from gdmix.errors import ConfigError
from gdmix.workflow import train
from tests.gdmix_layout import lay_out, lay_out_texts

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

COORDINATES = ("global", "per-user", "per-movie")
PUBLISHED = {"global": 0.7090, "per-movie": 0.7680}
RECIPE = "gdmix-workflow/test/resources/detext-movieLens.yaml"


def finished(shared_data, folder, keep, *overrides):
    """Run GDMix's file in `folder`, where its data lies, and return its output."""
    config = shared_data("gdmix") / RECIPE
    data = datasets.get(
        "movielens-100k", source=shared_data("ml-100k"), output=folder / "parquet", seed=0
    )
    tables = lay_out(data.train, data.validation, folder, keep)
    lay_out_texts(tables, folder)
    with pytest.MonkeyPatch.context() as patch:
        # the paths of the file are relative to where it is run
        patch.chdir(folder)
        asked = chosen(None, config, None, None, overrides)
        train(asked.prepared.options, beside=asked.prepared.beside)
    return folder / "detext-training", tables


@pytest.fixture(scope="module")
def small(shared_data, tmp_path_factory):
    steps = ("coordinates.global.training.steps=30", "report=false")
    folder = tmp_path_factory.mktemp("small")
    return finished(shared_data, folder, lambda table: table.slice(0, 3000), *steps)


def scores(path):
    """Return uid, label, score up to the coordinate, and its own."""
    found = [record for file in sorted(path.rglob("*.avro")) for record in read_records(file)]
    names = ("uid", "response", "predictionScore", "predictionScorePerCoordinate")
    columns = [np.array([record[name] for record in found]) for name in names]
    order = np.argsort(columns[0])
    return [column[order] for column in columns]


@pytest.mark.parametrize(
    ("split", "folder"), [("trainingData", "train_scores"), ("validationData", "validation_scores")]
)
def test_each_coordinate_stands_on_those_before_it(small, split, folder):
    out, tables = small
    table = tables[split, "global"][0]
    total = np.zeros(table.num_rows)
    for name in COORDINATES:
        uid, label, score, own = scores(out / name / folder)
        assert uid.tolist() == sorted(table["uid"].to_pylist())
        truth = dict(zip(table["uid"].to_pylist(), table["response"].to_pylist(), strict=True))
        assert label.tolist() == [truth[each] for each in uid.tolist()]
        total = total + own
        np.testing.assert_allclose(score, total, rtol=0, atol=1e-5)
        if split == "validationData":
            value = json.loads((out / name / "metric" / "evalSummary.json").read_text())
            assert value["auc"] == pytest.approx(roc_auc_score(label, score), abs=1e-6)


def test_models_are_where_they_were_but_for_the_network(small):
    out, _ = small
    assert (out / "per-user" / "models" / "part-00000.avro").is_file()
    assert not (out / "global" / "models").exists()
    assert (out / "model" / "global" / "coefficients" / "model.safetensors").is_file()


@pytest.mark.slow
def test_the_published_figures(shared_data, tmp_path):
    """GDMix's file as it is: AUC of the network alone, and of all three."""
    out, _ = finished(shared_data, tmp_path, lambda table: table)
    for name, figure in PUBLISHED.items():
        value = json.loads((out / name / "metric" / "evalSummary.json").read_text())["auc"]
        # another split of the same ratings
        assert value > figure - 0.006, (name, value)


def test_the_recipe_key_by_key(shared_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found, report = converted(shared_data("gdmix") / RECIPE)
    deep = found.coordinates["global"]
    encoder, training = deep.network.encoder, deep.training
    assert (encoder.kind, encoder.units, encoder.filters, encoder.windows) == ("cnn", 64, 50, (3,))
    assert (encoder.max_length, encoder.min_length) == (16, 3)
    assert encoder.vocabulary == "movieLens/detext/vocab.txt"
    assert deep.network.document_texts == ("doc_query",)
    assert [feature.column for feature in deep.network.embedded] == ["wide_ftrs_sp"]
    assert (training.steps, training.batch, training.optimizer) == (1000, 64, "adamw")
    assert (training.learning_rate, training.evaluate_every, training.device) == (0.002, 100, "cpu")
    assert (found.task, found.label, found.uid, found.metrics) == (
        *("logistic", "response", "uid"),
        ("auc",),
    )
    assert found.train == ("movieLens/detext/trainingData",)
    assert list(found.coordinates) == list(COORDINATES)
    assert TrainOptions.parse(yaml.safe_load(found.to_yaml())) == found
    # every argument of the file is spoken of
    values = yaml.safe_load((shared_data("gdmix") / RECIPE).read_text())
    given = values["fixed_effect_config"]["global"]
    told = {name for name, _ in [*report.mapped, *report.ignored]}
    told = {name.partition(": ")[0].rpartition("global.")[2] for name in told}
    assert set(given) - {"gdmix_config"} <= told


def changed(shared_data, tmp_path, **values):
    config = yaml.safe_load((shared_data("gdmix") / RECIPE).read_text())
    config["fixed_effect_config"]["global"] |= values
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"num_filter": 3}, "fixed_effect_config.global.num_filter: unknown option; did you mean"),
        ({"elem_rescale": True}, "global.elem_rescale: no argument any more"),
        ({"task_type": "ranking", "ltr_loss_fn": "softmax"}, "global.ltr_loss_fn: found 'softmax'"),
        ({"task_type": "classification", "num_classes": 3}, "random effects cannot go on from"),
        ({"label_column_name": "click"}, "found 'click', and 'response' in gdmix_config"),
        ({"ftr_ext": "bert"}, "global.bert_hub_url: required by ftr_ext bert"),
        ({"embedding_hub_url": "x"}, "global.embedding_hub_url: TensorFlow's hub layers"),
        ({"train_file": None}, "global.train_file"),
    ],
)
def test_what_is_refused(shared_data, tmp_path, monkeypatch, values, expected):
    monkeypatch.chdir(tmp_path)
    if values.get("task_type") == "classification":
        values["pmetric"] = "accuracy"
    with pytest.raises(ConfigError) as caught:
        prepare(changed(shared_data, tmp_path, **values))
    assert expected in str(caught.value)


def test_entities_that_deep_data_lacks_come_with_the_others(shared_data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "movieLens" / "detext" / "trainingData"
    folder.mkdir(parents=True)
    table = pa.table({"uid": [1], "response": [1.0], "doc_query": ["a"]})
    with TFRecord().open_writer(folder / "a.tfrecord", table.schema) as writer:
        writer.write(table.to_batches()[0])
    found = prepare(changed(shared_data, tmp_path)).options
    assert [join.columns[-1] for join in found.joins] == ["user_id", "movie_id"]


@pytest.mark.parametrize("loss", ["softmax", "pairwise", "pointwise"])
def test_ranking_records(shared_data, tmp_path, loss):
    """Ten queries of DeText's own test: lists become rows, and NDCG is that of the lists."""
    resources = shared_data("gdmix") / "gdmix-trainer" / "test" / "resources"
    data = resources / "train" / "dataset" / "tfrecord"
    text = (
        f"python run_detext.py --task_type ranking --ltr_loss_fn {loss} --ftr_ext=cnn "
        "--query_column_name query --doc_text_column_names doc_completedQuery "
        "--user_text_column_names usr_headline usr_skills "
        "--doc_id_column_names docId_completedQuery --user_id_column_names usrId_currTitles "
        "--dense_ftrs_column_names wide_ftrs one_more_wide_ftrs --nums_dense_ftrs 3 3 "
        "--label_column_name label --weight_column_name weight --num_hidden 10 --num_filters 4 "
        "--num_units 4 --max_len 16 --optimizer lamb --learning_rate 0.002 --num_train_steps 4 "
        "--steps_per_eval 2 --pmetric ndcg@10 --train_batch_size 2 --emb_sim_func inner concat "
        f"--vocab_file {resources / 'vocab.txt'} --train_file {data} --dev_file {data} "
        f"--test_file {data} --out_dir {tmp_path / 'out'} --num_gpu 0"
    )
    asked = chosen(None, None, None, text, ("report=false",))
    assert asked.again == ["--detext", text, "--set", "report=false"]
    run = train(asked.prepared.options)
    found = run.swept.best.update.metrics["ndcg@10:list"]
    table = run.path / "scores" / "validation"
    score = pq.read_table(table)["score"].to_numpy()
    file_format = TFRecord()
    (path,) = data.glob("*.tfrecord")
    (records,) = file_format.read_batches(path, file_format.read_schema(path))
    values, first = [], 0
    for label in records.column("label").to_pylist():
        mine = score[first : first + len(label)]
        first += len(label)
        # without a relevant document nothing can be ranked, and one alone is in its place
        if any(label):
            values.append(ndcg_score([label], [mine], k=10) if len(label) > 1 else 1.0)
    assert first == len(score) == 84
    assert 0.0 < found <= 1.0
    assert found == pytest.approx(np.mean(values), abs=1e-6)
