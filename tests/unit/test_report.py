"""The report: its figures equal ones computed here by other means, and every kind of run fits."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from gdmix.config import TrainOptions
from gdmix.coordinates import Summary
from gdmix.data.index import FeatureIndex
from gdmix.descent import Update
from gdmix.engine import EntityTable
from gdmix.errors import MissingExtraError, RunError
from gdmix.glm.groups import Outcome
from gdmix.glm.status import Status
from gdmix.inspection import entity_norms
from gdmix.models.entity import EntityModel
from gdmix.report import build_report
from gdmix.report.calibration import calibration
from gdmix.report.content import gather
from gdmix.report.effects import Random, random_effect
from gdmix.report.histogram import of_sizes, of_values
from gdmix.report.look import bars_across, colours
from gdmix.report.notices import notices
from gdmix.report.page import script_json
from gdmix.report.panels import of_random
from gdmix.report.plots import over_updates
from gdmix.report.quality import Pair, per_entity
from gdmix.report.scores import Scores
from gdmix.report.text import clipped, seconds
from gdmix.store.directory import read_model
from gdmix.tasks import TASKS
from gdmix.workflow import train
from tests.made_up import table, write

plotly = pytest.importorskip("plotly", reason="the extra 'report' is not installed")
pytest.importorskip("jinja2", reason="the extra 'report' is not installed")


class Page(HTMLParser):
    """What a browser would see of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.figures, self.words, self._inside = [], [], [], ""
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._inside = tag
        if dict(attributes).get("type") == "application/json":
            self._inside = "json"

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "json":
            self.figures.append(json.loads(data))
        elif self._inside not in ("script", "style"):
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def report_of(values):
    run = train(TrainOptions.parse(values))
    return run.path, Page(build_report(run.path).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    path, page = report_of(write(folder, rows=900, sweeps=2))
    return path, page, gather(path)


def scores_of(path):
    return pq.read_table(path / "scores" / "validation").to_pandas()


def linear(values, folder):
    for name in ("train", "valid"):
        file = folder / f"{name}.parquet"
        rows = pq.read_table(file)
        rating = rows["age"].to_numpy() * 2.0 + rows["user_id"].to_numpy() % 3
        pq.write_table(rows.append_column("rating", pa.array(rating)), file)
    return values | {"task": "linear", "label": "rating"}


def test_headline_metrics_are_those_of_the_written_scores(finished):
    path, page, content = finished
    scores = scores_of(path)
    auc, loss = (line.final for line in content.headlines)
    assert auc == pytest.approx(roc_auc_score(scores.label, scores.score), abs=1e-12)
    assert loss == pytest.approx(log_loss(scores.label, scores.probability), abs=1e-9)
    assert f"{auc:.4f}" in page.text
    assert "900 rows trained" in page.text
    assert "300 rows validated" in page.text
    assert "6 updates in 2 sweeps" in page.text


def test_largest_coefficients_are_named_and_sorted(finished):
    path, _, content = finished
    coefficients = pq.read_table(path / "model" / "global" / "coefficients").to_pylist()
    expected = {
        (row["name"] + ("=" + row["term"] if row["term"] else "")): row["mean"]
        for row in coefficients
        if row["name"] != "(INTERCEPT)"
    }
    effect = content.effects[0]
    assert dict(effect.largest) == expected
    sizes = [abs(value) for _, value in effect.largest]
    assert sizes == sorted(sizes, reverse=True)
    assert effect.intercept == coefficients[0]["mean"]


@pytest.mark.parametrize(("at", "column"), [(1, "user_id"), (2, "item_id")])
def test_quality_per_entity_equals_scikit_learn(finished, at, column):
    path, page, content = finished
    effect = content.effects[at]
    found, scores = effect.quality, scores_of(path)
    own = scores[f"score_{effect.name}"]
    full, without, rows, one_class = [], [], [], 0
    for _, group in scores.assign(less=scores.score - own).groupby(column):
        if group.label.nunique() < 2:
            one_class += 1
            continue
        full.append(roc_auc_score(group.label, group.score))
        without.append(roc_auc_score(group.label, np.round(group.less, 10)))
        rows.append(len(group))
    assert (found.measured, found.unmeasured) == (len(full), one_class)
    assert sum(found.full.counts) == sum(found.without.counts) == len(full)
    assert found.median.full == pytest.approx(np.median(full))
    assert found.median.without == pytest.approx(np.median(without))
    assert found.mean.full == pytest.approx(np.average(full, weights=rows))
    assert found.overall.without == pytest.approx(roc_auc_score(scores.label, scores.score - own))
    assert found.better == sum(np.subtract(full, without) > 1e-9)
    assert found.worse == sum(np.subtract(without, full) > 1e-9)
    assert sum(bucket.entities for bucket in found.buckets) == len(full)
    assert f"Validation AUC per {column}" in page.text


def test_movers_have_the_largest_norms(finished):
    path, page, content = finished
    rows = pq.read_table(path / "model" / "per-user" / "coefficients").to_pylist()
    norms = {str(row["entity_id"]): np.linalg.norm(row["means"]) for row in rows}
    movers = content.effects[1].movers
    assert [mover.entity for mover in movers] == sorted(norms, key=norms.get, reverse=True)[:10]
    first = movers[0]
    assert first.norm == pytest.approx(norms[first.entity])
    row = next(row for row in rows if str(row["entity_id"]) == first.entity)
    assert first.samples == row["samples"]
    assert first.intercept == row["intercept"]
    largest = sorted(row["means"], key=abs, reverse=True)[:3]
    assert [value for _, value in first.features] == largest
    assert all(name.startswith("tags=") for name, _ in first.features)
    assert "Biggest movers" in page.text


def test_calibration_bins_hold_all_rows(finished):
    path, _, content = finished
    scores, found = scores_of(path), content.calibration
    assert sum(found.rows) == len(scores)
    assert np.dot(found.predicted, found.rows) == pytest.approx(scores.probability.sum())
    assert np.dot(found.observed, found.rows) == pytest.approx(scores.label.sum())
    assert max(found.rows) - min(found.rows) <= 1
    assert list(found.predicted) == sorted(found.predicted)


def test_time_is_told_apart_by_coordinate(finished):
    path, page, _ = finished
    metrics = json.loads((path / "metrics.json").read_text())
    times = page.figures[-1]["data"][0]
    shown = dict(zip(times["customdata"], times["x"], strict=True))
    for name in ("global", "per-user", "per-item"):
        spent = sum(u["seconds"] for u in metrics["history"] if u["coordinate"] == name)
        assert shown[name] == pytest.approx(spent)
    assert shown["read"] == pytest.approx(metrics["seconds"]["read"], abs=1e-5)


def test_page_needs_nothing_from_outside(finished):
    path, page, _ = finished
    text = (path / "report.html").read_text(encoding="utf-8")
    for _, attributes in page.tags:
        for name in ("src", "href", "data", "action", "poster"):
            assert not re.match(r"(https?:)?//", attributes.get(name) or "")
    assert not re.search(r"@import|url\(", text.split("<style>")[1].split("</style>")[0])
    assert text.count("plotly.js v") == 1
    assert [path for path in path.iterdir() if path.name.startswith(".")] == []


def test_page_is_accessible(finished):
    _, page, _ = finished
    plots = [div for div in page.all("div") if "data-figure" in div]
    assert len(plots) == len(page.figures) == 3 + 1 + 5 + 5 + 1 + 1
    assert all(div["role"] == "img" and div["aria-label"] for div in plots)
    assert all("scope" in header for header in page.all("th"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [link["href"][1:] for link in page.all("a")]
    assert set(links) <= set(ids)
    assert "open" not in page.all("details")[0]


def test_figures_are_what_plotly_knows(finished):
    import plotly.graph_objects as go

    for figure in finished[1].figures:
        go.Figure(figure)


def test_every_update_is_in_the_table(finished):
    _, page, content = finished
    for update in content.updates:
        assert f"{update.objective:,.2f}" in page.text
        assert f"{update.metrics['auc']:.4f}" in page.text
    auc = page.figures[0]
    assert auc["data"][1]["y"] == [update.metrics["auc"] for update in content.updates]
    assert auc["layout"]["xaxis"]["ticktext"][:3] == ["1 global", "1 per-user", "1 per-item"]


def test_an_earlier_report_is_replaced_and_rebuilding_changes_nothing(finished):
    path, _, _ = finished
    before = (path / "report.html").read_bytes()
    assert build_report(path).read_bytes() == before


def test_run_without_validation(tmp_path):
    _, page = report_of(write(tmp_path, validation=[]))
    assert "no validation data" in page.text
    assert "Calibration" not in page.text
    assert "AUC" not in page.text
    assert len(page.figures) == 1 + 1 + 3 + 3 + 1


def test_linear_task(tmp_path):
    values = linear(write(tmp_path), tmp_path)
    path, page = report_of(values)
    found, scores = gather(path).effects[1].quality, scores_of(path)
    errors = (scores.score - scores.label) ** 2
    expected = np.sqrt(errors.groupby(scores.user_id).mean())
    assert found.metric.name == "rmse"
    assert found.median.full == pytest.approx(np.median(expected))
    assert found.unmeasured == 0
    assert "AUC" not in page.text
    assert "Predicted mean against labels" in page.text
    assert f"{np.sqrt(errors.mean()):.4f}" in page.text


def test_several_fixed_effects_and_no_random_one(tmp_path):
    coordinates = {"first": {"features": ["age"]}, "second": {"features": ["tags"]}}
    _, page = report_of(write(tmp_path, coordinates=coordinates))
    assert page.text.count("A fixed effect") == 2
    assert "A random effect" not in page.text
    assert "Every solver converged" in page.text


def test_one_update(tmp_path):
    coordinates = {"global": {"features": ["age"]}}
    _, page = report_of(write(tmp_path, coordinates=coordinates))
    assert "1 update in 1 sweep" in page.text
    assert "the best of all updates" not in page.text


def test_fixed_effect_of_an_intercept_alone(tmp_path):
    _, page = report_of(write(tmp_path, coordinates={"bias": {}}))
    assert "Largest coefficients" not in page.text
    assert "Intercept" in page.text


def test_random_effect_of_intercepts_alone(tmp_path):
    path, page = report_of(write(tmp_path, coordinates={"per-user": {"entity": "user_id"}}))
    effect = gather(path).effects[0]
    assert effect.quality is not None
    assert effect.norms is None
    assert effect.movers[0].norm == abs(effect.movers[0].intercept)
    assert "lie farthest from the rest" in page.text


def test_random_effect_without_intercepts(tmp_path):
    coordinates = {"per-user": {"entity": "user_id", "features": ["age"], "intercept": False}}
    path, _ = report_of(write(tmp_path, coordinates=coordinates))
    effect = gather(path).effects[0]
    assert effect.intercepts is None
    assert effect.movers[0].intercept is None


def test_single_entity(tmp_path):
    values = write(tmp_path)
    for name in ("train", "valid"):
        rows = table(200, users=1, seed=len(name))
        pq.write_table(rows, tmp_path / f"{name}.parquet")
    path, page = report_of(values)
    effect = gather(path).effects[1]
    assert (effect.last.summary.entities, effect.samples.counts) == (1, (1,))
    assert effect.quality.measured == 1
    assert "A random effect" in page.text


def test_names_with_special_characters_are_shown_as_they_are(tmp_path):
    nasty = '<img src=x onerror="alert(1)">&amp;</script><b>'
    values = write(tmp_path)
    for name in ("train", "valid"):
        file = tmp_path / f"{name}.parquet"
        rows = pq.read_table(file)
        city = pa.array([nasty if i % 2 else "</pre>" for i in range(len(rows))])
        rows = rows.set_column(rows.schema.get_field_index("city"), "city", city)
        item = pa.array([f"{nasty}{i % 9}" for i in range(len(rows))])
        rows = rows.set_column(rows.schema.get_field_index("item_id"), "item<i>", item)
        pq.write_table(rows, file)
    values["coordinates"]["per-item"]["entity"] = "item<i>"
    values["coordinates"]["per-item"]["features"] = ["city"]
    path, page = report_of(values)
    raw = (path / "report.html").read_text(encoding="utf-8")
    assert not page.all("img")
    assert not page.all("b")
    assert "<img" not in raw.split("plotly.js v")[0]
    assert f"{nasty}{gather(path).effects[2].movers[0].entity[-1]}" in page.text
    # plotly reads a little HTML: names reach it escaped, once
    names = page.figures[3]["data"][0]["customdata"]
    assert any(name.startswith("city=&lt;img src=x") for name in names)
    config = raw.split("<pre>")[1].split("</pre>")[0]
    assert "item&lt;i&gt;" in config


def test_metrics_that_are_not_numbers(tmp_path):
    values = write(tmp_path)
    rows = pq.read_table(tmp_path / "valid.parquet")
    ones = pa.array(np.ones(len(rows), np.int64))
    rows = rows.set_column(rows.schema.get_field_index("click"), "click", ones)
    pq.write_table(rows, tmp_path / "valid.parquet")
    path, page = report_of(values)
    assert re.search(r"NaN|null", (path / "metrics.json").read_text())
    assert "AUC is not a number" in page.text
    assert page.figures[0]["data"][1]["y"] == [None] * 3
    assert gather(path).effects[1].quality is None
    assert "nan" not in page.text


def test_solvers_that_stop_short_and_unseen_entities_are_pointed_out(tmp_path):
    values = write(tmp_path)
    values["coordinates"]["global"]["max_iterations"] = 1
    rows = pq.read_table(tmp_path / "valid.parquet")
    shifted = pa.array(rows["user_id"].to_numpy() + 13)
    rows = rows.set_column(rows.schema.get_field_index("user_id"), "user_id", shifted)
    cities = pa.array(["Atlantis"] * len(rows))
    rows = rows.set_column(rows.schema.get_field_index("city"), "city", cities)
    pq.write_table(rows, tmp_path / "valid.parquet")
    path, page = report_of(values)
    assert "Iteration limit: global" in page.text
    assert Status.ITERATION_LIMIT.message[1:] in page.text
    unseen = int((rows["user_id"].to_numpy() >= 25).sum())
    assert f"{unseen} of 200 rows get nothing from it" in page.text
    assert gather(path).effects[1].unseen == unseen
    assert "200 validation feature values are unknown" in page.text


def update(objective, sweep=1, **statuses):
    counts = {Status[name]: n for name, n in statuses.items()}
    return Update(sweep, "per-user", 10, 0.1, objective, 0.0, Summary(5, 9, counts, 1.0, 0.0))


def test_objective_that_rises_is_pointed_out():
    assert notices([update(10.0), update(10.0 + 1e-12)], [], 0) == []
    (notice,) = notices([update(10.0), update(11.0, 2)], [], 0)
    assert notice.title == "The total objective rose at 2 per-user"
    (notice,) = notices([update(10.0), update(float("nan"))], [], 0)
    assert "not a finite number" in notice.title


def test_a_coordinate_that_harms_is_pointed_out(finished):
    _, _, content = finished
    effect = content.effects[1]
    for full, without, expected in ((0.7, 0.8, 1), (0.8, 0.7, 0), (float("nan"), 0.7, 0)):
        changed = replace(effect, quality=replace(effect.quality, overall=Pair(full, without)))
        found = notices(content.updates, [changed], 0)
        assert len([notice for notice in found if "better without it" in notice.title]) == expected


def test_many_updates_are_named_by_sweep():
    updates = [
        Update(sweep, name, 10, 0.1, 1.0, 0.0, Summary(1, 1, {}, 1.0, 0.0))
        for sweep in range(1, 31)
        for name in ("global", "a-coordinate-with-a-long-name")
    ]
    colour = {update.coordinate: "#000000" for update in updates}
    axis = over_updates(updates, [1.0] * 60, "AUC", colour)["layout"]["xaxis"]
    assert axis["ticktext"] == [f"{sweep} global" for sweep in range(1, 31, 3)]
    few = over_updates(updates[:2], [1.0] * 2, "AUC", colour)["layout"]["xaxis"]
    assert few["ticktext"] == ["1 global", "1 a-coo…ong-name"]


def many_entities(entities):
    rng = np.random.default_rng(0)
    pointers = np.arange(entities + 1, dtype=np.int64) * 2
    coefficients = rng.normal(size=3 * entities)
    zeros = np.zeros(entities)
    outcome = Outcome(zeros.astype(np.int8), zeros.astype(np.int32), zeros, zeros, zeros)
    samples = rng.geometric(0.01, size=entities)
    features = np.tile(np.arange(2, dtype=np.int32), entities)
    ids = pa.array(np.arange(entities))
    data = EntityTable(ids, samples, pointers, features, coefficients, outcome)
    part = EntityModel("shard", "user_id", 1, data)
    index = FeatureIndex(pa.array(["a\x01", "b\x01x"]))
    return part, random_effect("per-user", part, index, update(1.0), (0, 0), None)


def test_a_million_entities_make_a_small_page():
    part, effect = many_entities(1_000_000)
    assert sum(effect.samples.counts) == sum(effect.norms.counts) == 1_000_000
    drawn = [panel.figure for panel in of_random(effect, {"per-user": "#123456"})]
    assert len(script_json(drawn)) < 20_000
    intercept, _, values = part.coefficients_of(777)
    assert entity_norms(part)[777] == pytest.approx(np.hypot(*values))
    assert intercept != 0.0


def test_no_entities():
    _, effect = many_entities(0)
    assert isinstance(effect, Random)
    assert (effect.samples, effect.norms, effect.intercepts, effect.movers) == (None,) * 3 + ([],)
    assert of_random(effect, {"per-user": "#123456"}) == []


def test_histogram_of_sizes_has_whole_edges():
    values = np.array([1, 1, 2, 3, 50, 1000])
    found = of_sizes(values)
    assert all(edge == round(edge) for edge in found.edges)
    assert found.edges[0] == 1
    assert found.edges[-1] == 1001
    assert sum(found.counts) == len(values)
    assert found.counts[0] == 2
    assert of_sizes(np.array([7])).counts == (1,)
    assert of_sizes(np.array([], np.int64)) is None


def test_histogram_of_values_counts_all_that_are_finite():
    values = np.append(np.random.default_rng(1).normal(size=1000), [1e9, np.nan, np.inf])
    found = of_values(values)
    assert sum(found.counts) == 1001
    assert found.edges[-1] < 10.0
    assert of_values(np.zeros(5)).counts == (5,)
    assert of_values(np.array([np.nan])) is None


def test_entities_that_are_null_belong_to_no_group():
    label, score, ones = np.array([0.0, 1.0, 1.0]), np.array([0.1, 0.2, 0.3]), np.ones(3)
    for task, expected in (("logistic", 1.0), ("linear", np.sqrt((0.01 + 0.64) / 2))):
        found = per_entity(TASKS[task], label, score, ones, np.array([0, 0, -1]))
        assert found == pytest.approx([expected])


def test_weights_count_in_calibration_and_entities(tmp_path):
    path, _ = report_of(write(tmp_path, weight="weight"))
    frame = scores_of(path)
    scores = Scores.read(path / "scores" / "validation", TASKS["logistic"], weighted=True)
    assert np.array_equal(scores.weight, frame.weight)
    found = calibration(scores)
    assert np.average(np.abs(np.subtract(found.predicted, found.observed))) < 1.0
    assert 0.0 <= found.error < 1.0
    group = frame[frame.user_id == frame.user_id.iloc[0]]
    codes, ids = scores.entities("user_id")
    mine = per_entity(scores.task, scores.label, scores.score, scores.weight, codes)
    expected = roc_auc_score(group.label, group.score, sample_weight=group.weight)
    assert mine[codes[0]] == pytest.approx(expected)
    assert ids[codes[0]].as_py() == frame.user_id.iloc[0]


def test_constant_predictions_share_one_bin(tmp_path):
    rows = {"label": [0.0, 1.0, 1.0, 1.0], "score": [0.5] * 4}
    pq.write_table(pa.table(rows), tmp_path / "part-00000.parquet")
    found = calibration(Scores.read(tmp_path, TASKS["linear"]))
    assert (found.rows, found.predicted, found.observed) == ((4,), (0.5,), (0.75,))


def test_metrics_that_a_run_got_when_it_was_resumed(tmp_path):
    run = train(TrainOptions.parse(write(tmp_path, sweeps=2)))
    metrics = json.loads((run.path / "metrics.json").read_text())
    for update in metrics["history"][:4]:
        del update["metrics"]["auc"]
    (run.path / "metrics.json").write_text(json.dumps(metrics))
    page = Page(build_report(run.path).read_text(encoding="utf-8"))
    by_name = {line.metric.name: line for line in gather(run.path).headlines}
    known = [update["metrics"]["auc"] for update in metrics["history"][4:]]
    assert np.isnan(by_name["auc"].first)
    assert by_name["auc"].best == max(known)
    assert np.isfinite(by_name["logistic_loss"].first)
    assert [None] * 4 + known in [figure["data"][1]["y"] for figure in page.figures[:2]]
    assert "nan" not in page.text
    assert "not a number" not in page.text


@pytest.mark.parametrize("weight", [None, "importance"])
@pytest.mark.parametrize("name", ["score", "label", "weight", "score_per-user"])
def test_entity_columns_that_share_the_name_of_a_score(tmp_path, name, weight):
    values = write(tmp_path, weight=weight)
    values["coordinates"]["per-user"]["entity"] = name
    for split in ("train", "valid"):
        file = tmp_path / f"{split}.parquet"
        names = {"weight": "importance", "user_id": name}
        rows = pq.read_table(file)
        rows = rows.rename_columns([names.get(column, column) for column in rows.column_names])
        pq.write_table(rows, file)
    path, page = report_of(values)
    rows = pq.read_table(tmp_path / "valid.parquet")
    scores = Scores.read(path / "scores" / "validation", TASKS["logistic"], weighted=bool(weight))
    codes, ids = scores.entities(name)
    assert ids.take(pa.array(codes)).to_pylist() == rows[name].to_pylist()
    expected = rows[weight].to_numpy() if weight else np.ones(len(rows))
    assert np.array_equal(scores.weight, expected)
    assert f"Validation AUC per {name}" in page.text


def test_long_names_are_cut_and_stay_apart():
    figure = bars_across(["x" * 100 + "a", "x" * 100 + "b"], [1.0, -1.0], ["1", "-1"], ["#000"] * 2)
    first, second = figure["layout"]["yaxis"]["ticktext"]
    assert len(first) == 32
    assert first != second
    assert clipped("short") == "short"


def test_numbers_as_people_read_them():
    assert [seconds(s) for s in (0.0234, 59.94, 61, 3725)] == [
        "23 ms",
        "59.9 s",
        "1 min 01 s",
        "1 h 02 min",
    ]
    assert len(set(colours(["a", "b", "c"]).values())) == 3


def test_unfinished_run(tmp_path):
    with pytest.raises(RunError, match="is this a finished run"):
        build_report(tmp_path)


def test_run_with_a_torn_log(tmp_path):
    run = train(TrainOptions.parse(write(tmp_path)))
    (run.path / "log.jsonl").write_text('{"time": "20')
    assert "rows trained" in build_report(run.path).read_text(encoding="utf-8")
    (run.path / "log.jsonl").unlink()
    assert read_model(run.path / "model").history
    assert gather(run.path).date.year >= 2020


def test_missing_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'gdmix\[report\]'"):
        build_report(tmp_path)


def test_importing_the_package_imports_neither_plotly_nor_jinja2():
    code = (
        "import sys, gdmix.report, gdmix.report.page, gdmix.report.content;"
        "print([name for name in ('plotly', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
