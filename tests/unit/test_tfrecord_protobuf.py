"""TFRecord files against Google's own reader and writer of protocol buffers."""

import struct
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from gdmix.data.formats.tensor_metadata import Tensor, write_metadata
from gdmix.data.formats.tfrecord import TFRecord
from gdmix.data.formats.tfrecord_frames import CHECKSUMS, masked, read_records
from gdmix.errors import DataError

FORMAT = TFRecord()
FIELD = descriptor_pb2.FieldDescriptorProto
LISTS = {"bytes": FIELD.TYPE_BYTES, "float": FIELD.TYPE_FLOAT, "int64": FIELD.TYPE_INT64}


def messages(package, packed):
    """Return Example and SequenceExample, as TensorFlow's example.proto declares them."""
    file = descriptor_pb2.FileDescriptorProto(name=package, package=package, syntax="proto3")

    def add(name, *fields):
        message = file.message_type.add(name=name)
        for number, (field, kind, repeated) in enumerate(fields, 1):
            label = FIELD.LABEL_REPEATED if repeated else FIELD.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                added.type, added.type_name = FIELD.TYPE_MESSAGE, f".{package}.{kind}"
            else:
                added.type = kind
        return message

    def add_map(name, field, kind):
        message = add(name, (field, f"{name}.Entry", True))
        entry = add("Entry", ("key", FIELD.TYPE_STRING, False), ("value", kind, False))
        entry.options.map_entry = True
        message.nested_type.append(entry)
        del file.message_type[-1]

    for kind, number in LISTS.items():
        message = add(f"{kind}List", ("value", number, True))
        if kind != "bytes":
            message.field[0].options.packed = packed
    feature = add("Feature", *[(f"{kind}_list", f"{kind}List", False) for kind in LISTS])
    feature.oneof_decl.add(name="kind")
    for field in feature.field:
        field.oneof_index = 0
    add_map("Features", "feature", "Feature")
    add("FeatureList", ("feature", "Feature", True))
    add_map("FeatureLists", "feature_list", "FeatureList")
    add("Example", ("features", "Features", False))
    add("SequenceExample", ("context", "Features", False), ("lists", "FeatureLists", False))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    names = (f"{package}.Example", f"{package}.SequenceExample")
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in names]


Example, SequenceExample = messages("packed", True)
Unpacked, _ = messages("unpacked", False)


def framed(records):
    def checked(data):
        return data + struct.pack(
            "<I", masked(np.frombuffer(data, np.uint8), 0, len(data), CHECKSUMS)
        )

    return b"".join(checked(struct.pack("<Q", len(r))) + checked(r) for r in records)


def table(path, metadata=None):
    kind = TFRecord(metadata)
    schema = kind.read_schema(path)
    return pa.Table.from_batches(kind.read_batches(path, schema), schema)


def plain(features):
    """Return kind and values of each feature."""
    found = {}
    for name, feature in features.feature.items():
        kind = feature.WhichOneof("kind")
        found[name] = (kind, list(getattr(feature, kind).value) if kind else [])
    return found


def record_bytes(path):
    return [
        found.data[start:end].tobytes()
        for found in read_records(path)
        for start, end in zip(found.starts, found.ends, strict=True)
    ]


# lengths of one, two and three bytes
SIZES = st.sampled_from([0, 1, 2, 3, 31, 33, 127, 128, 4200])
NAMES = (
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=5)
    | st.just("n" * 127)
    | st.just("m" * 128)
)
INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300)
ITEMS = {
    "int64": INTEGERS,
    "float": st.floats(width=32, allow_nan=False),
    "bytes": st.text(st.characters(codec="utf-8"), max_size=3) | st.just("x" * 130),
}


@st.composite
def rows(draw):
    """Kinds of columns; and of each row and column a few values, and how many to make of them."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    kinds = {name: draw(st.sampled_from(list(ITEMS))) for name in names}
    few = {kind: st.lists(items, min_size=1, max_size=5) for kind, items in ITEMS.items()}
    count = draw(st.integers(1, 3))
    return kinds, [{n: (draw(few[kinds[n]]), draw(SIZES)) for n in names} for _ in range(count)]


def expanded(records):
    return [
        {name: (few * size)[:size] for name, (few, size) in record.items()} for record in records
    ]


TYPES = {"int64": pa.int64(), "float": pa.float32(), "bytes": pa.string()}


@given(rows())
def test_what_is_written_is_what_protobuf_reads(tmp_path_factory, given_rows):
    kinds, records = given_rows
    records = expanded(records)
    path = tmp_path_factory.mktemp("x") / "a.tfrecord"
    columns = {n: pa.array([r[n] for r in records], pa.list_(TYPES[k])) for n, k in kinds.items()}
    made = pa.table(columns)
    with FORMAT.open_writer(path, made.schema) as writer:
        for batch in made.to_batches(max_chunksize=2):
            writer.write(batch)
    for written, record in zip(record_bytes(path), records, strict=True):
        example = Example.FromString(written)
        # nothing unknown, and no byte more than protobuf itself would take
        assert example.ByteSize() == len(written)
        for name, (kind, found) in plain(example.features).items():
            expected = record[name]
            if kinds[name] == "bytes":
                expected = [text.encode() for text in expected]
            assert (kind, found) == (f"{kinds[name]}_list", expected)
        assert set(example.features.feature) == set(record)


@given(rows(), st.sampled_from([Example, Unpacked]))
def test_what_protobuf_writes_is_read(tmp_path_factory, given_rows, message):
    kinds, records = given_rows
    records = expanded(records)
    path = tmp_path_factory.mktemp("x") / "a.tfrecord"
    made = []
    for record in records:
        example = message()
        for name, items in record.items():
            made_of = [x.encode() for x in items] if kinds[name] == "bytes" else items
            getattr(example.features.feature[name], f"{kinds[name]}_list").value.extend(made_of)
        made.append(example.SerializeToString())
    path.write_bytes(framed(made))
    named = path.with_name("m.json")
    write_metadata(named, [Tensor(n, TYPES[k], (-1,), False) for n, k in kinds.items()], [])
    assert table(path, named).to_pylist() == records


def seeds():
    """Return a small record of many forms, packed and unpacked."""
    example = Example()
    example.features.feature["aa"].int64_list.value.extend([1, 300, -1])
    example.features.feature["bb"].float_list.value.extend([1.5, -2.0])
    example.features.feature["cc"].bytes_list.value.append(b"xyz")
    example.features.feature["dd"].bytes_list.value.extend([b"", b"long" * 40])
    packed = example.SerializeToString()
    return [packed, Unpacked.FromString(packed).SerializeToString()]


def test_messages_one_after_the_other_are_one(tmp_path):
    """Features of the second replace those of the first, as protocol buffers have it."""
    other = Example()
    other.features.feature["aa"].int64_list.value.extend([7])
    path = tmp_path / "a.tfrecord"
    for record in seeds():
        path.write_bytes(framed([record + other.SerializeToString()]))
        (row,) = table(path).to_pylist()
        assert row == {"aa": 7, "bb": [1.5, -2.0], "cc": "xyz", "dd": ["", "long" * 40]}


def kept(value):
    """Return a value that equals itself, NaN or not."""
    return struct.pack("<f", value) if isinstance(value, float) else value


@given(st.data())
def test_damaged_records_are_refused_or_read_as_protobuf_does(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("x") / "a.tfrecord"
    record = bytearray(data.draw(st.sampled_from(seeds())))
    for _ in range(data.draw(st.integers(0, 3))):
        record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
    record = bytes(record[: data.draw(st.just(len(record)) | st.integers(0, len(record)))])
    path.write_bytes(framed([record]))
    try:
        (mine,) = table(path).to_pylist()
    except DataError:
        return
    with suppress(DecodeError):
        for name, (_, expected) in plain(Example.FromString(record).features).items():
            found = mine[name] if isinstance(mine[name], list) else [mine[name]]
            found = [] if found == [None] else found
            found = [x.encode() if isinstance(x, str) else x for x in found]
            assert [kept(x) for x in found] == [kept(x) for x in expected]


def grouped(entity, samples, **more):
    """Return a record of GDMix's partitioner: what is of the entity, and of each sample."""
    made = SequenceExample()
    features = made.context.feature
    features["entity"].bytes_list.value.append(entity.encode())
    features["y"].int64_list.value.extend(range(len(samples)))
    for name, items in more.items():
        features[name].float_list.value.extend(items)
    for sample in samples:
        indices = made.lists.feature_list["x_indices"].feature.add()
        indices.int64_list.value.extend(sample)
        floats = made.lists.feature_list["x_values"].feature.add()
        floats.float_list.value.extend([0.5] * len(sample))
    return made.SerializeToString()


def test_samples_of_entities(tmp_path):
    """A sample without features, an entity without an optional column, a list of 200 samples."""
    path = tmp_path / "a.tfrecord"
    many = [[k, k + 1] for k in range(200)]
    records = [
        grouped("ü", [[1, 2], []], weight=[1.0, 2.0]),
        grouped("b", [[3]]),
        grouped("c", many, weight=[3.0] * 200),
    ]
    path.write_bytes(framed(records))
    found = table(path)
    assert found["entity"].to_pylist() == ["ü", "ü", "b", *["c"] * 200]
    assert found["y"].to_pylist() == [0, 1, 0, *range(200)]
    assert found["weight"].to_pylist() == [1.0, 2.0, None, *[3.0] * 200]
    assert found["x_indices"].to_pylist() == [[1, 2], [], [3], *many]
    assert found["x_values"].to_pylist() == [[0.5] * len(x) for x in [[1, 2], [], [3], *many]]


def test_samples_that_do_not_add_up(tmp_path):
    path = tmp_path / "a.tfrecord"
    records = [grouped("a", [[1]], w=[1.0]), grouped("b", [[1], [2], [3]], w=[1.0, 2.0])]
    path.write_bytes(framed(records))
    with pytest.raises(DataError, match=r"record 2, column 'w': found 2 values; expected 3"):
        table(path)
