"""The Spark engine against the local one: the same options, the same data, the same model."""

import pytest

from gdmix import FixedEffect, MixedModel, RandomEffect
from gdmix.config import ModelOptions
from gdmix.initial import Initial
from tests.made_up import table
from tests.spark.agreement import on_local, on_spark, require_equal

TRAIN, VALIDATION = table(900), table(300).slice(0, 200)
ROLES = {"label": "click", "uid": "uid", "weight": "weight", "metrics": ["auc", "auc:user_id"]}
EXACT = {"tolerance": 1e-10}


def options(*, fixed=None, random=None, **more):
    return ModelOptions(
        **{
            **ROLES,
            "coordinates": {
                "global": FixedEffect(features=["age", "city", "tags"], **(fixed or {}), **EXACT),
                "per-user": RandomEffect("user_id", features=["age"], **(random or {}), **EXACT),
            },
            "sweeps": 2,
            **more,
        }
    )


@pytest.mark.parametrize("partitions", [1, 2, 7])
def test_partitions_make_no_difference(spark, partitions):
    both = options()
    theirs = on_spark(spark, both, TRAIN, VALIDATION, partitions=partitions)
    require_equal(on_local(both, TRAIN, VALIDATION), theirs)


def test_three_effects_on_two_shards(spark):
    both = options(
        coordinates={
            "global": FixedEffect(features=["age", "city"], **EXACT),
            "per-user": RandomEffect("user_id", features=["age", "city"], **EXACT),
            "per-item": RandomEffect("item_id", features=["tags"], **EXACT),
        }
    )
    require_equal(on_local(both, TRAIN, VALIDATION), on_spark(spark, both, TRAIN, VALIDATION))


@pytest.mark.parametrize(
    "fixed",
    [
        {"l1": 2.0, "optimizer": "owlqn"},
        {"normalization": "standardization", "variance": "full"},
        {"down_sampling": 0.4, "variance": "simple", "optimizer": "tron"},
        {"bounds": [{"name": "age", "upper": 0.0}], "optimizer": "newton"},
    ],
    ids=["l1", "normalized", "down-sampled", "bounded"],
)
def test_what_a_fixed_effect_can_do(spark, fixed):
    both = options(coordinates={"global": FixedEffect(features=["age", "city"], **fixed, **EXACT)})
    require_equal(on_local(both, TRAIN), on_spark(spark, both, TRAIN, partitions=3))


@pytest.mark.parametrize(
    "random",
    [
        {"active_upper_bound": 10, "active_lower_bound": 4, "variance": "full"},
        {"active_upper_bound": 10, "active_sampling": "hash_groups", "l1": 0.2},
        {"features_to_samples_ratio": 0.05, "normalization": "standard_deviation"},
    ],
    ids=["capped", "hash-groups", "chosen-features"],
)
def test_what_a_random_effect_can_do(spark, random):
    both = options(random=random)
    require_equal(on_local(both, TRAIN), on_spark(spark, both, TRAIN, partitions=3))


def test_rows_without_uids_are_chosen_by_their_numbers(spark):
    without = TRAIN.drop_columns("uid")
    both = options(fixed={"down_sampling": 0.5}, random={"active_upper_bound": 10}, uid=None)
    # a frame that is cut by rows, in their order
    theirs = on_spark(spark, both, without, partitions=1)
    require_equal(on_local(both, without), theirs)


def test_incremental_training_keeps_what_has_no_new_data(spark):
    wide = options(fixed={"variance": "simple"}, random={"variance": "simple"})
    old = MixedModel(**dict(wide)).fit(TRAIN.slice(0, 500))
    new = wide.model_copy(update={"incremental": True})
    today = TRAIN.slice(400, 300)
    initial = Initial(old.options_, old.model_, "old")
    ours, theirs = on_local(new, today, None, initial), on_spark(spark, new, today, None, initial)
    require_equal(ours, theirs)
