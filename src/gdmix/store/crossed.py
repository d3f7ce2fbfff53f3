"""Split a global model whose features are crossed with an entity into models of the entities.

GDMix trains small random effects within the fixed effect, on features that are named
``<entity>_gdmixcross_<feature>``; its LrModelSplitter takes them apart afterwards.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gdmix.config import ModelOptions
from gdmix.data.index import FeatureIndex
from gdmix.errors import ConfigError, ModelError, did_you_mean
from gdmix.models.carrying import assembled
from gdmix.models.entity import EntityModel
from gdmix.models.linear import LinearModel
from gdmix.models.mixed import Mixed
from gdmix.store.bayesian import Numbers, Records, entity_model, index_of
from gdmix.store.directory import Saved
from gdmix.store.foreign import linear_parts

CROSS = "_gdmixcross_"


class Cut(NamedTuple):
    """How to split.

    Attributes
    ----------
    coordinate : str or None
        The fixed effect to split; the only one by default.
    entity : str
        Column of the entity's id.
    name : str
        What to call the random effect.
    features : tuple of str
        Columns that its features come from; without any, those of the fixed effect.
    """

    coordinate: str | None
    entity: str
    name: str
    features: tuple[str, ...] = ()


def split_crossed(saved: Saved, cut: Cut) -> Saved:
    """Return a model whose crossed features are a random effect.

    Features that are not crossed, and the intercept, stay with the fixed effect; where nothing is
    left of it, it is gone.

    Raises
    ------
    ModelError
        There is no such fixed effect, or none of its features is crossed.
    ConfigError
        The name is taken or cannot be one.
    """
    source = _source(saved.model, cut.coordinate)
    part, index = saved.model.parts[source], saved.model.index_of(source)
    assert isinstance(part, LinearModel)
    crossed = pc.match_substring(index.names, CROSS).to_numpy(zero_copy_only=False)
    if not crossed.any():
        problem = f"no feature of {source!r} is named <entity>{CROSS}<feature>"
        raise ModelError("split", problem, hint="is it the model that was trained on them?")
    if cut.name in saved.model.parts:
        raise ConfigError("--name", f"{cut.name!r} is a coordinate already", "another name")
    records = _records(part, index, np.flatnonzero(crossed), source)
    own = index_of([records])
    owned: dict[str, tuple[FeatureIndex, LinearModel | EntityModel]] = {
        name: (saved.model.index_of(name), each)
        for name, each in linear_parts(saved.model).items()
        if name != source
    }
    left = np.flatnonzero(~crossed)
    if len(left) or part.intercept:
        owned = {
            source: (FeatureIndex(index.keys.take(pa.array(left))), _kept(part, left)),
            **owned,
        }
    owned[cut.name] = own, entity_model(records, cut.name, cut.entity, own)
    options = _options(saved.options, source, cut, records, owned)
    return Saved(options, assembled(options.shards(), owned), [])


def _source(model: Mixed, coordinate: str | None) -> str:
    fixed = [name for name, part in model.parts.items() if isinstance(part, LinearModel)]
    if coordinate is None and len(fixed) == 1:
        return fixed[0]
    if coordinate is None:
        found = ", ".join(fixed) or "none"
        raise ModelError("--coordinate", f"the fixed effects are: {found}", "the one to split")
    if coordinate not in fixed:
        hint = did_you_mean(coordinate, fixed)
        raise ModelError("--coordinate", f"no fixed effect {coordinate!r}", hint=hint)
    return coordinate


def _records(
    part: LinearModel, index: FeatureIndex, crossed: NDArray[np.int64], source: str
) -> Records:
    """Return the crossed features as the models of their entities."""
    keys = index.keys.take(pa.array(crossed))
    # an id holds the mark once at most: what follows the first one is the feature
    halves = pc.split_pattern(keys, CROSS, max_splits=1)
    encoded = pc.list_element(halves, 0).dictionary_encode()
    features = pc.list_element(halves, 1).dictionary_encode()
    owner = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    code = features.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    at = part.intercept + crossed
    variances = None
    if part.variances is not None:
        known = ~np.isnan(part.variances[at])
        variances = Numbers(owner[known], code[known], part.variances[at][known])
    means = Numbers(owner, code, part.coefficients[at])
    return Records(source, encoded.dictionary, None, features.dictionary, means, variances)


def _kept(part: LinearModel, left: NDArray[np.int64]) -> LinearModel:
    at = np.concatenate([np.arange(part.intercept), part.intercept + left])
    variances = None if part.variances is None else part.variances[at]
    return LinearModel(part.shard, part.intercept, part.coefficients[at], variances)


def _options(
    options: ModelOptions, source: str, cut: Cut, records: Records, names: Collection[str]
) -> ModelOptions:
    plain = options.plain()
    old = plain["coordinates"]
    new = {
        "entity": cut.entity,
        "features": list(cut.features) or old[source].get("features", []),
        "intercept": records.intercept,
    }
    if "l2" in old[source]:
        new["l2"] = old[source]["l2"]
    plain["coordinates"] = {name: new if name == cut.name else old[name] for name in names}
    return ModelOptions.parse(plain)
