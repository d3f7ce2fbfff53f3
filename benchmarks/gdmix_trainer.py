"""LinkedIn's GDMix itself beside ours: the same YAML, the same TFRecords, coordinate by coordinate.

Its trainer asks for TensorFlow 1.15 and so for Python 3.7, in an environment of its own::

    python3.7 -m venv linkedin && linkedin/bin/pip install gdmix-trainer==0.3.0 "protobuf<3.21"
    python benchmarks/gdmix_trainer.py --theirs linkedin/bin/python --config lr-movieLens.yaml

Each step of its workflow is run as its workflow runs it; the Spark job between the coordinates is
played by `gdmix_partition.py`, whose seconds are not counted. Printed are the seconds of its
trainer's processes and of our whole run, and how far coefficients and scores are apart.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml

from gdmix import datasets, load
from gdmix.data.formats.avro_records import read_records
from gdmix.data.index import INTERCEPT
from gdmix.data.piece import SEPARATOR
from gdmix.glm.status import Status

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from tests.gdmix_layout import lay_out  # noqa: E402

# these are of the workflow, or of other versions than 0.3.0
_NOT_OF_THE_TRAINER = ("gdmix_config", "num_partitions")
_COMMAND = "from gdmix.cli import main; main()"


def timed(command, folder, log):
    """Run a command, keep what it says, and return its seconds."""
    started = time.perf_counter()
    with (folder / log).open("w") as stream:
        done = subprocess.run(command, cwd=folder, stdout=stream, stderr=stream, check=False)
    if done.returncode:
        sys.exit(f"{log}: status {done.returncode}\n{(folder / log).read_text()[-2000:]}")
    return time.perf_counter() - started


def arguments(name, params, stage, **places):
    """Return the command line of its trainer for one coordinate."""
    given = {k: v for k, v in params.items() if k not in _NOT_OF_THE_TRAINER}
    given |= params["gdmix_config"] | places
    given |= {
        "stage": stage,
        "action": "train",
        "output_model_dir": f"theirs/{name}/models",
        "training_score_dir": f"theirs/{name}/training_scores",
        "validation_score_dir": f"theirs/{name}/validation_scores",
    }
    return [word for key, value in given.items() for word in (f"--{key}", str(value))]


def run_theirs(python, config, folder):
    """Run every coordinate; return seconds by name."""
    # its package has the name of ours, which PYTHONPATH may lead to
    trainer = [python, "-E", "-m", "gdmix.gdmix"]
    seconds = {}
    (last,) = config["fixed_effect_config"]
    params = config["fixed_effect_config"][last]
    make_folders(folder, last)
    # it waits a minute for other workers, of which there are none
    extra = {"delayed_exit_in_seconds": 0}
    command = [*trainer, *arguments(last, params, "fixed_effect", **extra)]
    seconds[last] = timed(command, folder, f"theirs-{last}.log")
    for name, params in config["random_effect_config"].items():
        make_folders(folder, name, "/partitionId=0")
        places = partition(python, name, params, last, folder)
        command = [*trainer, *arguments(name, params, "random_effect", **places)]
        seconds[name] = timed(command, folder, f"theirs-{name}.log")
        last = name
    return seconds


def make_folders(folder, name, below=""):
    for part in ("models", f"training_scores{below}", f"validation_scores{below}"):
        (folder / "theirs" / name / part).mkdir(parents=True)


def partition(python, name, params, last, folder):
    """Play the Spark job, and return where its output lies."""
    base = f"theirs/{name}/partition"
    job = [python, "-E", str(Path(__file__).with_name("gdmix_partition.py"))]
    places = {}
    for split, scores in (
        ("training", "active/partitionId=0"),
        ("validation", "partitionId=0"),
    ):
        words = [params[key] for key in (f"{split}_data_dir", "metadata_file", "feature_bag")]
        words += [params["partition_entity"], f"theirs/{last}/{split}_scores"]
        timed([*job, *words, f"{base}/{split}Data/{scores}"], folder, f"partition-{name}.log")
        places[f"{split}_data_dir"] = f"{base}/{split}Data"
    (folder / base / "partitionList.txt").write_text("0")
    places["partition_list_file"] = f"{base}/partitionList.txt"
    places["metadata_file"] = f"{base}/validationData/partitionId=0.json"
    return places


def their_models(folder, name):
    """Return coefficients by model id and feature name."""
    models = {}
    for path in (folder / "theirs" / name / "models").glob("*.avro"):
        for record in read_records(path):
            means = {mean["name"]: mean["value"] for mean in record["means"]}
            models[record["modelId"]] = means
    return models


def our_models(model, name):
    """Return the same of ours; models without an optimum apart."""
    part, index = model.model_.parts[name], model.model_.index_of(name)
    names = [key.split(SEPARATOR)[0] for key in index.keys.to_pylist()]
    if not hasattr(part, "table"):
        values = part.coefficients.tolist()
        return {"global model": dict(zip([INTERCEPT, *names], values, strict=True))}, {}
    models, bounded = {}, {}
    for at, key in enumerate(part.table.ids.to_pylist()):
        intercept, features, values = part.coefficients_of(at)
        mine = {names[i]: value for i, value in zip(features, values, strict=True)}
        kind = bounded if part.table.outcome.status[at] == Status.BOUNDED else models
        kind[str(key)] = {INTERCEPT: intercept, **mine}
    return models, bounded


def apart(ours, theirs):
    """Return absolute differences of all coefficients of models that have an optimum."""
    return np.array(
        [
            abs(values.get(feature, 0.0) - value)
            for key, values in ours.items()
            for feature, value in theirs[key].items()
        ]
    )


def scores(folder):
    found = {}
    for path in folder.rglob("*.avro"):
        found |= {r["uid"]: r["predictionScore"] for r in read_records(path)}
    return found


def compare(folder, config, name, seconds):
    ours, bounded = our_models(load(folder / config["output_dir"] / "model"), name)
    theirs = their_models(folder, name)
    gaps = apart(ours, theirs)
    mine = scores(folder / config["output_dir"] / name / "validation_scores")
    its = scores(folder / "theirs" / name / "validation_scores")
    gap = np.array([abs(mine[uid] - its[uid]) for uid in its])
    cells = f"{np.median(gaps):10.1e} {np.quantile(gaps, 0.99):10.1e} {gaps.max():10.1e}"
    cells += f" {np.median(gap):10.1e} {np.quantile(gap, 0.99):10.1e}"
    print(f"{name:12} {seconds:9.1f} {len(ours):8,} {cells}")
    if bounded:
        sizes = np.abs([theirs[key][INTERCEPT] for key in bounded])
        quantiles = " ".join(f"{q:.1f}" for q in np.quantile(sizes, (0.0, 0.25, 0.5, 0.75, 1.0)))
        what = f"{len(bounded):,} models have no optimum or are at the bound"
        print(f"{'':12} {what}; its intercepts there (quartiles): {quantiles}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--theirs", required=True, help="Python that has gdmix-trainer")
    parser.add_argument("--config", type=Path, required=True, help="GDMix's lr-movieLens.yaml")
    parser.add_argument("--source", type=Path, help="folder of MovieLens-100K's files")
    options = parser.parse_args()
    config = yaml.safe_load(options.config.read_text())
    # the command would be searched below the folder it runs in
    python = os.path.abspath(options.theirs)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        data = datasets.get(
            "movielens-100k", source=options.source, output=folder / "parquet", seed=0
        )
        lay_out(data.train, data.validation, folder)
        theirs = run_theirs(python, config, folder)
        ours = [sys.executable, "-c", _COMMAND, "train", str(options.config.resolve())]
        timed(ours, folder, "first.log")
        again = timed([*ours, "--overwrite"], folder, "ours.log")
        print(f"seconds: GDMix's trainer {sum(theirs.values()):.1f}, our whole run {again:.1f}\n")
        print(f"{'':40}{'coefficients apart':^32} {'scores apart':^21}")
        heads = ("seconds", "models", "median", "99%", "most", "median", "99%")
        print(f"{'theirs':12} {heads[0]:>9} {heads[1]:>8}", *(f"{h:>10}" for h in heads[2:]))
        for name, seconds in theirs.items():
            compare(folder, config, name, seconds)


if __name__ == "__main__":
    main()
