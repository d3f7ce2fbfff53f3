"""What of a run needs attention."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gdmix.descent import Update
from gdmix.glm.status import Status
from gdmix.metrics import parse
from gdmix.report.effects import Fixed, Random
from gdmix.report.text import amount, capital, count, figure, label, share, status_name

_MANY = 0.05
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Notice:
    """Something a person should know: what it is, and what to do about it."""

    title: str
    text: str


def notices(
    updates: Sequence[Update], effects: Sequence[Fixed | Random], validated: int
) -> list[Notice]:
    """Return all that needs attention; `validated` is the number of validation rows."""
    found = [*_objective(updates), *_metrics(updates[-1]), *_statuses(effects)]
    for effect in effects:
        found += _unseen(effect, validated)
        found += _harm(effect)
    return found


def _objective(updates: Sequence[Update]) -> Iterator[Notice]:
    wrong = [update for update in updates if not math.isfinite(update.objective)]
    if wrong:
        text = "Check offsets, weights and the scale of features."
        yield Notice(f"The objective is not a finite number after {label(wrong[0])}", text)
    # a sample's objective may fall while that of all rows rises
    if any(update.summary.passive for update in updates):
        return
    for before, after in pairwise(updates):
        rise = after.objective - before.objective
        if rise > _ROUNDING * max(abs(before.objective), 1.0):
            values = f"From {amount(before.objective)} to {amount(after.objective)}."
            text = f"{values} Descent should never raise it, unless a sparsity_threshold drops "
            text += "coefficients: compare the solvers' statuses below."
            yield Notice(f"The total objective rose at {label(after)}", text)


def _metrics(last: Update) -> Iterator[Notice]:
    for name, value in last.metrics.items():
        if not math.isfinite(value):
            text = "Validation labels of one class, or no validation row of positive weight?"
            yield Notice(f"{capital(parse(name).title)} is not a number", text)


def _statuses(effects: Sequence[Fixed | Random]) -> Iterator[Notice]:
    """Yield one notice for each way to stop short, naming all coordinates that did."""
    who: dict[Status, list[str]] = {}
    for effect in effects:
        summary = effect.last.summary
        for status, number in summary.statuses.items():
            if status.ok or not number:
                continue
            of = ""
            if isinstance(effect, Random):
                of = f" {count(number)} of {count(summary.entities)} entities"
                of += f" ({share(number, summary.entities)})"
            who.setdefault(status, []).append(effect.name + of)
    for status, names in sorted(who.items()):
        title = f"{capital(status_name(status))}: {', '.join(names)}"
        yield Notice(title, f"{capital(status.message)}.")


def _unseen(effect: Fixed | Random, validated: int) -> Iterator[Notice]:
    if not validated:
        return
    if isinstance(effect, Random) and effect.unseen > _MANY * validated:
        title = f"{effect.name}: {share(effect.unseen, validated)} of validation rows are of "
        title += f"a {effect.entity} without a model"
        text = f"{count(effect.unseen)} of {count(validated)} rows get nothing from it: its score "
        yield Notice(title, f"{text}is 0 there. Do training and validation overlap in time?")
    values = effect.unseen_features if isinstance(effect, Random) else effect.unseen
    if values > _MANY * validated:
        title = f"{effect.name}: {count(values)} validation feature values are unknown"
        text = f"{values / validated:.2g} per row on average; training never had them, so they "
        yield Notice(title, f"{text}count as absent. Are columns encoded the same way?")


def _harm(effect: Fixed | Random) -> Iterator[Notice]:
    if isinstance(effect, Fixed) or effect.quality is None:
        return
    metric, overall = effect.quality.metric, effect.quality.overall
    gain = overall.full - overall.without
    if (gain if metric.larger_is_better else -gain) < 0.0:
        title = f"{effect.name}: validation {metric.title} is better without it, "
        title += f"{figure(overall.without)} instead of {figure(overall.full)}"
        yield Notice(title, "Too little data for each entity? Raise its l2, or use fewer features.")
