"""GDMix's own YAML and layout on MovieLens-100K, against SciPy's optimum of its objective."""

import json

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from gdmix import datasets, load
from gdmix.compat.configs import prepare
from gdmix.data.formats.avro_records import read_records
from gdmix.data.piece import SEPARATOR
from gdmix.glm.status import Status
from gdmix.workflow import train
from tests.gdmix_layout import BAGS, lay_out

COORDINATES = {"global": "global", "per-user": "per_user", "per-movie": "per_movie"}
PUBLISHED = {"global": 0.6237, "per-user": 0.7058, "per-movie": 0.7599}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(shared_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gdmix")
    config = shared_data("gdmix") / "gdmix-workflow" / "test" / "resources" / "lr-movieLens.yaml"
    source = shared_data("ml-100k")
    data = datasets.get("movielens-100k", source=source, output=folder / "parquet", seed=0)
    tables = lay_out(data.train, data.validation, folder)
    with pytest.MonkeyPatch.context() as patch:
        # the paths of the file are relative to where it is run
        patch.chdir(folder)
        options, _, beside = prepare(config)
        train(options, beside=beside)
    return folder / "lr-training", tables


def scores(path):
    """Return uid, label, score up to the coordinate, and its own."""
    found = [record for file in sorted(path.rglob("*.avro")) for record in read_records(file)]
    names = ("uid", "response", "predictionScore", "predictionScorePerCoordinate")
    columns = [np.array([record[name] for record in found]) for name in names]
    order = np.argsort(columns[0])
    return [column[order] for column in columns]


def optimum(x, y, offset, start):
    """SciPy's minimum of GDMix's loss: l2_reg_weight 1, the intercept free."""
    free = np.ones(x.shape[1])
    free[0] = 0.0

    def value(w):
        margin = x @ w + offset
        return np.logaddexp(0, margin).sum() - y @ margin + 0.5 * (free * w) @ w

    def slope(w):
        return x.T @ (1 / (1 + np.exp(-(x @ w + offset))) - y) + free * w

    def curvature(w):
        p = 1 / (1 + np.exp(-(x @ w + offset)))
        return (x.T * (p * (1 - p))) @ x + np.diag(free)

    options = {"gtol": 1e-9, "maxiter": 500}
    return minimize(
        value, start, jac=slope, hess=curvature, method="trust-exact", options=options
    ).x


def rows_of(tables, bag):
    table, design = tables["trainingData", bag]
    x = np.column_stack([np.ones(len(design)), design.astype(np.float64)])
    return table, x, table["response"].to_numpy().astype(np.float64)


def placed(index, bag, features, values):
    """Put coefficients where GDMix's list has their names."""
    found = np.zeros(len(BAGS[bag]))
    names = [index.keys[i].as_py().split(SEPARATOR)[0] for i in features]
    found[[BAGS[bag].index(name) for name in names]] = values
    return found


def test_the_fixed_effect_is_at_the_optimum(finished):
    run, tables = finished
    model = load(run / "model")
    part, index = model.model_.parts["global"], model.model_.index_of("global")
    _, x, y = rows_of(tables, "global")
    values = placed(index, "global", range(len(index)), part.coefficients[1:])
    ours = np.concatenate([part.coefficients[:1], values])
    best = optimum(x, y, np.zeros(len(y)), np.zeros(x.shape[1]))
    np.testing.assert_allclose(ours, best, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("name", "before", "entity"),
    [("per-user", ["global"], "user_id"), ("per-movie", ["global", "per-user"], "movie_id")],
)
def test_every_entity_is_at_its_optimum(finished, name, before, entity):
    run, tables = finished
    model, bag = load(run / "model"), COORDINATES[name]
    part, index = model.model_.parts[name], model.model_.index_of(name)
    table, x, y = rows_of(tables, bag)
    # the scores so far as the run has them: GDMix's files hold 32 bits of them
    own = load_scores(run)
    offset = sum(own[f"score_{coordinate}"] for coordinate in before)
    ids = table[entity].to_numpy()
    status = part.table.outcome.status
    has_optimum = np.flatnonzero(status == Status.CONVERGED)
    # the others have labels of one class
    for at in np.flatnonzero(status != Status.CONVERGED):
        assert len(set(y[ids == part.table.ids[int(at)].as_py()])) == 1
    for at in np.random.default_rng(3).choice(has_optimum, 150, replace=False):
        mine = ids == part.table.ids[int(at)].as_py()
        intercept, features, values = part.coefficients_of(at)
        ours = np.concatenate([[intercept], placed(index, bag, features, values)])
        best = optimum(x[mine], y[mine], offset[mine], ours * 0.5)
        np.testing.assert_allclose(ours, best, atol=1e-6, rtol=0)


def load_scores(run):
    import pyarrow.parquet as pq

    table = pq.read_table(run / "scores" / "train")
    return {name: table[name].to_numpy() for name in table.column_names if name.startswith("score")}


def test_metrics_are_those_of_the_written_scores(finished):
    run, _ = finished
    for name, published in PUBLISHED.items():
        summary = json.loads((run / name / "metric" / "evalSummary.json").read_text())
        _, label, score, _ = scores(run / name / "validation_scores")
        assert list(summary) == ["auc"]
        # scores are written in 32 bits
        assert summary["auc"] == pytest.approx(roc_auc_score(label, score), abs=1e-6)
        # another split of the rows than that of the published figures
        assert summary["auc"] == pytest.approx(published, abs=0.01)


@pytest.mark.parametrize("split", ["train_scores", "validation_scores"])
def test_scores_add_up_coordinate_by_coordinate(finished, split):
    run, tables = finished
    total = 0.0
    table, _ = tables["trainingData" if split == "train_scores" else "validationData", "global"]
    for name in COORDINATES:
        uid, label, score, own = scores(run / name / split)
        np.testing.assert_array_equal(uid, np.sort(table["uid"].to_numpy()))
        assert label.mean() == pytest.approx(table["response"].to_numpy().mean())
        total = total + own
        np.testing.assert_allclose(score, total, atol=2e-6, rtol=2e-6)
