"""DeText's command line, as a shell has it: trained, converted, and its lists evaluated."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from gdmix.data.formats.tfrecord import TFRecord

pytest.importorskip("torch")

SIZES = (3, 1, 4, 2)


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Queries whose best document is the one that says so, and the script that trains on them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    words = ["good", "bad", "worse", "worst"]
    table = pa.table(
        {
            "label": [[float(3 - place) for place in range(size)] for size in SIZES * 5],
            "doc": [words[:size] for size in SIZES * 5],
            "query": ["find it"] * 20,
            "uid": list(range(20)),
            "bag_indices0": [list(range(size)) for size in SIZES * 5],
            "bag_indices1": [[place % 2 for place in range(size)] for size in SIZES * 5],
            "bag_values": [[1.0] * size for size in SIZES * 5],
        }
    )
    with TFRecord().open_writer(tmp_path / "data" / "a.tfrecord", table.schema) as writer:
        for batch in table.to_batches():
            writer.write(batch)
    path = tmp_path / "run_detext.sh"
    path.write_text(
        "#!/usr/bin/env bash\npython ../run_detext.py \\\n"
        "--task_type=ranking --ltr_loss_fn=softmax --ftr_ext=cnn \\\n"
        "--query_column_name=query --doc_text_column_names=doc --label_column_name=label \\\n"
        "--uid_column_name=uid --emb_sim_func concat --num_hidden=8 --num_units=8 \\\n"
        "--shallow_tower_sparse_ftrs_column_names bag --nums_shallow_tower_sparse_ftrs 2 \\\n"
        "--num_filters=8 --optimizer=adamw --learning_rate=0.02 --num_train_steps=60 \\\n"
        "--train_batch_size=4 --steps_per_eval=20 --pmetric=ndcg@3 --num_gpu=0 \\\n"
        "--train_file=data --dev_file=data --test_file=data --out_dir=out --vocab_file=v.txt\n"
    )
    (tmp_path / "v.txt").write_text("[PAD]\n[UNK]\nfind\nit\ngood\nbad\nworse\nworst\n")
    return path


def test_a_script_is_trained_as_it_is(script, run):
    status, out, _ = run("train", f"--detext=@{script}", "--json")
    assert status == 0
    found = json.loads(out)
    assert found["metrics"]["ndcg@3:list"] > 0.95
    # the file is told by what it holds
    status, _, error = run("train", script)
    assert (status, "out" in error) == (2, True)
    # what the records are is said beside them, for commands that see no config
    config = yaml.safe_load((script.parent / "out" / "config.yaml").read_text())
    (script.parent / "data" / "tensor_metadata.json").write_text(
        json.dumps({"lists": config["lists"]})
    )
    status, out, _ = run("evaluate", "out/model", "data", "-m", "ndcg@3:list", "--json")
    assert status == 0
    assert json.loads(out)["ndcg@3:list"] == pytest.approx(
        found["metrics"]["ndcg@3:list"], abs=1e-6
    )
    assert run("convert", "data", "rows.parquet")[0] == 0
    assert pq.read_table("rows.parquet").num_rows == sum(SIZES) * 5


def test_what_is_converted_trains_the_same_model(script, run):
    status, out, _ = run("convert-config", script, "-o", "ours.yaml")
    assert status == 0
    assert "--ltr_loss_fn" in out
    assert "a record is a list of documents" in (script.parent / "ours.yaml").read_text()
    status, ours, _ = run("train", "ours.yaml", "--json", "--overwrite")
    assert status == 0
    status, theirs, _ = run("train", "--detext", f"@{script}", "--json", "--overwrite")
    assert status == 0
    assert json.loads(ours)["metrics"] == json.loads(theirs)["metrics"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--detext", "--nothing 3"], "--nothing"),
        (["--detext", "@nowhere.sh"], "DeText's command line"),
        (["--detext", "--pmetric auc", "--photon", "--x y"], "one of them"),
    ],
)
def test_what_is_wrong_ends_in_one_message(run, arguments, expected):
    for name in ("train", "convert-config"):
        status, _, error = run(name, *arguments)
        assert status == 2
        assert expected in error
        assert "Traceback" not in error
