"""The public face: names, options, and the pages made from them."""

import inspect
from pathlib import Path

import pytest
import yaml

import gdmix
from gdmix.cli.options_reference import reference
from gdmix.config import TrainOptions
from gdmix.coordinates import DeepEffect, FixedEffect, RandomEffect
from gdmix.deep.options import Network, TextEncoder, Training
from gdmix.schema import Feature

ROOT = Path(__file__).parents[2]


def test_public_names():
    assert gdmix.__all__ == [
        "DeepEffect",
        "ExternalEffect",
        "Feature",
        "FixedEffect",
        "GdmixError",
        "MixedModel",
        "RandomEffect",
        "__version__",
        "daily",
        "join",
        "load",
        "train",
    ]
    for name in gdmix.__all__:
        assert getattr(gdmix, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'fit'"):
        _ = gdmix.fit


@pytest.mark.parametrize(
    "options",
    [TrainOptions, FixedEffect, RandomEffect, Feature, DeepEffect, Network, TextEncoder, Training],
)
def test_every_option_says_what_it_means(options):
    for name, field in options.model_fields.items():
        assert field.description, f"{options.__name__}.{name}"


def test_the_page_of_options_is_current():
    """Regenerate with ``gdmix options > docs/options.md``."""
    assert (ROOT / "docs" / "options.md").read_text(encoding="utf-8") == reference()


def test_example_is_a_config():
    values = yaml.safe_load((ROOT / "examples" / "movielens.yaml").read_text(encoding="utf-8"))
    assert list(TrainOptions.parse(values).coordinates) == ["global", "per-user", "per-movie"]


def test_public_classes_are_documented():
    for name in set(gdmix.__all__) - {"__version__"}:
        assert inspect.getdoc(getattr(gdmix, name)), name
