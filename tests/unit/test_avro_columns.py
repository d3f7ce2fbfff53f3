"""Avro's blocks as columns, by compiled programs: fastavro tells what they hold."""

import io
import json
import math
import struct
from contextlib import suppress

import fastavro
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix.data.formats import avro, avro_columns, avro_kernels, examples_wire
from gdmix.data.formats.avro_columns import BrokenError, Decoded
from gdmix.data.formats.avro_container import Block
from gdmix.data.formats.avro_program import compile_program
from gdmix.data.formats.avro_records import read_records, write_records
from gdmix.data.formats.avro_types import arrow_type
from gdmix.errors import DataError
from tests.unit.test_avro import EXAMPLE, PLAIN, ROWS, container, long, row, table

NUMBERS = ["int", "long", "float", "double"]
TEXT = st.text(st.characters(codec="utf-8"), max_size=4)
VALUES = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "string": TEXT,
    "bytes": st.binary(max_size=4),
}


def record(fields, name):
    parts = [{"name": f"f{k}", "type": kind} for k, kind in enumerate(fields)]
    return {"type": "record", "name": name, "fields": parts}


@st.composite
def schemas(draw, depth=2):
    """Draw a schema; named types are numbered by `named`."""
    simple = st.sampled_from([*VALUES.keys() - {"null"}, "enum", "fixed"])
    kinds = simple if depth == 0 else st.sampled_from(["array", "map", "record", "plain"])
    kind = draw(kinds)
    kind = draw(simple) if kind == "plain" else kind
    if kind == "array":
        kind = {"type": "array", "items": draw(schemas(depth - 1))}
    elif kind == "map":
        kind = {"type": "map", "values": draw(schemas(depth - 1))}
    elif kind == "record":
        kind = record(draw(st.lists(schemas(depth - 1), min_size=1, max_size=3)), "?")
    elif kind == "enum":
        kind = {"type": "enum", "name": "?", "symbols": ["A", "B", "C"]}
    elif kind == "fixed":
        kind = {"type": "fixed", "name": "?", "size": draw(st.integers(0, 5))}
    shape = draw(st.sampled_from(["plain", "null first", "null last", "numbers"]))
    if shape == "numbers":
        return draw(st.permutations(["null", *NUMBERS, "boolean"]))
    return {"plain": kind, "null first": ["null", kind], "null last": [kind, "null"]}[shape]


def named(schema, number=None):
    """Give every named type a name of its own."""
    number = [0] if number is None else number
    if isinstance(schema, list):
        return [named(item, number) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        key: named(item, number) if key in ("items", "values") else item
        for key, item in schema.items()
    }
    if "name" in found:
        number[0] += 1
        found["name"] = f"T{number[0]}"
    if "fields" in found:
        found["fields"] = [{**f, "type": named(f["type"], number)} for f in found["fields"]]
    return found


def values(schema):
    """Return a strategy for values that a schema takes."""
    if isinstance(schema, list):
        if "double" in schema and len(schema) > 2:
            # of several numbers fastavro writes the first that fits
            return (
                st.none() | st.integers(-100, 100) | st.sampled_from([0.5, -2.25]) | st.booleans()
            )
        return st.one_of([values(item) for item in schema])
    if isinstance(schema, str):
        return VALUES[schema]
    kind = schema["type"]
    if kind == "array":
        return st.lists(values(schema["items"]), max_size=3)
    if kind == "map":
        return st.dictionaries(TEXT, values(schema["values"]), max_size=3)
    if kind == "enum":
        return st.sampled_from(schema["symbols"])
    if kind == "fixed":
        return st.binary(min_size=schema["size"], max_size=schema["size"])
    return st.fixed_dictionaries({f["name"]: values(f["type"]) for f in schema["fields"]})


def same(found, expected):
    if isinstance(expected, dict):
        found = dict(found)
        assert found.keys() == expected.keys()
        for key, item in expected.items():
            same(found[key], item)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    else:
        assert found == expected


def encoded(schema, rows):
    stream = io.BytesIO()
    for each in rows:
        fastavro.schemaless_writer(stream, schema, each)
    return stream.getvalue()


def fields_of(schema):
    return {field["name"]: field["type"] for field in schema["fields"]}


def columns_of(schema, blocks, names=None):
    """Decode blocks, and check that no output has grown into its neighbour."""
    fields = fields_of(schema)
    kinds = {name: arrow_type(kind) for name, kind in fields.items()}
    wanted = pa.schema([(name, kinds[name]) for name in names or kinds])
    program = compile_program(fields, wanted)
    if program is None:
        return None
    decoded = Decoded(program, blocks)
    assert np.all(decoded._out.tops <= decoded._bases[1:])
    return {name: decoded.array(program.columns[name]).to_pylist() for name in wanted.names}


@given(st.data())
def test_any_schema_and_values(data):
    kinds = data.draw(st.lists(schemas(), min_size=1, max_size=3))
    schema = named(record(kinds, "?"))
    rows = data.draw(st.lists(values(schema), min_size=1, max_size=5))
    parsed = fastavro.parse_schema(schema)
    cut = data.draw(st.integers(0, len(rows)))
    blocks = [Block(0, len(part), encoded(parsed, part)) for part in (rows[:cut], rows[cut:])]
    stream = io.BytesIO(b"".join(block.data for block in blocks))
    expected = [fastavro.schemaless_reader(stream, parsed) for _ in rows]
    names = data.draw(st.sets(st.sampled_from(list(fields_of(schema))), min_size=1))
    found = columns_of(schema, blocks, sorted(names))
    if found is None:
        assert '"size": 0' in json.dumps(schema)
        return
    for name in names:
        for one, other in zip(found[name], expected, strict=True):
            same(one, other[name])


@given(st.data())
def test_damage_never_leaves_its_block(data):
    """Wherever bytes are changed, added or cut, outputs stay within their room."""
    schema = named(record([EXAMPLE["fields"][2]["type"], *data.draw(st.lists(schemas()))], "?"))
    parsed = fastavro.parse_schema(schema)
    rows = data.draw(st.lists(values(schema), min_size=1, max_size=3))
    content = bytearray(encoded(parsed, rows))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(content) - 1)))
        much = data.draw(st.sampled_from([b"", b"\xff" * 9, b"\x00", b"\x02\x02", b"\x7f"]))
        content[at : at + data.draw(st.integers(0, 3))] = much
    with suppress(BrokenError, pa.ArrowInvalid):
        columns_of(schema, [Block(0, len(rows), bytes(content))])


@pytest.fixture
def plain_python(monkeypatch):
    """Run the kernels uncompiled: NumPy then finds every place beyond an array."""
    for module in (avro_kernels, avro_columns.run, examples_wire):
        for name, item in vars(module).items():
            if hasattr(item, "py_func"):
                monkeypatch.setattr(module, name, item.py_func)


def test_uncompiled(plain_python):
    assert not hasattr(avro_kernels.decode, "py_func")
    schema = record(["float", "double", ["null", EXAMPLE["fields"][2]["type"]], "boolean"], "r")
    rows = [
        {"f0": -1.5, "f1": -2.5, "f2": None, "f3": True},
        {"f0": 2.0, "f1": 1e300, "f2": [{"name": "ä", "term": None, "value": -0.0}], "f3": False},
    ]
    content = encoded(fastavro.parse_schema(schema), rows)
    found = columns_of(schema, [Block(0, 2, content)])
    assert [
        dict(zip(found, each, strict=True)) for each in zip(*found.values(), strict=True)
    ] == rows
    for at in range(len(content)):
        for byte in (0, 1, 2, 127, 128, 255):
            changed = content[:at] + bytes([byte]) + content[at + 1 :]
            with suppress(BrokenError, pa.ArrowInvalid):
                columns_of(schema, [Block(0, 2, changed)])


def test_longs_to_their_ends():
    schema = record(["long", "int"], "r")
    for value in (0, -1, 1, 63, -64, 64, 2**31, 2**63 - 1, -(2**63)):
        content = encoded(fastavro.parse_schema(schema), [{"f0": value, "f1": 7}])
        assert columns_of(schema, [Block(0, 1, content)]) == {"f0": [value], "f1": [7]}
    for broken in (b"\xff" * 12, b"\x80", b"\x02", b""):
        with pytest.raises(BrokenError):
            columns_of(schema, [Block(0, 1, broken)])


def test_floats_of_every_kind():
    patterns = np.array([0, 1, 0x7FFFFF, 0x800000, 0x7F7FFFFF, 0x7F800000, 0x7FC00000], np.uint32)
    patterns = np.concatenate([patterns, patterns | np.uint32(1 << 31)])
    floats = patterns.view(np.float32)
    content = b"".join(struct.pack("<fd", one, one) for one in floats)
    schema = record(["float", "double"], "r")
    found = columns_of(schema, [Block(0, len(floats), content)])
    for name in found:
        np.testing.assert_array_equal(np.array(found[name], np.float32), floats)
        assert [math.copysign(1, x) for x in found[name]] == [math.copysign(1, x) for x in floats]


def test_arrays_whose_blocks_tell_their_size():
    schema = record([{"type": "array", "items": "long"}, {"type": "map", "values": "string"}], "r")
    array = long(2) + long(5) + long(6) + long(-1) + long(1) + long(7) + long(0)
    pairs = long(-2) + long(8) + b"\x02a\x02x" + b"\x02b\x02y" + long(1) + b"\x02c\x02z" + long(0)
    found = columns_of(schema, [Block(0, 1, array + pairs)])
    assert found == {"f0": [[5, 6, 7]], "f1": [[("a", "x"), ("b", "y"), ("c", "z")]]}


@pytest.mark.parametrize(
    "items", ["null", record([], "e"), {"type": "fixed", "name": "e", "size": 0}]
)
def test_items_without_bytes(tmp_path, items):
    """Twenty bytes could claim 2⁶⁰ of them."""
    schema = record([{"type": "array", "items": items}, "double"], "r")
    assert compile_program(fields_of(schema), pa.schema([])) is None
    path = tmp_path / "a.avro"
    path.write_bytes(container(b"null", long(1 << 60) + bytes(20), 1, schema))
    for use in (table, lambda path: list(read_records(path))):
        with pytest.raises(DataError, match="an array has items that take no bytes"):
            use(path)


def test_types_within_themselves(tmp_path):
    """A chain of a million would overflow fastavro's stack."""
    node = record(["long", ["null", "Node"]], "Node")
    path = tmp_path / "a.avro"
    path.write_bytes(container(b"null", b"\x02\x02" * 1_000_000 + b"\x02\x00", 1, node))
    for use in (table, lambda path: list(read_records(path))):
        with pytest.raises(DataError, match="the type 'Node' holds itself; gdmix reads no such"):
            use(path)


@pytest.mark.parametrize("depth", [5, 40, 150, 300, 600, 2000])
def test_types_within_types(tmp_path, depth):
    text = json.dumps(record(["?"], "r")).replace('"?"', nested(depth)).encode()
    content = b"\x02" * depth + bytes(8) + b"\x00" * depth
    path = tmp_path / "a.avro"
    path.write_bytes(container(b"null", content, 1, text))
    try:
        value = table(path)["f0"].to_pylist()
    except DataError:
        assert depth > 40
    else:
        for _ in range(depth + 1):
            (value,) = value
        assert value == 0.0


def nested(depth):
    return '{"type": "array", "items": ' * depth + '"double"' + "}" * depth


@pytest.mark.parametrize("size", [-1, 1 << 40, "4", None])
def test_sizes_that_are_absurd(tmp_path, size):
    schema = record([{"type": "fixed", "name": "e", "size": size}, "long"], "r")
    (tmp_path / "a.avro").write_bytes(container(b"null", b"\x02" * 9, 1, schema))
    with pytest.raises(DataError):
        table(tmp_path / "a.avro")


def test_text_after_numbers(tmp_path):
    """Of a union the first block's values tell the type; what comes later is converted."""
    rows = [row(k) for k in range(3000)]
    rows[-1]["response"] = "0.5"
    write_records(tmp_path / "a.avro", EXAMPLE, rows)
    found = table(tmp_path / "a.avro")["response"].to_pylist()
    assert found[-3:] == [1.0, 0.0, 0.5]
    rows[-1]["response"] = "half"
    write_records(tmp_path / "a.avro", EXAMPLE, rows)
    with pytest.raises(DataError, match=r"column 'response': cannot be converted \(could not"):
        table(tmp_path / "a.avro")


def test_uids_of_all_kinds(tmp_path):
    rows = [{**row(k), "uid": uid} for k, uid in enumerate([7, "x", None])]
    write_records(tmp_path / "a.avro", EXAMPLE, rows)
    assert table(tmp_path / "a.avro")["uid"].to_pylist() == ["7", "x", None]


def test_what_is_wrong_is_told(tmp_path):
    path = tmp_path / "a.avro"
    path.write_bytes(container(b"null", PLAIN, len(ROWS) - 1))
    with pytest.raises(DataError, match=r"byte \d+: .* bytes are left behind the last record"):
        table(path)
    schema = record(["long", "string"], "r")
    path.write_bytes(container(b"null", b"\x02\x02a\x02\x09", 2, schema))
    with pytest.raises(DataError, match="record 2 of 2 of the block is not as the schema says"):
        table(path)
    path.write_bytes(container(b"null", b"\x02\x02\xff", 1, schema))
    with pytest.raises(DataError, match=r"column 'f1' cannot be decoded .*UTF"):
        table(path)


def test_times_are_numbers(tmp_path):
    kinds = [{"type": "long", "logicalType": "timestamp-millis"}, "double"]
    schema = record(kinds, "r")
    path = tmp_path / "a.avro"
    path.write_bytes(container(b"null", long(1_600_000_000_000) + bytes(8), 1, schema))
    assert table(path)["f0"].to_pylist() == [1_600_000_000_000]


def test_blocks_that_are_too_large_for_a_program(tmp_path, monkeypatch):
    monkeypatch.setattr(avro, "_MOST_BYTES", 10)
    write_records(tmp_path / "a.avro", EXAMPLE, ROWS)
    assert table(tmp_path / "a.avro")["features"].to_pylist() == [r["features"] for r in ROWS]
