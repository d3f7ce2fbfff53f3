"""Linear models as Photon-ML and GDMix keep them: Avro records named BayesianLinearModelAvro.

A record is one model: of the fixed effect, or of one entity. It lists means, and variances where
there are some, by name and term; the intercept is the feature ``(INTERCEPT)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gdmix.data.arrowtypes import plain
from gdmix.data.formats import avro
from gdmix.data.index import INTERCEPT, FeatureIndex
from gdmix.data.piece import SEPARATOR, floats, lists
from gdmix.data.place import Place
from gdmix.data.texts import ascending
from gdmix.data.vocabulary import Vocabulary
from gdmix.engine import EntityTable
from gdmix.errors import DataError, ModelError
from gdmix.glm.groups import Outcome
from gdmix.glm.status import Status
from gdmix.models.entity import EntityModel
from gdmix.models.linear import LinearModel

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

_FIELDS = ("modelId", "modelClass", "means", "variances")
_INTERCEPT_KEY = INTERCEPT + SEPARATOR


class Numbers(NamedTuple):
    """Numbers of features, model after model.

    Attributes
    ----------
    owner : int64
        Which model.
    code : int32
        Which of the keys.
    value : float64
    """

    owner: Places
    code: NDArray[np.int32]
    value: Floats


class Records(NamedTuple):
    """The models of one coordinate, as its files hold them.

    Attributes
    ----------
    place : str
        Where they come from, for messages.
    ids : pa.StringArray
    model_class : str or None
        That of the first model.
    keys : pa.StringArray
        The distinct features, the intercept among them.
    means : Numbers
    variances : Numbers or None
        None where no model has any.
    """

    place: str
    ids: pa.StringArray
    model_class: str | None
    keys: pa.StringArray
    means: Numbers
    variances: Numbers | None

    @property
    def intercept(self) -> bool:
        """Whether any of the models has one."""
        return bool(pc.any(pc.equal(self.keys, _INTERCEPT_KEY)).as_py())


def read_models(files: Sequence[Path]) -> Records:
    """Read all models of one coordinate.

    Raises
    ------
    ModelError
        A file is damaged, or holds something else.
    """
    vocabulary = Vocabulary()
    ids: list[pa.Array] = []
    found: dict[str, list[Numbers]] = {"means": [], "variances": []}
    classes: list[str] = []
    count = 0
    for file in files:
        start = count
        try:
            for batch in _batches(file):
                place = Place(str(file), count - start)
                ids.append(plain(batch["modelId"]).cast(pa.string()))
                if "modelClass" in batch.schema.names and not classes:
                    classes += batch["modelClass"].drop_null().to_pylist()[:1]
                for name, numbers in found.items():
                    if name in batch.schema.names:
                        numbers.append(_numbers(batch[name], name, vocabulary, count, place))
                count += len(batch)
        except DataError as error:
            raise ModelError(error.where, error.problem, error.expected, error.hint) from None
    where = str(files[0]) if len(files) == 1 else f"{files[0].parent} ({len(files)} files)"
    means, variances = (_joined(numbers) for numbers in found.values())
    return Records(
        where,
        pa.concat_arrays([pa.array([], pa.string()), *ids]),
        classes[0] if classes else None,
        vocabulary.keys(),
        means,
        variances if len(variances.owner) else None,
    )


def index_of(several: Sequence[Records]) -> FeatureIndex:
    """Return the features of coordinates that share a shard, in the order of name and term."""
    vocabulary = Vocabulary()
    for records in several:
        vocabulary.add(records.keys)
    keys = vocabulary.keys()
    keys = keys.filter(pc.not_equal(keys, _INTERCEPT_KEY))
    return FeatureIndex(keys.take(pa.array(ascending(keys))))


def linear_model(records: Records, shard: str, index: FeatureIndex) -> LinearModel:
    """Return the model of a fixed effect.

    Raises
    ------
    ModelError
        There is not exactly one model, or a feature is named twice.
    """
    if len(records.ids) != 1:
        found = f"found {len(records.ids)} models"
        raise ModelError(records.place, found, "the one of a fixed effect")
    intercept = int(records.intercept)
    arranged = _arrange(records, np.zeros(1, np.int64), index)
    at = arranged.pairs - (1 - intercept)
    coefficients = np.zeros(intercept + len(index))
    coefficients[at] = arranged.means
    variances = None
    if arranged.variances is not None:
        variances = np.full(len(coefficients), np.nan)
        variances[at] = arranged.variances
    return LinearModel(shard, intercept, coefficients, variances)


def entity_model(records: Records, shard: str, entity: str, index: FeatureIndex) -> EntityModel:
    """Return the models of a random effect. How they were trained is not known: that is zero.

    Raises
    ------
    ModelError
        Two models have one id, or a feature is named twice in one.
    """
    order = pc.array_sort_indices(records.ids)
    ids = records.ids.take(order)
    _require_distinct(ids, records.place)
    rank = np.empty(len(ids), np.int64)
    rank[order.to_numpy(zero_copy_only=False)] = np.arange(len(ids))
    arranged = _arrange(records, rank, index)
    width = len(index) + 1
    owner, feature = np.divmod(arranged.pairs, width)
    is_feature = feature > 0
    pointers = np.zeros(len(ids) + 1, np.int64)
    np.cumsum(np.bincount(owner[is_feature], minlength=len(ids)), out=pointers[1:])
    zeros = np.zeros(len(ids))
    table = EntityTable(
        ids,
        np.zeros(len(ids), np.int64),
        pointers,
        (feature[is_feature] - 1).astype(np.int32),
        arranged.means,
        Outcome(
            np.full(len(ids), Status.CONVERGED, np.int8),
            np.zeros(len(ids), np.int32),
            zeros,
            zeros,
            zeros,
        ),
        arranged.variances,
    )
    return EntityModel(shard, entity, int(records.intercept), table)


class _Arranged(NamedTuple):
    """Numbers in order: model * (features + 1) + position + 1, an intercept's position being -1."""

    pairs: Places
    means: Floats
    variances: Floats | None


def _arrange(records: Records, rank: Places, index: FeatureIndex) -> _Arranged:
    width = len(index) + 1
    # an intercept is the one key that no index holds
    position = index.positions(records.keys).astype(np.int64) + 1

    def pairs_of(numbers: Numbers) -> Places:
        pairs: Places = rank[numbers.owner] * width + position[numbers.code]
        return pairs

    means = pairs_of(records.means)
    several = [means]
    if records.intercept:
        several.append(rank * width)
    if records.variances is not None:
        several.append(pairs_of(records.variances))
        _require_once(records, records.variances, several[-1], "variances")
    _require_once(records, records.means, means, "means")
    pairs = np.sort(np.concatenate(several))
    # numpy's own `unique` hashes, which takes ten times as long
    pairs = pairs[np.append(True, np.diff(pairs) > 0)] if len(pairs) else pairs
    coefficients = np.zeros(len(pairs))
    coefficients[np.searchsorted(pairs, means)] = records.means.value
    variances = None
    if records.variances is not None:
        variances = np.full(len(pairs), np.nan)
        variances[np.searchsorted(pairs, several[-1])] = records.variances.value
    return _Arranged(pairs, coefficients, variances)


def _batches(file: Path) -> Iterator[pa.RecordBatch]:
    schema = avro.read_schema(file)
    for name in ("modelId", "means"):
        if name not in schema.names:
            found = f"the records have no {name} (they have {', '.join(schema.names)})"
            raise DataError(str(file), found, "records of BayesianLinearModelAvro")
    wanted = pa.schema([schema.field(name) for name in _FIELDS if name in schema.names])
    return avro.read_batches(file, wanted)


def _numbers(
    column: pa.Array, name: str, vocabulary: Vocabulary, first: int, place: Place
) -> Numbers:
    lengths, items = lists(column, place, name)
    if not len(items):
        nothing = np.zeros(0)
        return Numbers(nothing.astype(np.int64), nothing.astype(np.int32), nothing)
    texts = [pc.coalesce(plain(pc.struct_field(items, [part])), "") for part in ("name", "term")]
    code = vocabulary.add(pc.binary_join_element_wise(*texts, SEPARATOR))
    value = floats(pc.struct_field(items, ["value"]))
    owner = first + np.repeat(np.arange(len(column)), lengths)
    wrong = np.flatnonzero(~np.isfinite(value))
    if len(wrong):
        at = int(wrong[0])
        what = vocabulary.keys()[int(code[at])].as_py().replace(SEPARATOR, ",")
        raise DataError(place.at(int(owner[at]) - first, name), f"{value[at]} for {what!r}")
    return Numbers(owner, code, value)


def _joined(parts: list[Numbers]) -> Numbers:
    start = Numbers(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0))
    return Numbers(*(np.concatenate(column) for column in zip(start, *parts, strict=True)))


def _require_distinct(ids: pa.StringArray, place: str) -> None:
    same = pc.equal(ids.slice(1), ids.slice(0, max(len(ids) - 1, 0)))
    if pc.any(same).as_py():
        twice = ids[pc.index(same, True).as_py()].as_py()
        hint = "keep one of them; are files of several runs in the folder?"
        raise ModelError(place, f"two models have the id {twice!r}", hint=hint)


def _require_once(records: Records, numbers: Numbers, pairs: Places, name: str) -> None:
    order = np.argsort(pairs, kind="stable")
    same = np.flatnonzero(np.diff(pairs[order]) == 0)
    if len(same):
        at = int(order[same[0]])
        what = records.keys[int(numbers.code[at])].as_py().replace(SEPARATOR, ",")
        model = records.ids[int(numbers.owner[at])].as_py()
        problem = f"model {model!r} names the feature {what!r} twice in its {name}"
        raise ModelError(records.place, problem, hint="keep one of the two")
