"""Features and columns as options."""

import math

import pytest

from gdmix.errors import ConfigError
from gdmix.options import Options, read_yaml
from gdmix.schema import Columns, Feature, FeatureList


class Holder(Options):
    features: FeatureList = ()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a", (Feature("a"),)),
        (["a", {"column": "b", "scale": 2}], (Feature("a"), Feature("b", scale=2.0))),
        ({"column": "a", "kind": "categorical"}, (Feature("a", kind="categorical"),)),
        (Feature("a"), (Feature("a"),)),
        ((Feature("a"), "b"), (Feature("a"), Feature("b"))),
        ([], ()),
    ],
)
def test_feature_lists(given, expected):
    assert Holder(features=given).features == expected


def test_shortest_spelling():
    holder = Holder(features=["a", Feature("b", separator="|"), Feature("ü", scale=0.1)])
    assert holder.plain() == {
        "features": ["a", {"column": "b", "separator": "|"}, {"column": "ü", "scale": 0.1}]
    }
    assert Holder.parse(read_yaml(holder.to_yaml(), "h")) == holder


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"colum": "a"}, "features.0.colum: unknown option; did you mean 'column'?"),
        ({"kind": "numeric"}, "features.0.column: required option is missing"),
        ({"column": ""}, "features.0.column: found ''"),
        ({"column": "a", "kind": "number"}, "features.0.kind: found 'number'; expected 'auto'"),
        ({"column": "a", "scale": math.inf}, "features.0.scale: found inf; expected a finite"),
        ({"column": "a", "scale": math.nan}, "features.0.scale: found nan; expected a finite"),
        ({"column": "a", "separator": ""}, "features.0.separator: found ''"),
        (["a", 3], "features.1: found 3"),
        (3, "features: found 3"),
    ],
)
def test_mistakes(given, words):
    with pytest.raises(ConfigError) as caught:
        Holder(features=given)
    assert str(caught.value).startswith(words)


def test_roles():
    columns = Columns(label="y", weight="w")
    assert columns.roles() == {"label": "y", "weight": "w"}
    assert Columns().roles() == {}
    with pytest.raises(ConfigError, match=r"labl: unknown option; did you mean 'label'\?"):
        Columns(labl="y")
