"""Amazon reviews: is a review found helpful? Words of its summary, by reviewer and product."""

import argparse
import re
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gdmix import FixedEffect, MixedModel, RandomEffect


def prepare(path):
    """Return reviews that got votes, with the words of their summary as a multi-hot column."""
    table = pq.read_table(path)
    table = table.filter(pa.compute.greater(table["total_votes"], 0))
    words = [
        [word for word in re.findall(r"[a-z']+", (text or "").lower()) if len(word) > 2]
        for text in table["summary"].to_pylist()
    ]
    helpful = table["helpful_votes"].to_numpy() / table["total_votes"].to_numpy()
    length = [np.log1p(len(text or "")) for text in table["review_text"].to_pylist()]
    return pa.table(
        {
            "reviewer_id": table["reviewer_id"],
            "asin": table["asin"],
            "stars": [str(int(stars)) for stars in table["rating"].to_pylist()],
            "words": words,
            "length": length,
            "helpful": (helpful > 0.5).astype(np.int64),
            "votes": table["total_votes"],
        }
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="reviews.parquet")
    arguments = parser.parse_args()
    table = prepare(arguments.file)
    found = []
    for seed in range(5):
        chosen = np.random.default_rng(seed).random(table.num_rows) < 0.8
        model = MixedModel(
            label="helpful",
            sweeps=5,
            coordinates={
                "global": FixedEffect(features=["stars", "words", "length"], l2=3.0),
                "per-reviewer": RandomEffect("reviewer_id", l2=2.0),
                "per-product": RandomEffect("asin", features=["stars"], l2=3.0),
            },
        )
        with tempfile.TemporaryDirectory() as scratch:
            for name, rows in {"train": chosen, "validation": ~chosen}.items():
                pq.write_table(table.filter(pa.array(rows)), Path(scratch) / f"{name}.parquet")
            model.fit(f"{scratch}/train.parquet", f"{scratch}/validation.parquet")
        found.append([update["metrics"]["auc"] for update in model.history_[:3]])
        found[-1].append(model.history_[-1]["metrics"]["auc"])
        seconds = sum(update["seconds"] for update in model.history_)
        print(f"seed {seed}: AUC {np.round(found[-1], 4)}, {seconds:.3f} s of training")
    print(
        f"{table.num_rows:,} reviews with votes, {np.mean(table['helpful'].to_numpy()):.3f} helpful"
    )
    print(
        "mean AUC after global, per-reviewer, per-product, and at the end:",
        np.mean(found, 0).round(4),
    )


if __name__ == "__main__":
    main()
