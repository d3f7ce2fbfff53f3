"""One item ahead."""

import threading

import pytest

from gdmix.data.ahead import ahead


def test_all_items_in_order():
    assert list(ahead(iter(range(50)))) == list(range(50))
    assert list(ahead(iter([]))) == []
    assert list(ahead(iter([None, None]))) == [None, None]


def test_the_next_item_is_made_meanwhile():
    made = threading.Event()

    def items():
        yield 1
        made.set()
        yield 2

    for item in ahead(items()):
        if item == 1:
            assert made.wait(timeout=10)


def test_an_error_comes_in_its_place():
    def items():
        yield 1
        raise ValueError("here")

    coming = ahead(items())
    assert next(coming) == 1
    with pytest.raises(ValueError, match="here"):
        next(coming)


def test_whoever_stops_early_is_not_held_up():
    count = []

    def items():
        for k in range(1000):
            count.append(k)
            yield k

    for item in ahead(items()):
        if item == 2:
            break
    assert len(count) <= 5
