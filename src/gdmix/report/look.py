"""How figures look: colours, axes, and the parts that all have in common.

Figures are plain plotly.js dictionaries. Text, lines and grids get their colour from the page's
style sheet, so that they follow its light and dark mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from gdmix.report.text import clipped

Figure = dict[str, Any]
Axis = dict[str, Any]

GREY = "#8b93a1"
HEIGHT = 250

# of middling lightness: they stand out from white and from near-black
_COLOURS = ("#3f7fbf", "#e0823d", "#2f9e8f", "#c4597f", "#8b6fc4", "#b0922b", "#6b8e3d", "#a86f52")


def colours(names: Sequence[str]) -> dict[str, str]:
    """Return a colour for each coordinate."""
    return {name: _COLOURS[at % len(_COLOURS)] for at, name in enumerate(names)}


def plain(text: str) -> str:
    """Return a text that plotly shows as it is: plotly reads a little HTML."""
    return escape(text)


def axis(title: str = "", **more: object) -> Axis:
    """Return an axis; panning and zooming are off, so that a finger scrolls the page."""
    return {
        "title": {"text": title, "standoff": 8, "font": {"size": 12}},
        "fixedrange": True,
        "ticklabelstandoff": 3,
        "automargin": True,
        "zeroline": False,
        "showgrid": False,
        **more,
    }


def figure(
    data: list[dict[str, Any]], x: Axis, y: Axis, height: int = HEIGHT, **more: object
) -> Figure:
    """Return a figure of traces."""
    layout = {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 12, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "size": 12},
        "hoverlabel": {"align": "left", "font": {"size": 12}},
        "showlegend": False,
        "dragmode": False,
        "xaxis": x,
        "yaxis": y,
        **more,
    }
    return {"data": data, "layout": layout}


def legend_above() -> dict[str, Any]:
    """Return what puts a legend above the plot."""
    legend = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "xanchor": "left"}
    return {"showlegend": True, "legend": legend}


def bars_across(
    names: Sequence[str], values: Sequence[float], notes: Sequence[str], colour: Sequence[str]
) -> Figure:
    """Return horizontal bars, the first on top, each with its value beside it.

    Parameters
    ----------
    names, values : sequence
    notes : sequence of str
        Written at the end of each bar.
    colour : sequence of str
    """
    at = list(range(len(names)))
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": list(values),
        # positions, as two names may look alike once they are cut
        "y": at,
        "text": [plain(note) for note in notes],
        "textposition": "outside",
        "cliponaxis": False,
        "textfont": {"size": 11},
        "marker": {"color": list(colour)},
        "customdata": [plain(name) for name in names],
        "hovertemplate": "%{customdata}<br><b>%{text}</b><extra></extra>",
    }
    low, high = min([0.0, *values]), max([0.0, *values])
    # for the notes, in a narrow window too
    room = 0.3 * ((high - low) or 1.0)
    span = [low - room if low < 0.0 else 0.0, high + room if high > 0.0 or low == 0.0 else 0.0]
    y = axis(
        tickvals=at,
        ticktext=[plain(clipped(name)) for name in names],
        range=[len(at) - 0.4, -0.6],
        ticks="",
    )
    x = axis(range=span, showgrid=True, zeroline=True, nticks=6)
    return figure([trace], x, y, 24 * len(at) + 52, bargap=0.3)
