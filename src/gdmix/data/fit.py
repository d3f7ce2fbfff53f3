"""Whether a column still is what the feature index was built from."""

from __future__ import annotations

from gdmix.data.decode import Decoder, decode_number, decode_one_hot
from gdmix.data.decode_lists import decode_dense
from gdmix.data.index import FeatureIndex
from gdmix.errors import DataError
from gdmix.schema import Feature


def require_fit(decoder: Decoder, feature: Feature, index: FeatureIndex, where: str) -> None:
    """Refuse numbers for a column that held categories in training, and the other way round.

    Each would be unseen and dropped, without an error, in every row. Categories of which
    training saw the empty string alone look like numbers, and are refused as well.

    Raises
    ------
    DataError
        Names the column.
    """
    if decoder not in (decode_number, decode_one_hot):
        return
    terms = index.terms_of(feature.column).to_pylist()
    if decoder is decode_number and terms and "" not in terms:
        raise DataError(
            where,
            "found numbers",
            "categories, as in training",
            "convert the column to strings, or set `kind: categorical` and train again",
        )
    if decoder is decode_one_hot and terms == [""]:
        raise DataError(where, "found categories", "numbers, as in training", "convert the column")


def width_of(decoder: Decoder, feature: Feature, index: FeatureIndex) -> int:
    """Return the width of a dense block in the index, 0 when there was none."""
    return len(index.terms_of(feature.column)) if decoder is decode_dense else 0
