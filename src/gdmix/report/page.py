"""From content to HTML: one file, with its styles, its figures and plotly.js inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from gdmix.errors import MissingExtraError
from gdmix.grid import label_of
from gdmix.plainjson import dumps
from gdmix.report import panels, text
from gdmix.report.content import Content
from gdmix.report.effects import Fixed, Random
from gdmix.report.look import colours
from gdmix.report.panels import Panel

if TYPE_CHECKING:
    import jinja2

_FILTERS = (
    label_of,
    text.amount,
    text.capital,
    text.count,
    text.figure,
    text.headline,
    text.label,
    text.seconds,
    text.share,
    text.signed,
    text.status_name,
)


@dataclass(frozen=True)
class Section:
    """A coordinate as the template gets it."""

    effect: Fixed | Random
    fixed: bool
    colour: str
    panels: list[Panel]


@dataclass(frozen=True)
class Renderer:
    """Renders pages.

    Attributes
    ----------
    environment : jinja2.Environment
    plotly : str
        plotly.js.
    """

    environment: jinja2.Environment
    plotly: str

    @classmethod
    def load(cls) -> Renderer:
        """Load the template and plotly.js.

        Raises
        ------
        MissingExtraError
            plotly or jinja2 is not installed.
        """
        try:
            import jinja2
            from plotly.offline import get_plotlyjs
        except ImportError:
            raise MissingExtraError.needs("report.html", "report") from None
        environment = jinja2.Environment(
            loader=jinja2.FunctionLoader(_resource),
            # every value is text of the user's until shown otherwise
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {filter.__name__: filter for filter in _FILTERS}
        environment.filters["script_json"] = script_json
        return cls(environment, get_plotlyjs())

    def render(self, content: Content) -> str:
        """Return the page."""
        colour = colours([effect.name for effect in content.effects])
        sections = [_section(effect, colour) for effect in content.effects]
        return self.environment.get_template("page.html.j2").render(
            content=content,
            colour=colour,
            sections=sections,
            progress=panels.progress(content, colour),
            calibration=panels.calibration(content),
            time=panels.time(content, colour),
            next_id=_ids(),
            plotly=self.plotly,
        )


def script_json(values: object) -> str:
    """Return JSON that may stand in a script element: it cannot close it, and has no NaN."""
    return dumps(values).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _section(effect: Fixed | Random, colour: dict[str, str]) -> Section:
    if isinstance(effect, Fixed):
        return Section(effect, True, colour[effect.name], panels.of_fixed(effect, colour))
    return Section(effect, False, colour[effect.name], panels.of_random(effect, colour))


def _ids() -> Callable[[], str]:
    numbers: Iterator[int] = iter(range(1 << 30))
    return lambda: f"plot-{next(numbers)}"


def _resource(name: str) -> str:
    return files("gdmix.report").joinpath(name).read_text(encoding="utf-8")
