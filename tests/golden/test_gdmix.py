"""GDMix's own test data: what its converter and its partitioner make of rows, ours must too."""

import fastavro
import numpy as np
import pyarrow as pa
import pytest

from gdmix import MixedModel, RandomEffect
from gdmix.data.grouping import group
from gdmix.data.reading import read
from gdmix.data.sampling import Sampling
from gdmix.data.source import FrameSource

RESOURCES = "gdmix-data/src/test/resources"


@pytest.fixture
def resources(shared_data):
    return shared_data("gdmix") / RESOURCES


def records(path):
    with path.open("rb") as file:
        return list(fastavro.reader(file))


def test_rows_by_entity(resources):
    """Same features for every row, numbered alike, and every entity's rows together."""
    train = pa.Table.from_pylist(records(resources / "data" / "TrainData.avro"))
    expected = records(resources / "data" / "ExpectedPerMemberTrainData.avro")
    coordinates = {"c": RandomEffect("memberId", features=["perMember"])}
    model = MixedModel(label="response", uid="uid", coordinates=coordinates)
    rows, indexes = read(FrameSource(train), model.options.layout())
    names = (resources / "metadata" / "ExpectedPerMemberFeatureList.txt").read_text().split()
    assert [f"perMember,{term}" for term in indexes["c"].terms.to_pylist()] == names
    grouped = group(rows, "memberId", "c")
    by_uid = {record["uid"]: record for record in expected}
    for at, member in enumerate(grouped.ids.to_pylist()):
        mine = grouped.features[slice(*grouped.feature_ptr[at : at + 2])]
        for row in range(*grouped.row_ptr[at : at + 2]):
            record = by_uid.pop(rows.uid[grouped.order[row]].as_py())
            assert (record["memberId"], record["response"]) == (member, grouped.label[row])
            run = slice(*grouped.indptr[row : row + 2])
            found = dict(zip(mine[grouped.indices[run]], grouped.values[run], strict=True))
            features = record["perMember"]
            assert found == dict(zip(features["indices"], features["values"], strict=True))
    assert not by_uid


def test_active_and_passive():
    """The partitioner's own case: bounds 2 and 4, entities of 3, 6 and 1 rows.

    GDMix says of the second entity only that it has one or two groups, for a hash decides.
    """
    data = pa.table(
        {
            "uid": np.arange(10),
            "entityId": [0, 0, 0, 1, 1, 1, 1, 1, 1, 2],
            "label": [0, 0, 1, 1, 1, 0, 0, 1, 1, 1],
        }
    )
    model = MixedModel(label="label", uid="uid", coordinates={"c": RandomEffect("entityId")})
    rows, _ = read(FrameSource(data), model.options.layout())
    grouped = group(rows, "entityId", "c", Sampling(2, 4, "hash_groups"))
    assert grouped.ids.to_pylist() == [0, 1]
    assert grouped.order[:3].tolist() == [0, 1, 2]
    assert (grouped.passive[[0, 1, 2, 9]] == -1).all()
    assert 1 <= grouped.row_ptr[2] - 3 <= 6
    assert (grouped.weight == 1.0).all()
    # whoever is not active is passive, under the entity's own model
    second = set(range(3, 9))
    active = set(grouped.order[3:].tolist())
    assert {row for row in second if grouped.passive[row] == 1} == second - active
