"""Options: each mistake in words, in Python as in YAML, on the command line as in the file."""

import pickle
from typing import Literal

import pytest
import yaml
from pydantic import Field

from gdmix.errors import ConfigError
from gdmix.options import Options, override, read_yaml


class Inner(Options):
    positional = ("name",)
    name: str
    kind: Literal["a", "b"] = "a"
    size: int = Field(default=1, ge=1)


class Outer(Options):
    parts: dict[str, Inner] = Field(default={})
    items: tuple[Inner, ...] = ()
    rate: float = 0.5
    on: bool = False


def error_of(call, *args, **values):
    with pytest.raises(ConfigError) as caught:
        call(*args, **values)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rat": 1}, "rat: unknown option; did you mean 'rate'?"),
        ({"zzz": 1}, "zzz: unknown option; known: items, on, parts, rate"),
        ({7: 1}, "7: unknown option; known: items, on, parts, rate"),
        (
            {"parts": {"p": {"name": "n", "siz": 2}}},
            "parts.p.siz: unknown option; did you mean 'size'?",
        ),
        (
            {"items": [{"name": "n"}, {"name": "n", "knd": 1}]},
            "items.1.knd: unknown option; did you mean 'kind'?",
        ),
        ({"items": [{}]}, "items.0.name: required option is missing"),
        ({"rate": "fast"}, "rate: found 'fast'; expected a number"),
        ({"rate": None}, "rate: found None; expected a number"),
        ({"on": "perhaps"}, "on: found 'perhaps'; expected true or false"),
        (
            {"items": [{"name": "n", "size": 0}]},
            "items.0.size: found 0; expected greater than or equal to 1",
        ),
        (
            {"items": [{"name": "n", "size": 1.5}]},
            "items.0.size: found 1.5; expected a whole number",
        ),
        ({"items": [{"name": "n", "kind": "c"}]}, "items.0.kind: found 'c'; expected 'a' or 'b'"),
        ({"parts": [1]}, "parts: found [1]; expected a mapping"),
        ({"items": 3}, "items: found 3; expected a list"),
    ],
)
def test_one_mistake(values, message):
    assert error_of(Outer.parse, values).startswith(message)
    if all(isinstance(name, str) for name in values):
        assert error_of(Outer, **values).startswith(message)


def test_several_mistakes_at_once():
    values = {"rate": "x", "parts": {"p": {"nam": "n", "siz": 2}}, "on": 7}
    lines = error_of(Outer.parse, values, "run.yaml").splitlines()
    assert lines[0] == "run.yaml: 4 options are wrong"
    assert [line.partition(":")[0].strip() for line in lines[1:]] == [
        "parts.p.nam",
        "parts.p.siz",
        "rate",
        "on",
    ]
    assert error_of(Outer, rate="x", on=7).startswith("Outer: 2 options are wrong\n  rate: found")


def test_long_values_are_cut_short():
    assert len(error_of(Outer, rate="x" * 10_000)) < 300


def test_values_that_are_no_mapping():
    assert error_of(Outer.parse, [1], "run.yaml").startswith("run.yaml: found [1]; expected")


def test_positional():
    assert Inner("n", size=2) == Inner(name="n", size=2)
    assert error_of(Inner, "n", "a") == "Inner: 2 positional arguments; expected at most 1 (name)"
    assert error_of(Outer, 1) == "Outer: 1 positional arguments; expected keywords only"
    assert error_of(Inner, "n", name="m") == "Inner.name: given twice; give it once"


def test_options_are_frozen_values():
    options = Inner("n")
    with pytest.raises(Exception, match="frozen"):
        options.size = 3
    assert len({options, Inner("n"), Inner("m")}) == 2
    assert pickle.loads(pickle.dumps(options)) == options
    error = pickle.loads(pickle.dumps(ConfigError("a", "b", "c", "d")))
    assert str(error) == "a: b; expected c; d"


def test_yaml_round_trip():
    options = Outer(parts={"ü": Inner("n", kind="b")}, items=[Inner("m")], rate=1e-9)
    assert Outer.parse(read_yaml(options.to_yaml(), "o.yaml")) == options
    assert Outer().plain() == {}
    assert options.plain()["parts"] == {"ü": {"name": "n", "kind": "b"}}


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("a: 1\nb: [1\n", "f.yaml, line 3: "),
        ("a: 1\n\tb: 2\n", "f.yaml, line 2: "),
        ("a: 1\nb: 2\na: 3\n", "f.yaml, line 3: key 'a' is given twice; remove one of the two"),
        ("p:\n  a: 1\n  a: 1\n", "f.yaml, line 3: key 'a' is given twice"),
        ("a: 'x\n", "f.yaml, line 2: "),
        ("a: *nope\n", "f.yaml, line 1: found undefined alias 'nope'"),
        ("? [a]\n: 1\n", "f.yaml, line 1: found unhashable key"),
        ("a: !!python/name:os.system x\n", "f.yaml, line 1: could not determine a constructor"),
        ("a: \x00\n", "f.yaml: not YAML (unacceptable character"),
        ("", "f.yaml: found NoneType; expected a mapping of options"),
        ("- a\n", "f.yaml: found list; expected a mapping of options"),
        ("just words\n", "f.yaml: found str; expected a mapping of options"),
    ],
)
def test_yaml_mistakes(text, start):
    message = error_of(read_yaml, text, "f.yaml")
    assert message.startswith(start)
    assert "\n" not in message


def test_yaml_anchors_may_be_merged():
    text = "a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n"
    assert read_yaml(text, "f")["b"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("a=2", {"a": 2, "b": {"c": 1}, "l": [1]}),
        ("b.c=x", {"a": 1, "b": {"c": "x"}, "l": [1]}),
        ("b.d.e=[1, 2]", {"a": 1, "b": {"c": 1, "d": {"e": [1, 2]}}, "l": [1]}),
        ("a=", {"a": None, "b": {"c": 1}, "l": [1]}),
        ("a=x=y", {"a": "x=y", "b": {"c": 1}, "l": [1]}),
        ("b={c: 1e-3}", {"a": 1, "b": {"c": yaml.safe_load("1e-3")}, "l": [1]}),
    ],
)
def test_override(assignment, expected):
    values = {"a": 1, "b": {"c": 1}, "l": [1]}
    override(values, assignment)
    assert values == expected


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("a", "--set a: no assignment; expected path.to.option=value"),
        ("=1", "--set =1: no assignment"),
        ("", "--set : no assignment"),
        ("a..b=1", "--set a..b=1: no assignment"),
        ("a.=1", "--set a.=1: no assignment"),
        ("a.b=1", "--set a.b=1: a is not a mapping"),
        ("l.0.x=1", "--set l.0.x=1: l is not a mapping"),
        ("b.c.d.e=1", "--set b.c.d.e=1: b.c is not a mapping"),
        ("a=[1", "--set a=[1: the value is not YAML: "),
        ("a={x: 1, x: 2}", "--set a={x: 1, x: 2}: the value is not YAML: key 'x' is given twice"),
        ("a=\x00", "--set a=\x00: the value is not YAML: unacceptable character"),
    ],
)
def test_override_mistakes(assignment, message):
    values = {"a": 1, "b": {"c": 1}, "l": [1]}
    found = error_of(override, values, assignment)
    assert found.startswith(message)
    assert "\n" not in found
