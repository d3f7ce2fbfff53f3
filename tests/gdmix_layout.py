"""MovieLens-100K as GDMix's recipe lays it out: TFRecords, metadata and lists by coordinate."""

import json
import re
import string

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from gdmix.data.formats.tfrecord_writer import open_writer

_OCCUPATIONS = [
    *("administrator", "artist", "doctor", "educator", "engineer", "entertainment", "executive"),
    *("healthcare", "homemaker", "lawyer", "librarian", "marketing", "none", "other"),
    *("programmer", "retired", "salesman", "scientist", "student", "technician", "writer"),
]
_GENRES = [
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance"),
    *("Sci-Fi", "Thriller", "War", "Western"),
]
USER = ["age", "M", "F", *_OCCUPATIONS]
MOVIE = [*_GENRES, "release_date"]
BAGS = {"global": [*USER, *MOVIE], "per_user": MOVIE, "per_movie": USER}


def lay_out(train, validation, folder, keep=lambda table: table):
    """Write the data sets of all three coordinates below ``folder/movieLens``.

    Returns the tables that they are made of, with the dense design of each coordinate.
    """
    tables = {}
    for split, path in (("trainingData", train), ("validationData", validation)):
        table = keep(pq.read_table(path))
        for bag, names in BAGS.items():
            design = _design(table, names)
            tables[split, bag] = table, design
            _write(folder / "movieLens" / bag / split / "part-00000.tfrecord", bag, table, design)
    for bag, names in BAGS.items():
        rows = tables["trainingData", bag][0].num_rows
        _describe(folder / "movieLens" / bag, bag, names, rows)
    return tables


def lay_out_texts(tables, folder):
    """Write DeText's data of the same rows below ``folder/movieLens/detext``, and its vocabulary.

    The label is a float, as DeText reads it; the title is without its year and signs, in lower
    case; sparse features are indices of the one dimension that a row has, and values.
    """
    words = set()
    for split in ("trainingData", "validationData"):
        table, design = tables[split, "global"]
        rows, columns = np.nonzero(design)
        ends = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(design)))])
        titles = [_cleaned(title) for title in table["title"].to_pylist()]
        words.update(word for title in titles for word in title.split())
        data = {
            "wide_ftrs_sp_indices0": pa.ListArray.from_arrays(ends, pa.array(columns, pa.int64())),
            "wide_ftrs_sp_values": pa.ListArray.from_arrays(ends, pa.array(design[rows, columns])),
            "doc_query": pa.array([title.encode() for title in titles]),
            "response": table["response"].cast(pa.float32()),
            **{name: table[name] for name in ("user_id", "movie_id", "uid")},
        }
        path = folder / "movieLens" / "detext" / split / "part-00000.tfrecord"
        path.parent.mkdir(parents=True)
        with open_writer(path, pa.table(data).schema) as writer:
            for batch in pa.table(data).to_batches():
                writer.write(batch)
    vocabulary = "".join(f"{word}\n" for word in ["[PAD]", "[UNK]", *sorted(words)])
    (folder / "movieLens" / "detext" / "vocab.txt").write_text(vocabulary, encoding="utf-8")


def _cleaned(title):
    """Return a title as GDMix's recipe cleans it."""
    title = re.sub(r"\([^)]*\)$", "", title or "").lower()
    return " ".join(re.sub(f"[{re.escape(string.punctuation)}]", " ", title).split())


def _design(table, names):
    dense = np.zeros((table.num_rows, len(names)), np.float32)
    at = {name: number for number, name in enumerate(names)}
    for row, values in enumerate(table.to_pylist()):
        features = {values["gender"]: 1.0, values["occupation"]: 1.0, "age": values["age"]}
        features |= dict.fromkeys(values["genres"], 1.0)
        features["release_date"] = values["year"] or 0.0
        for name, value in features.items():
            if name in at:
                dense[row, at[name]] = value
    return dense


def _write(path, bag, table, design):
    rows, columns = np.nonzero(design)
    ends = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(design)))])
    data = {
        f"{bag}_indices": pa.ListArray.from_arrays(ends, pa.array(columns, pa.int64())),
        f"{bag}_values": pa.ListArray.from_arrays(ends, pa.array(design[rows, columns])),
        **{name: table[name] for name in ("response", "user_id", "movie_id", "uid")},
    }
    path.parent.mkdir(parents=True)
    table = pa.table(data)
    with open_writer(path, table.schema) as writer:
        for batch in table.to_batches():
            writer.write(batch)


def _describe(folder, bag, names, rows):
    single = {"dtype": "int", "shape": [], "isSparse": False}
    sparse = {"name": bag, "dtype": "float", "shape": [len(names)], "isSparse": True}
    features = [sparse, *({"name": name, **single} for name in ("uid", "movie_id", "user_id"))]
    labels = [{"name": "response", **single}]
    metadata = {"numberOfTrainingSamples": rows, "features": features, "labels": labels}
    (folder / "metadata").mkdir()
    (folder / "metadata" / "tensor_metadata.json").write_text(json.dumps(metadata))
    (folder / "featureList").mkdir()
    (folder / "featureList" / bag).write_text("".join(f"{name},\n" for name in names))
