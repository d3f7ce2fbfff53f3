"""`Shape`: what a network is built from, apart from its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gdmix.deep.examples import Examples
from gdmix.deep.options import Network
from gdmix.deep.target import Target


class Shape(NamedTuple):
    """All that a network is built from, apart from its weights: plain values.

    Attributes
    ----------
    network : Network
        The options.
    vocabulary : int
        Tokens known; 0 where no text is read.
    pad : int
        Number of the token that fills up.
    wide : int
        Features of the linear tower; 0 without one.
    fields : dict of str to int
        Features of each column of ids and of embedded features.
    mean, deviation : tuple of float
        By which each dense number is centred and scaled; 0 and 1 where it is not.
    outputs : int
        Scores of a row.
    heads : int
        Tasks with hidden layers and scores of their own.
    transformer : dict or None
        The configuration of a pretrained encoder, as `transformers` writes it.
    """

    network: Network
    vocabulary: int = 0
    pad: int = 0
    wide: int = 0
    fields: Mapping[str, int] = {}
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    outputs: int = 1
    heads: int = 1
    transformer: Mapping[str, Any] | None = None

    @property
    def dense(self) -> int:
        """Return how many dense numbers a row has."""
        return len(self.mean)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, from which `from_json` makes this again."""
        values = self._asdict() | {"network": self.network.model_dump(mode="json")}
        values |= {"mean": list(self.mean), "deviation": list(self.deviation)}
        return values | {"fields": dict(self.fields)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Shape:
        """Make a shape of plain values.

        Raises
        ------
        KeyError, TypeError, ValueError, pydantic.ValidationError
            They are not those of a shape.
        """
        given = dict(values)
        given["network"] = Network.model_validate(given["network"])
        given["mean"] = tuple(float(value) for value in given["mean"])
        given["deviation"] = tuple(float(value) for value in given["deviation"])
        given["fields"] = {str(name): int(width) for name, width in given["fields"].items()}
        for name in ("vocabulary", "pad", "wide", "outputs", "heads"):
            given[name] = int(given[name])
        shape = cls(**given)
        _check(shape)
        return shape


def shape_of(
    network: Network,
    target: Target,
    examples: Examples,
    *,
    vocabulary: int = 0,
    pad: int = 0,
    transformer: Mapping[str, Any] | None = None,
) -> Shape:
    """Return the shape of a network that is to be trained on these rows.

    Parameters
    ----------
    network, target
    examples : Examples
        Their widths, and the mean and deviation of their dense numbers, are taken over.
    vocabulary, pad : int
        Size of the vocabulary, and its token that fills up.
    transformer : dict, optional
        The pretrained encoder's configuration.
    """
    mean, deviation = _statistics(examples.dense, examples.weight)
    if not network.standardize:
        mean, deviation = np.zeros_like(mean), np.ones_like(deviation)
    return Shape(
        network,
        vocabulary=vocabulary,
        pad=pad,
        wide=examples.wide.width,
        fields={name: examples.fields[name].width for name in network.fields},
        mean=tuple(mean.tolist()),
        deviation=tuple(deviation.tolist()),
        outputs=target.outputs,
        heads=target.heads,
        transformer=transformer,
    )


def _statistics(
    dense: NDArray[np.float32], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weighted mean and deviation of every column; NaN is absent.

    A constant, and a column without a number, has deviation 1.
    """
    numbers = dense.shape[1]
    mean, deviation = np.zeros(numbers), np.ones(numbers)
    for column in range(numbers):
        values = dense[:, column].astype(np.float64)
        known = np.isfinite(values) & (weight > 0.0)
        if not known.any():
            continue
        values, shares = values[known], weight[known]
        mean[column] = np.average(values, weights=shares)
        spread = np.sqrt(np.average(np.square(values - mean[column]), weights=shares))
        # rounding makes a constant's spread a little more than zero
        if spread > 1e-7 * max(1.0, abs(mean[column])):
            deviation[column] = spread
    return mean, deviation


def _check(shape: Shape) -> None:
    network = shape.network
    sizes = [shape.vocabulary, shape.pad, shape.wide, *shape.fields.values()]
    if min(sizes) < 0 or min(shape.outputs, shape.heads) < 1:
        problem = f"sizes {sizes}, outputs {shape.outputs}, heads {shape.heads}"
        raise ValueError(problem)
    if len(shape.mean) != len(shape.deviation) or any(value <= 0.0 for value in shape.deviation):
        raise ValueError(f"deviations {shape.deviation} for means {shape.mean}")
    if missing := set(network.fields) - shape.fields.keys():
        raise ValueError(f"no width of {sorted(missing)}")
    if bool(shape.vocabulary) != bool(network.texts) or shape.pad >= max(1, shape.vocabulary):
        raise ValueError(f"pad {shape.pad} in a vocabulary of {shape.vocabulary}")
    reads_by_it = bool(network.texts) and network.encoder.kind == "transformer"
    if (shape.transformer is not None) != reads_by_it:
        raise ValueError(f"transformer {shape.transformer} for {network.encoder.kind}")
