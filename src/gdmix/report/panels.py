"""Panels: a figure with the words around it, in the order they stand on the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gdmix.report import plots
from gdmix.report.content import Content
from gdmix.report.effects import Fixed, Random
from gdmix.report.look import GREY, Figure
from gdmix.report.quality import Quality
from gdmix.report.text import capital, count, figure, seconds, share

Colours = Mapping[str, str]


@dataclass(frozen=True)
class Panel:
    """A figure of the page.

    Attributes
    ----------
    title : str
    figure : Figure
    caption : str
        What to see in it; with the title, what a screen reader says.
    """

    title: str
    figure: Figure
    caption: str = ""


def progress(content: Content, colours: Colours) -> list[Panel]:
    """Return a panel for each metric over the updates, and one for the objective."""
    updates, found = content.updates, []
    for line in content.headlines:
        metric = line.metric
        better = "Higher" if metric.larger_is_better else "Lower"
        points = [update.metrics[metric.name] for update in updates]
        drawn = plots.over_updates(updates, points, metric.title, colours)
        caption = f"{better} is better. {figure(line.first)} at first, {figure(line.final)} now."
        found.append(Panel(f"{capital(metric.title)} on validation", drawn, caption))
    points = [update.objective for update in updates]
    drawn = plots.over_updates(updates, points, "objective", colours)
    caption = "Weighted training loss plus penalties, of the whole model: it should never rise."
    return [*found, Panel("Objective on training", drawn, caption)]


def of_fixed(effect: Fixed, colours: Colours) -> list[Panel]:
    """Return the panel of a fixed effect's coefficients, or of a network's training."""
    if effect.network and effect.last is not None and effect.last.summary.trace:
        drawn = plots.training(effect.last.summary.trace, colours[effect.name])
        caption = "Loss of all rows, judged by those since the point before; last update."
        return [Panel("Training", drawn, caption)]
    if not effect.largest:
        return []
    shown = len(effect.largest)
    some = "All" if shown == effect.features else f"The {shown} largest of {count(effect.features)}"
    caption = (
        f"{some} coefficients by magnitude, per unit of the feature; negative ones are paler. "
        "Features of different scale do not compare."
    )
    drawn = plots.coefficients(effect, colours[effect.name])
    return [Panel("Largest coefficients", drawn, caption)]


def of_random(effect: Random, colours: Colours) -> list[Panel]:
    """Return the panels of a random effect: its quality, its entities, its coefficients."""
    colour = colours[effect.name]
    found = [] if effect.quality is None else _quality(effect, effect.quality, colour)
    if effect.samples is not None:
        caption = f"Median {count(effect.median_samples)}, most {count(effect.most_samples)}."
        drawn = plots.sizes(effect.samples, colour)
        found.append(Panel(f"Training samples per {effect.entity}", drawn, caption))
    if effect.norms is not None:
        drawn = plots.values(effect.norms, "norm", colour)
        caption = "Of the features alone, without the intercept; 0 is an entity like all others."
        found.append(Panel("Coefficient norms", drawn, caption))
    if effect.intercepts is not None:
        drawn = plots.values(effect.intercepts, "intercept", colour)
        caption = "How far an entity lies above or below the rest of the model."
        found.append(Panel("Intercepts", drawn, caption))
    return found


def calibration(content: Content) -> list[Panel]:
    """Return the panel of predicted against observed means, if there is validation data."""
    found = content.calibration
    if found is None:
        return []
    bins = len(found.rows)
    caption = (
        f"{bins} bin{'s' * (bins != 1)} of about equal number; bars are 95% intervals, the dotted "
        f"line is perfect. Mean absolute gap {figure(found.error)}."
    )
    drawn = plots.calibrated(found, "#3f7fbf")
    return [Panel(f"Predicted {found.output} against labels", drawn, caption)]


def time(content: Content, colours: Colours) -> list[Panel]:
    """Return the panel of stages, training split by coordinate."""
    spans = time_spans(content)
    if not any(value > 0.0 for _, value in spans):
        return []
    shades = [(name, value, colours.get(name, GREY)) for name, value in spans]
    total = sum(value for _, value in spans)
    caption = f"{seconds(total)} in all. Kernels are compiled once and cached for later runs."
    return [Panel("Seconds by stage", plots.times(shades), caption)]


def time_spans(content: Content) -> list[tuple[str, float]]:
    """Return seconds by stage; solving is told apart by coordinate."""
    solving: dict[str, float] = {}
    for update in content.updates:
        solving[update.coordinate] = solving.get(update.coordinate, 0.0) + update.seconds
    spans: list[tuple[str, float]] = []
    for stage, value in content.seconds.items():
        if stage == "solve":
            spans += solving.items()
        elif stage == "score":
            spans.append(("scores, checkpoints", value))
        # grouping is within the coordinates' seconds
        elif stage != "group":
            spans.append((stage, value))
    return spans


def _quality(effect: Random, found: Quality, colour: str) -> list[Panel]:
    title, entity = found.metric.title, effect.entity
    drawn = plots.quality(found, effect.name, entity, colour)
    caption = (
        f"Median {figure(found.median.full)}, {figure(found.median.without)} without; mean by rows "
        f"{figure(found.mean.full)}, {figure(found.mean.without)} without. "
        f"Better for {share(found.better, found.measured)} of {count(found.measured)} entities, "
        f"worse for {share(found.worse, found.measured)}."
    )
    if found.metric.name == "auc" and found.unmeasured:
        caption += f" {count(found.unmeasured)} have no AUC: their labels are of one class."
    by = plots.quality_by_samples(found, effect.name, colour)
    note = "Mean by rows, of entities grouped by how often training saw them."
    return [
        Panel(f"Validation {title} per {entity}", drawn, caption),
        Panel(f"{capital(title)} by training samples", by, note),
    ]
