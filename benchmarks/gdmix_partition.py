"""What GDMix's Spark job does between two coordinates, for one partition; run by GDMix's Python.

    python gdmix_partition.py DATA METADATA BAG ENTITY SCORES OUTPUT

Joins the scores by uid as offsets, groups the records by entity, and writes one SequenceExample
for each, with the metadata that goes with them.
"""

import collections
import glob
import json
import os
import sys

import fastavro
import tensorflow as tf


def records(folder):
    for path in sorted(glob.glob(os.path.join(folder, "*.tfrecord"))):
        for serialized in tf.compat.v1.io.tf_record_iterator(path):
            yield tf.train.Example.FromString(serialized).features.feature


def scores_of(folder):
    found = {}
    for path in glob.glob(os.path.join(folder, "**", "*.avro"), recursive=True):
        with open(path, "rb") as stream:
            for record in fastavro.reader(stream):
                found[record["uid"]] = record["predictionScore"]
    return found


def integers(values):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def floats(values):
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


def grouped(rows, bag, entity, key, offsets):
    context = {
        entity: integers([key]),
        "offset": floats([offsets[row["uid"].int64_list.value[0]] for row in rows]),
    }
    for name in ("uid", "response"):
        context[name] = integers([row[name].int64_list.value[0] for row in rows])
    lists = {
        f"{bag}_{half}": tf.train.FeatureList(feature=[row[f"{bag}_{half}"] for row in rows])
        for half in ("indices", "values")
    }
    return tf.train.SequenceExample(
        context=tf.train.Features(feature=context),
        feature_lists=tf.train.FeatureLists(feature_list=lists),
    )


def main(data, metadata, bag, entity, scores, output):
    offsets = scores_of(scores)
    by_entity = collections.OrderedDict()
    for row in records(data):
        by_entity.setdefault(row[entity].int64_list.value[0], []).append(row)
    os.makedirs(output)
    with tf.io.TFRecordWriter(os.path.join(output, "part-00000.tfrecord")) as writer:
        for key, rows in by_entity.items():
            example = grouped(rows, bag, entity, key, offsets)
            writer.write(example.SerializeToString())
    with open(metadata) as stream:
        described = json.load(stream)
    kept = [t for t in described["features"] if t["name"] in (bag, "uid", entity)]
    offset = {"name": "offset", "dtype": "float", "shape": [], "isSparse": False}
    described["features"] = [*kept, offset]
    with open(output.rstrip("/") + ".json", "w") as stream:
        json.dump(described, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
