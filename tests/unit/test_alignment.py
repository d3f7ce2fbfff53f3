import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdmix.glm.alignment import copy_matching, score_rows

WIDTH = 6

models = st.lists(
    st.dictionaries(st.integers(0, WIDTH - 1), st.floats(-5.0, 5.0)), min_size=1, max_size=5
)


def _layout(entities, intercept):
    """Return pointers, features and coefficients; entity e's intercept is e + 1."""
    pointers = np.cumsum([0] + [len(e) for e in entities])
    features = np.array([f for e in entities for f in sorted(e)], np.int32)
    parts = [[k + 1.0] * intercept + [e[f] for f in sorted(e)] for k, e in enumerate(entities)]
    return pointers, features, np.array([c for part in parts for c in part], np.float64)


@pytest.mark.parametrize("intercept", [0, 1])
@given(entities=models, seed=st.integers(0, 1000))
def test_scores_are_those_of_dictionaries(intercept, entities, seed):
    rng = np.random.default_rng(seed)
    rows = [
        {int(f): rng.normal() for f in rng.permutation(WIDTH)[: rng.integers(0, WIDTH + 1)]}
        for _ in range(8)
    ]
    entity = rng.integers(-1, len(entities), 8).astype(np.int32)
    indptr = np.cumsum([0] + [len(row) for row in rows])
    indices = np.array([f for row in rows for f in row], np.int32)
    values = np.array([v for row in rows for v in row.values()], np.float64)
    out = np.full(8, np.nan)
    score_rows(indptr, indices, values, entity, *_layout(entities, intercept), intercept, out)
    expected = [
        0.0
        if e < 0
        else intercept * (e + 1.0) + sum(v * entities[e].get(f, 0.0) for f, v in row.items())
        for e, row in zip(entity, rows, strict=True)
    ]
    np.testing.assert_allclose(out, expected, atol=1e-13)


@pytest.mark.parametrize("intercept", [0, 1])
@given(entities=models, source=models, seed=st.integers(0, 1000))
def test_copies_are_those_of_dictionaries(intercept, entities, source, seed):
    origin = np.random.default_rng(seed).integers(-1, len(source), len(entities)).astype(np.int32)
    pointers, features, _ = _layout(entities, intercept)
    source_ptr, source_features, coefficients = _layout(source, intercept)
    out = np.full(pointers[-1] + intercept * len(entities), 9.0)
    copy_matching(
        origin, pointers, features, source_ptr, source_features, coefficients, intercept, out
    )
    expected = []
    for e, s in zip(entities, origin, strict=True):
        expected += [s + 1.0 if s >= 0 else 9.0] * intercept
        expected += [source[s].get(f, 9.0) if s >= 0 else 9.0 for f in sorted(e)]
    assert out.tolist() == expected
