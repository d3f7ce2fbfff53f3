"""The figures of a report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from gdmix.descent import Update
from gdmix.glm.minimize import Record
from gdmix.report.calibration import Calibration
from gdmix.report.effects import Fixed
from gdmix.report.histogram import Histogram
from gdmix.report.look import GREY, Axis, Figure, axis, bars_across, figure, legend_above, plain
from gdmix.report.quality import Quality
from gdmix.report.text import DASH, clipped, count, label, seconds, share, short, signed

_MOST_TICKS = 12
_LEVEL_TICKS = 3
_LONGEST_TICK = 16


def over_updates(
    updates: Sequence[Update], values: Sequence[float], title: str, colour: Mapping[str, str]
) -> Figure:
    """Draw a figure after each update, each point in its coordinate's colour."""
    at = list(range(len(updates)))
    line = {
        "type": "scatter",
        "mode": "lines",
        "x": at,
        "y": list(values),
        "line": {"color": GREY, "width": 1.5},
        "hoverinfo": "skip",
    }
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": at,
        "y": list(values),
        "cliponaxis": False,
        "marker": {"size": 9, "color": [colour[update.coordinate] for update in updates]},
        "customdata": [f"sweep {u.sweep}, {plain(u.coordinate)}" for u in updates],
        "hovertemplate": f"%{{customdata}}<br>{plain(title)} <b>%{{y:,.4f}}</b><extra></extra>",
    }
    ticks = _named(updates)
    pad = 0.1 * max(len(at) - 1, 1) + 0.1
    x = axis(
        tickvals=ticks,
        ticktext=[plain(clipped(label(updates[tick]), _LONGEST_TICK)) for tick in ticks],
        tickangle=-40 if len(at) > _LEVEL_TICKS else 0,
        # else the last name, wider than its half of the space, is left out
        ticklabeloverflow="allow",
        range=[-pad, len(at) - 1 + pad],
    )
    return figure([line, points], x, axis(showgrid=True, nticks=6))


def training(trace: Sequence[Record], colour: str) -> Figure:
    """Draw the loss of a network's training by step."""
    line = {
        "type": "scatter",
        "mode": "lines",
        "x": [record.iteration for record in trace],
        "y": [record.value for record in trace],
        "line": {"color": colour, "width": 2},
        "hovertemplate": "step %{x:,}<br>loss <b>%{y:,.1f}</b><extra></extra>",
    }
    return figure([line], axis("step"), axis("loss", showgrid=True, nticks=6))


def coefficients(effect: Fixed, colour: str) -> Figure:
    """Draw a fixed effect's largest coefficients; negative ones are paler."""
    names = [name for name, _ in effect.largest]
    values = [value for _, value in effect.largest]
    pale = f"{colour}99"
    shades = [colour if value >= 0.0 else pale for value in values]
    return bars_across(names, values, [signed(value) for value in values], shades)


def sizes(histogram: Histogram, colour: str) -> Figure:
    """Draw samples per entity on a logarithmic axis."""
    # positions are logarithms: bars on plotly's own log axis lose their widths
    left = [math.log10(edge) for edge in histogram.edges]
    decades = range(math.floor(left[0]), math.ceil(left[-1]) + 1)
    ticks = [d * 10**k for k in decades for d in (1, 2, 5)]
    ticks = [t for t in ticks if left[0] - 0.05 <= math.log10(t) <= left[-1] + 0.05]
    if len(ticks) > 7:
        ticks = [t for t in ticks if str(t)[0] == "1"]
    x = axis(
        "training samples (log scale)",
        tickvals=[math.log10(tick) for tick in ticks],
        ticktext=[count(tick) for tick in ticks],
    )
    return figure([_bars(histogram, left, colour)], x, _entities())


def values(histogram: Histogram, title: str, colour: str) -> Figure:
    """Draw a distribution over entities."""
    return figure([_bars(histogram, histogram.edges, colour)], axis(title), _entities())


def quality(measured: Quality, name: str, entity: str, colour: str) -> Figure:
    """Draw the distribution of a metric over entities, with a coordinate and without it."""
    bars = _bars(measured.full, measured.full.edges, colour) | {"name": f"with {plain(name)}"}
    counts = measured.without.counts
    step = {
        "type": "scatter",
        "mode": "lines",
        "name": "without",
        "x": list(measured.without.edges),
        "y": [*counts, counts[-1]],
        "line": {"shape": "hv", "color": GREY, "width": 2},
        "hoverinfo": "skip",
    }
    x = axis(f"{measured.metric.title} of one {plain(entity)}")
    return figure([bars, step], x, _entities(), **legend_above())


def quality_by_samples(measured: Quality, name: str, colour: str) -> Figure:
    """Draw an entity's mean metric against how much of it training saw."""
    buckets = measured.buckets
    at = list(range(len(buckets)))
    notes = [f"{b.label} training samples, {count(b.entities)} entities" for b in buckets]
    lines = [
        ("without", [bucket.mean.without for bucket in buckets], GREY),
        (f"with {plain(name)}", [bucket.mean.full for bucket in buckets], colour),
    ]
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": title,
            "x": at,
            "y": points,
            "line": {"color": shade, "width": 2},
            "marker": {"size": 7},
            "customdata": notes,
            "hovertemplate": f"%{{customdata}}<br>{title} <b>%{{y:.4f}}</b><extra></extra>",
        }
        for title, points, shade in lines
    ]
    x = axis("training samples", tickvals=at, ticktext=[bucket.label for bucket in buckets])
    y = axis(f"mean {measured.metric.title}", showgrid=True, nticks=6)
    return figure(data, x, y, **legend_above(), legend_traceorder="reversed")


def calibrated(found: Calibration, colour: str) -> Figure:
    """Draw observed against predicted means, and where they would be equal."""
    both = [*found.predicted, *found.observed]
    ends = [min(both), max(both)]
    diagonal = {
        "type": "scatter",
        "mode": "lines",
        "x": ends,
        "y": ends,
        "line": {"color": GREY, "dash": "dot", "width": 1.5},
        "hoverinfo": "skip",
    }
    points = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": list(found.predicted),
        "y": list(found.observed),
        "error_y": {"array": list(found.half_width), "color": colour, "thickness": 1, "width": 3},
        "line": {"color": colour, "width": 1.5},
        "marker": {"size": 8, "color": colour},
        "customdata": [count(rows) for rows in found.rows],
        "hovertemplate": "predicted %{x:.4f}<br>observed <b>%{y:.4f}</b><br>"
        "%{customdata} rows<extra></extra>",
    }
    x = axis(f"mean predicted {found.output}", showgrid=True)
    return figure([diagonal, points], x, axis("mean label", showgrid=True), 380)


def times(spans: Sequence[tuple[str, float, str]]) -> Figure:
    """Draw how long each stage took; spans are name, seconds, colour."""
    names, values, shades = zip(*spans, strict=True)
    total = sum(values)
    notes = [f"{seconds(value)} · {share(value, total)}" for value in values]
    drawn = bars_across(names, values, notes, shades)
    drawn["layout"]["xaxis"] |= axis("seconds", range=[0, 1.6 * max(values)], showgrid=True)
    return drawn


def _named(updates: Sequence[Update]) -> list[int]:
    """Return which updates to name: all, or the first of evenly spaced sweeps."""
    if len(updates) <= _MOST_TICKS:
        return list(range(len(updates)))
    sweeps = updates[-1].sweep
    every = math.ceil(sweeps / _MOST_TICKS)
    first = updates[0].coordinate
    return [
        at
        for at, update in enumerate(updates)
        if update.coordinate == first and (update.sweep - 1) % every == 0
    ]


def _bars(histogram: Histogram, left: Sequence[float], colour: str) -> dict[str, object]:
    return {
        "type": "bar",
        "x": list(left[:-1]),
        "y": list(histogram.counts),
        "offset": 0,
        "width": [0.94 * (high - low) for low, high in pairwise(left)],
        "marker": {"color": colour, "opacity": 0.85, "line": {"width": 0}},
        "customdata": [_span(histogram, at) for at in range(len(histogram.counts))],
        "hovertemplate": "%{customdata}<br><b>%{y:,}</b> entities<extra></extra>",
    }


def _span(histogram: Histogram, at: int) -> str:
    low, high = histogram.edges[at], histogram.edges[at + 1]
    if not histogram.whole:
        # the outer bins hold what lies beyond them too
        if at == 0:
            return f"up to {short(high)}"
        outer = at + 1 == len(histogram.counts)
        return f"{short(low)} and more" if outer else f"{short(low)} to {short(high)}"
    last = high - 1
    return count(low) if low == last else f"{count(low)}{DASH}{count(last)}"


def _entities() -> Axis:
    return axis("entities", showgrid=True, nticks=5, rangemode="tozero")
