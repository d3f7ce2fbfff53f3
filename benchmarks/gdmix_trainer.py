"""LinkedIn's GDMix itself beside ours: the same YAML, the same TFRecords, coordinate by coordinate.

Its trainer asks for TensorFlow 1.15 and so for Python 3.7, in an environment of its own::

    python3.7 -m venv linkedin && linkedin/bin/pip install gdmix-trainer==0.3.0 "protobuf<3.21"
    python benchmarks/gdmix_trainer.py --theirs linkedin/bin/python --config lr-movieLens.yaml

Each step of its workflow is run as its workflow runs it; the Spark job between the coordinates is
played by `gdmix_partition.py`, whose seconds are not counted. Our whole run is timed once the
kernels are compiled. Then each coordinate of ours is solved on top of *its* scores, so that both
have the very same problem: printed are how far the coefficients are apart, and how far GDMix's
objective is above the optimum in its solution and in ours.
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
from tests.gdmix_layout import BAGS, lay_out  # noqa: E402

# these are of the workflow, not of the trainer
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
    for split, below in (("training", "active/partitionId=0"), ("validation", "partitionId=0")):
        words = [params[key] for key in (f"{split}_data_dir", "metadata_file", "feature_bag")]
        words += [params["partition_entity"], f"theirs/{last}/{split}_scores"]
        timed([*job, *words, f"{base}/{split}Data/{below}"], folder, f"partition-{name}.log")
        places[f"{split}_data_dir"] = f"{base}/{split}Data"
    (folder / base / "partitionList.txt").write_text("0")
    places["partition_list_file"] = f"{base}/partitionList.txt"
    places["metadata_file"] = f"{base}/validationData/partitionId=0.json"
    return places


def run_ours_on_its_scores(config, name, last, folder):
    """Solve one random effect on top of the scores that GDMix had; return the run's folder."""
    driver = config["random_effect_config"][name]["gdmix_config"]
    scores = {
        f"{split}_score_dir": f"theirs/{last}/{split}_scores"
        for split in ("training", "validation")
    }
    alone = {
        "output_dir": f"same-{name}",
        "fixed_effect_config": {"given": {"gdmix_config": driver | scores}},
        "random_effect_config": {name: config["random_effect_config"][name]},
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(alone))
    timed([sys.executable, "-c", _COMMAND, "train", f"{name}.yaml"], folder, f"same-{name}.log")
    return folder / f"same-{name}"


def their_models(folder, name, bag):
    """Return intercept and coefficients in the order of the feature list, by model id."""
    models = {}
    for path in (folder / "theirs" / name / "models").glob("*.avro"):
        for record in read_records(path):
            means = {mean["name"]: mean["value"] for mean in record["means"]}
            models[record["modelId"]] = vector(means, bag)
    return models


def our_models(model, name, bag):
    """Return the same of ours, and the ids of those that are at the bound."""
    part, index = model.model_.parts[name], model.model_.index_of(name)
    names = [key.split(SEPARATOR)[0] for key in index.keys.to_pylist()]
    if not hasattr(part, "table"):
        means = dict(zip([INTERCEPT, *names], part.coefficients, strict=True))
        return {"global model": vector(means, bag)}, set()
    models, bounded = {}, set()
    for at, key in enumerate(part.table.ids.to_pylist()):
        intercept, features, values = part.coefficients_of(at)
        mine = {names[i]: value for i, value in zip(features, values, strict=True)}
        models[str(key)] = vector({INTERCEPT: intercept, **mine}, bag)
        if part.table.outcome.status[at] == Status.BOUNDED:
            bounded.add(str(key))
    return models, bounded


def vector(means, bag):
    return np.array([means.get(name, 0.0) for name in (INTERCEPT, *BAGS[bag])])


def problems(tables, folder, bag, entity, last):
    """Yield model id, design, label and offset of every model of a coordinate."""
    table, design = tables["trainingData", bag]
    x = np.column_stack([np.ones(len(design)), design.astype(np.float64)])
    y = table["response"].to_numpy().astype(np.float64)
    offset = np.zeros(len(y))
    if entity is None:
        yield "global model", x, y, offset
        return
    given = {}
    for path in (folder / "theirs" / last / "training_scores").rglob("*.avro"):
        given |= {r["uid"]: r["predictionScore"] for r in read_records(path)}
    offset = np.array([given[uid] for uid in table["uid"].to_pylist()])
    ids = table[entity].to_numpy()
    for key in np.unique(ids):
        mine = ids == key
        yield str(key), x[mine], y[mine], offset[mine]


def objective(w, x, y, offset):
    """GDMix's loss as a sum: l2_reg_weight 1, the intercept free."""
    margin = x @ w + offset
    return np.logaddexp(0, margin).sum() - y @ margin + 0.5 * w[1:] @ w[1:]


def compare(folder, run, name, params, last, tables, seconds):
    bag, entity = params["feature_bag"], params.get("partition_entity")
    (ours, bounded), theirs = (
        our_models(load(run / "model"), name, bag),
        their_models(folder, name, bag),
    )
    gaps, above, sums = [], [], np.zeros(2)
    for key, *problem in problems(tables, folder, bag, entity, last):
        if key in bounded:
            continue
        gaps.append(np.abs(ours[key] - theirs[key]).max())
        pair = np.array([objective(w, *problem) for w in (theirs[key], ours[key])])
        sums += pair
        above.append((pair[0] - pair[1]) / max(1.0, pair[1]))
    cells = " ".join(f"{np.quantile(gaps, q):9.1e}" for q in (0.5, 0.9, 0.99, 1.0))
    print(f"{name:10} {seconds:8.1f} {len(gaps):7,} {cells} {max(above):10.1e}", end="")
    print(f" {min(above):10.1e} {sums[0]:13.4f} {sums[1]:13.4f}")
    if bounded:
        sizes = np.abs([theirs[key][0] for key in bounded])
        shown = " ".join(f"{q:.1f}" for q in np.quantile(sizes, (0.0, 0.25, 0.5, 0.75, 1.0)))
        print(f"{'':10} left out: {len(bounded)} at intercept_bound; its intercepts: {shown}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--theirs", required=True, help="Python that has gdmix-trainer")
    parser.add_argument("--config", type=Path, required=True, help="GDMix's lr-movieLens.yaml")
    parser.add_argument("--source", type=Path, help="folder of MovieLens-100K's files")
    options = parser.parse_args()
    config = yaml.safe_load(options.config.read_text())
    # a relative path would be looked up in the folder that commands run in
    python = os.path.abspath(options.theirs)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        data = datasets.get(
            "movielens-100k", source=options.source, output=folder / "parquet", seed=0
        )
        tables = lay_out(data.train, data.validation, folder)
        theirs = run_theirs(python, config, folder)
        ours = [sys.executable, "-c", _COMMAND, "train", str(options.config.resolve())]
        timed(ours, folder, "first.log")
        again = timed([*ours, "--overwrite"], folder, "ours.log")
        print(f"seconds: GDMix's trainer {sum(theirs.values()):.1f}, our whole run {again:.1f}\n")
        print(f"{'':27}{'largest difference of a model':^39} {'relative excess':^21} objective")
        heads = ("seconds", "models", "median", "90%", "99%", "most", "most", "least")
        widths = (8, 7, 9, 9, 9, 9, 10, 10)
        cells = " ".join(f"{head:>{width}}" for head, width in zip(heads, widths, strict=True))
        print(f"{'':10} {cells} {'theirs':>13} {'ours':>13}")
        last = None
        for name, params in {
            **config["fixed_effect_config"],
            **config["random_effect_config"],
        }.items():
            run = folder / config["output_dir"]
            if last is not None:
                run = run_ours_on_its_scores(config, name, last, folder)
            compare(folder, run, name, params, last, tables, theirs[name])
            last = name


if __name__ == "__main__":
    main()
