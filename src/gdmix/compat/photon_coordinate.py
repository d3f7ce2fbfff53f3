"""One coordinate of a Photon-ML job: its part of the model, its penalty, its solver."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from gdmix.compat import photon_values as values
from gdmix.compat.photon_columns import Names
from gdmix.compat.report import Report
from gdmix.errors import ConfigError, did_you_mean

_SHARDS = "--feature-shard-configurations"
_COORDINATES = "--coordinate-configurations"
_NEEDED = ("name", "feature.shard", "min.partitions", "optimizer", "max.iter", "tolerance")
_PENALTY = (
    "regularization",
    "reg.alpha",
    "reg.weights",
    "reg.weight.range",
    "reg.alpha.range",
    "incremental.weight",
)
_FIXED = ("down.sampling.rate",)
_RANDOM = ("active.data.lower.bound", "active.data.upper.bound", "features.to.samples.ratio")
_KNOWN = (*_NEEDED, "random.effect.type", *_PENALTY, *_FIXED, *_RANDOM)


class Shard(NamedTuple):
    """A set of features.

    Attributes
    ----------
    name : str
    bags : list of str
        Columns of name-term-values; none leaves an intercept alone.
    intercept : bool
    """

    name: str
    bags: list[str]
    intercept: bool


@dataclass
class Translated:
    """A coordinate, as ours.

    Attributes
    ----------
    theirs, name : str
        Its name there and here: here it also names a folder.
    options : dict
        Plain options.
    grid : dict of str to list of float
        Options with several values, as a grid names them.
    """

    theirs: str
    name: str
    options: dict[str, Any]
    grid: dict[str, list[float]]


def shard_of(text: str) -> Shard:
    """Read ``name=shard1,feature.bags=features|songFeatures,intercept=true``.

    Raises
    ------
    ConfigError
        A part is wrong.
    """
    parts = values.parts_of(_SHARDS, text, ("name", "feature.bags", "intercept"), ("name",))
    where = f"{_SHARDS} {parts['name']}"
    bags = []
    if "feature.bags" in parts:
        bags = values.words(f"{where}: feature.bags", parts["feature.bags"], "|")
    intercept = values.boolean(f"{where}: intercept", parts.get("intercept", "true"))
    return Shard(parts["name"], bags, intercept)


class Shards:
    """All shards of a job; those in use become bags of the same names.

    Parameters
    ----------
    texts : list of str
        Values of ``--feature-shard-configurations``.
    lists : str or None
        Folder of the lists of features that are wanted.

    Raises
    ------
    ConfigError
        A part is wrong, or a shard is configured twice.
    """

    def __init__(self, texts: list[str], lists: str | None) -> None:
        self._known: dict[str, Shard] = {}
        self._lists = lists
        for text in texts:
            shard = shard_of(text)
            if shard.name in self._known:
                where = f"{_SHARDS} {shard.name}"
                raise ConfigError(where, "is configured twice", hint="remove one of the two")
            self._known[shard.name] = shard
        self._columns = {bag for shard in self._known.values() for bag in shard.bags}
        self.bags: dict[str, list[Any]] = {}

    def require(self, where: str, name: str) -> Shard:
        """Return a shard by its name.

        Raises
        ------
        ConfigError
            There is none.
        """
        if name not in self._known:
            hint = did_you_mean(name, self._known)
            raise ConfigError(where, f"no feature shard {name!r}", hint=hint)
        return self._known[name]

    def features_of(self, shard: Shard) -> list[Any]:
        """Return the features of a coordinate: the bag, named as the shard, or its columns."""
        columns: list[Any] = list(shard.bags)
        if self._lists is not None:
            lists = self._lists.rstrip("/")
            columns = [{"column": bag, "only": f"{lists}/{bag}"} for bag in shard.bags]
        # a bag cannot be named like a column
        if not columns or shard.name in self._columns:
            return columns
        self.bags[shard.name] = columns
        return [shard.name]


def our_name(name: str, report: Report) -> str:
    """Return a coordinate's name as that of a folder."""
    found = re.sub(r"[^A-Za-z0-9_-]", "-", name)[:64]
    found = found if found[:1].isalnum() else f"c{found}"[:64]
    if found != name:
        report.note(f"coordinate {name!r} is named {found!r}: a name is that of a folder here")
    return found


def coordinate_of(text: str, shards: Shards, names: Names) -> Translated:
    """Read ``name=global,feature.shard=shard1,optimizer=LBFGS,...``.

    Raises
    ------
    ConfigError
        A part is missing or wrong, or the shard is not there.
    """
    parts = values.parts_of(_COORDINATES, text, _KNOWN, _NEEDED)
    where = f"{_COORDINATES} {parts['name']}"
    shard = shards.require(f"{where}: feature.shard", parts["feature.shard"])
    report = names.report
    name = our_name(parts["name"], report)
    options: dict[str, Any] = {}
    if "random.effect.type" in parts:
        tag = parts["random.effect.type"]
        options["entity"] = names.tag(f"{where}: random.effect.type", tag)
        report.maps(f"{where}: random.effect.type={tag}", f"entity: {options['entity']}")
    options["features"] = shards.features_of(shard)
    options["intercept"] = shard.intercept
    report.maps(
        f"{where}: feature.shard={shard.name}", f"features: {', '.join(shard.bags) or 'none'}"
    )
    grid = _penalty(where, parts, options, report)
    _intercept(parts["name"], shard, options, report)
    _solver(where, parts, options, report)
    _rows(where, parts, options, report)
    report.ignores(f"{where}: min.partitions", "all rows are in one process")
    return Translated(parts["name"], name, options, {f"{name}.{k}": v for k, v in grid.items()})


def _penalty(
    where: str, parts: dict[str, str], options: dict[str, Any], report: Report
) -> dict[str, list[float]]:
    """Set the penalty; several weights make a grid."""
    kind = values.one_of(
        f"{where}: regularization", parts.get("regularization", "NONE"), values.REGULARIZATIONS
    )
    texts = values.words(f"{where}: reg.weights", parts.get("reg.weights", "0"), "|")
    numbers = {values.number(f"{where}: reg.weights", text, 0.0) for text in texts}
    weights = sorted(numbers, reverse=True)
    for key in ("reg.weight.range", "reg.alpha.range"):
        if key in parts:
            report.ignores(f"{where}: {key}", "a range for the tuner, and there is none yet")
    if "incremental.weight" in parts:
        key = f"{where}: incremental.weight"
        options["prior_weight"] = values.number(key, parts["incremental.weight"], 0.0)
        report.maps(f"{key}={parts['incremental.weight']}", "prior_weight")
    given = f"{where}: regularization={kind}"
    if kind == "NONE":
        options["l2"] = 0.0
        report.maps(given, "l2: 0")
        return {}
    if kind == "ELASTIC_NET":
        if "reg.alpha" not in parts:
            raise ConfigError(f"{where}: reg.alpha", "is missing, which ELASTIC_NET needs")
        alpha = values.number(f"{where}: reg.alpha", parts["reg.alpha"], 0.0)
        options["elastic_net"] = {"weight": weights[0], "alpha": alpha}
        key = "elastic_net.weight"
    else:
        key = kind.lower()
        options |= {"l2": 0.0, key: weights[0]}
    shown = ", ".join(f"{weight:g}" for weight in weights)
    report.maps(f"{given}, reg.weights={parts.get('reg.weights', '0')}", f"{key}: {shown}")
    return {key: weights} if len(weights) > 1 else {}


def _intercept(name: str, shard: Shard, options: dict[str, Any], report: Report) -> None:
    """Say whether the penalty holds for the intercept, as it does there."""
    if not shard.intercept:
        return
    options["penalize_intercept"] = name != shard.name
    penalized = "elastic_net" in options or options.get("l1") or options["l2"]
    if name != shard.name and penalized:
        report.note(
            "intercepts are shrunk (`penalize_intercept: true`), as Photon-ML does wherever a "
            "coordinate and its shard have different names; it means to spare them, so set it to "
            "false for fixed effects when you no longer compare"
        )


def _solver(where: str, parts: dict[str, str], options: dict[str, Any], report: Report) -> None:
    optimizer = values.one_of(f"{where}: optimizer", parts["optimizer"], values.OPTIMIZERS)
    l1 = options.get("l1", 0.0) > 0.0 or options.get("elastic_net", {}).get("alpha", 0.0) > 0.0
    if optimizer == "TRON" and ("l1" in options or "elastic_net" in options):
        raise ConfigError(
            f"{where}: optimizer", "TRON cannot hold an L1 penalty", "LBFGS, or regularization=L2"
        )
    tolerance = values.number(f"{where}: tolerance", parts["tolerance"])
    if not 0.0 < tolerance < 1.0:
        raise ConfigError(f"{where}: tolerance", f"found {tolerance:g}", "between 0 and 1")
    options["tolerance"] = tolerance
    options["max_iterations"] = values.whole(f"{where}: max.iter", parts["max.iter"])
    if "entity" in options:
        report.ignores(f"{where}: optimizer", "entities are solved by Newton's method")
    else:
        options["optimizer"] = "owlqn" if l1 else optimizer.lower()
        report.maps(f"{where}: optimizer={optimizer}", f"optimizer: {options['optimizer']}")
    for key, ours in (("tolerance", "tolerance"), ("max.iter", "max_iterations")):
        report.maps(f"{where}: {key}={parts[key]}", f"{ours}: {options[ours]:g}")
    report.note(
        "`tolerance` is that of the gradient, relative to the one at zero; Photon-ML also stops "
        "where the loss changes by less than that share of it, so a run here may take more "
        "iterations and come closer to the optimum"
    )


def _rows(where: str, parts: dict[str, str], options: dict[str, Any], report: Report) -> None:
    """Set which rows train the coordinate; what belongs to the other kind is passed over."""
    readers = {
        "down.sampling.rate": ("down_sampling", values.number),
        "active.data.lower.bound": ("active_lower_bound", values.whole),
        "active.data.upper.bound": ("active_upper_bound", values.whole),
        "features.to.samples.ratio": ("features_to_samples_ratio", values.number),
    }
    fitting = _RANDOM if "entity" in options else _FIXED
    for key, (ours, reader) in readers.items():
        if key not in parts:
            continue
        if key not in fitting:
            kind = "random" if "entity" in options else "fixed"
            report.ignores(f"{where}: {key}", f"has no meaning for a {kind} effect, there too")
            continue
        options[ours] = reader(f"{where}: {key}", parts[key])
        report.maps(f"{where}: {key}={parts[key]}", f"{ours}: {options[ours]:g}")
