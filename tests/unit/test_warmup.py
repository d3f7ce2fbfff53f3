"""Kernels are compiled before a run is timed, those of its own options too."""

from gdmix import FixedEffect, RandomEffect
from gdmix.config import ModelOptions
from gdmix.data.hashing import fnv
from gdmix.data.sampling import keep_least
from gdmix.data.selection import correlations, drop_features, keep_best
from gdmix.warmup import warm_up


def test_sampling_is_warmed_up_where_it_is_asked_for(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "gdmix.warmup.descend", lambda engine, plan, *rows: asked.append(set(plan.coordinates))
    )
    whole = {"g": FixedEffect(features=["age"]), "u": RandomEffect("user", active_lower_bound=3)}
    some = [
        whole | {"g": FixedEffect(features=["age"], down_sampling=0.5)},
        whole | {"u": RandomEffect("user", active_upper_bound=3)},
        whole | {"u": RandomEffect("user", features_to_samples_ratio=0.5)},
    ]
    for coordinates in [whole, *some]:
        warm_up(ModelOptions(label="click", coordinates=coordinates))
    assert ["sampled" in names for names in asked] == [False, True, True, True]
    monkeypatch.undo()
    warm_up(ModelOptions(label="click", coordinates=some[0]))
    for kernel in (fnv, keep_least, correlations, keep_best, drop_features):
        assert kernel.signatures
