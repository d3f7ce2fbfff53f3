"""Small made-up data with a global trend, users and items."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

TAGS = ["action", "comedy", "drama", "noir"]


def table(rows=600, users=25, items=15, seed=0):
    """Return impressions whose clicks depend on age, tags, the user and the item."""
    rng = np.random.default_rng(seed)
    user, item = rng.integers(users, size=rows), rng.integers(items, size=rows)
    age = rng.normal(size=rows)
    tags = [list(rng.choice(TAGS, rng.integers(0, 3), replace=False)) for _ in range(rows)]
    taste = rng.normal(size=(users, len(TAGS)))
    score = 0.5 * age + rng.normal(size=items)[item]
    score += [
        sum(taste[u, TAGS.index(tag)] for tag in mine) for u, mine in zip(user, tags, strict=True)
    ]
    return pa.table(
        {
            "uid": np.arange(rows),
            "user_id": user,
            "item_id": [f"item-{i}" for i in item],
            "age": age,
            "city": rng.choice(["Oslo", "Rome", "Łódź"], size=rows),
            "tags": tags,
            "weight": rng.uniform(0.5, 2.0, size=rows),
            "click": (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(np.int64),
        }
    )


def write(folder, rows=600, **options):
    """Write train.parquet and valid.parquet; return the config's values."""
    pq.write_table(table(rows, seed=0), folder / "train.parquet")
    pq.write_table(table(rows // 3, seed=1), folder / "valid.parquet")
    return {
        "task": "logistic",
        "train": str(folder / "train.parquet"),
        "validation": str(folder / "valid.parquet"),
        "output": str(folder / "run"),
        "label": "click",
        "uid": "uid",
        "coordinates": {
            "global": {"features": ["age", "city", "tags"]},
            "per-user": {"entity": "user_id", "features": ["tags"]},
            "per-item": {"entity": "item_id", "features": ["age"]},
        },
    } | options
