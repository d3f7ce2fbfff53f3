"""`build_report`: a finished run as one page to look at, `report.html`, that needs no network."""

from __future__ import annotations

from pathlib import Path

__all__ = ["build_report"]


def build_report(run: Path) -> Path:
    """Write ``report.html`` into a finished run directory, from what the directory holds.

    Parameters
    ----------
    run : Path
        A run directory with ``metrics.json``.

    Returns
    -------
    Path
        The page; an earlier one is replaced.

    Raises
    ------
    MissingExtraError
        plotly or jinja2 is not installed.
    RunError
        This is no finished run, or the page cannot be written.
    ModelError
        The model of the run is damaged.
    """
    from gdmix.report.content import gather
    from gdmix.report.page import Renderer
    from gdmix.store.aside import write_text

    run = Path(run)
    # first, so that a missing package costs no time
    renderer = Renderer.load()
    page = run / "report.html"
    write_text(page, renderer.render(gather(run)))
    return page
