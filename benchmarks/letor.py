"""Learning to rank on LETOR 4.0's MQ2008: what a loss of groups is worth, five published folds.

Gains are 2^label - 1, as the losses take them; queries without a relevant document do not count.
"""

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import torch

from gdmix.data.dataset import Csr
from gdmix.deep.examples import Examples
from gdmix.deep.options import Network, Training
from gdmix.deep.order import groups_of
from gdmix.deep.scoring import score
from gdmix.deep.target import Target
from gdmix.deep.training import fit
from gdmix.metrics import ranking
from gdmix.metrics.lists import Lists, Sample

FOLDS = ("123 4 5", "234 5 1", "345 1 2", "451 2 3", "512 3 4")
TARGETS = {
    "pointwise, logistic": Target(),
    "pointwise, squared": Target("linear"),
    "pairwise": Target(loss="pairwise"),
    "listwise": Target(loss="listwise"),
    "lambdarank": Target(loss="lambdarank"),
    "lambdarank, 10 places": Target(loss="lambdarank", first=10),
    "approximate NDCG": Target(loss="approx_ndcg"),
}


def read(folder, parts):
    label, query, dense = [], [], []
    for part in parts:
        with gzip.open(folder / f"S{part}.txt.gz", "rt") as lines:
            for line in lines:
                grade, number, *values = line.split("#")[0].split()
                label.append(float(grade))
                query.append(number)
                dense.append([float(value.partition(":")[2]) for value in values])
    rows = len(label)
    return Examples(
        label=np.array(label),
        weight=np.ones(rows),
        offset=np.zeros(rows),
        wide=Csr(np.zeros(rows + 1, np.int64), np.zeros(0, np.int32), np.zeros(0), 0),
        dense=np.array(dense, np.float32),
        group=np.unique(query, return_inverse=True)[1].astype(np.int32),
    )


def ndcg(examples, scores, k=10):
    sample = Sample(2.0**examples.label - 1, scores, examples.weight)
    return np.nanmean(ranking.ndcg(Lists(sample, examples.group, examples.group.max() + 1), k))


def binary(examples):
    return Examples(**{**vars(examples), "label": np.minimum(examples.label, 1.0)})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds S1.txt.gz to S5.txt.gz")
    parser.add_argument("--steps", type=int, default=800)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = Network(dense=tuple(f"x{i}" for i in range(46)), hidden=(64,), standardize=False)
    print("NDCG@10 of the test parts, the weights being those of the best validation")
    for name, target in TARGETS.items():
        found, begin = [], time.perf_counter()
        for parts in FOLDS:
            train, valid, test = (read(arguments.folder, part) for part in parts.split())
            # as many rows, about, whether rows or queries are counted
            queries = (
                32 if target.loss != "pointwise" else 32 * train.rows // groups_of(train).number
            )
            training = Training(
                steps=arguments.steps, batch=queries, learning_rate=0.003, evaluate_every=50
            )
            graded = valid
            if name == "pointwise, logistic":
                train, valid = binary(train), binary(valid)
            trained = fit(
                network,
                training,
                target,
                train,
                valid,
                metric=lambda scores, graded=graded: ndcg(graded, scores[:, 0]),
            )
            found.append(ndcg(test, score(trained, test)[:, 0]))
        seconds = time.perf_counter() - begin
        print(f"{name:>22}: {np.mean(found):.4f} {np.round(found, 4)} {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
