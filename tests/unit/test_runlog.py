"""Seconds by stage."""

import pytest

from gdmix.runlog import Stopwatch


def test_parts_and_the_rest_take_the_place_of_a_stage():
    begun = []
    clock = Stopwatch(begun.append)
    for name in ("read", "train", "read"):
        with clock.stage(name):
            pass
    assert begun == ["read", "train", "read"]
    assert list(clock.seconds) == ["read", "train"]
    clock.seconds["train"] = 3.0
    clock.split("train", {"group": 0.5, "solve": 1.5}, "score")
    assert list(clock.seconds) == ["read", "group", "solve", "score"]
    assert clock.seconds["score"] == pytest.approx(1.0)


def test_the_rest_is_never_negative():
    clock = Stopwatch(lambda _: None)
    clock.seconds["train"] = 1.0
    clock.split("train", {"solve": 1.1}, "score")
    assert clock.seconds == {"solve": 1.1, "score": 0.0}
