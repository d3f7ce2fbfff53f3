"""`Evaluator`: a metric as it is asked for, such as ``ndcg@10:query_id``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gdmix.data.dataset import Dataset
from gdmix.metrics.lists import Lists, Sample
from gdmix.metrics.metric import Metric

Floats = NDArray[np.float64]

_NO_CUT = int(np.iinfo(np.int64).max)


def itself(score: Floats) -> Floats:
    """Return the scores: the link of a task whose scores are means."""
    return score


@dataclass(frozen=True)
class Evaluator:
    """A metric over all rows, or within the groups of an id column.

    Attributes
    ----------
    metric : Metric
    k : int or None
        How many places of a list count; None for all.
    column : str or None
        Id column of the groups; None for all rows as one list.
    mean : callable
        The inverse link: the expected label at a score.
    """

    metric: Metric
    k: int | None = None
    column: str | None = None
    mean: Callable[[Floats], Floats] = itself

    @property
    def name(self) -> str:
        """The name it is asked for by."""
        return self.short_name if self.column is None else f"{self.short_name}:{self.column}"

    @property
    def short_name(self) -> str:
        """The name without the group column."""
        return self.metric.name + self._cut

    @property
    def title(self) -> str:
        """The name as people write it."""
        title = self.metric.title + self._cut
        return title if self.column is None else f"{title} per {self.column}"

    @property
    def _cut(self) -> str:
        return "" if self.k is None else f"@{self.k}"

    @property
    def larger_is_better(self) -> bool:
        """Whether larger values are better."""
        return self.metric.larger_is_better

    def better(self, value: float, than: float) -> bool:
        """Tell whether a value is better than another; NaN is worse than any number."""
        if math.isnan(value) or math.isnan(than):
            return math.isnan(than) and not math.isnan(value)
        return value > than if self.larger_is_better else value < than

    def values(self, lists: Lists) -> Floats:
        """Return the metric of each list, NaN where it is not defined.

        Parameters
        ----------
        lists : Lists
            With scores before any link.
        """
        if self.metric.of_mean and self.mean is not itself:
            lists = lists.with_score(self.mean(lists.sample.score))
        return self.metric.function(lists, _NO_CUT if self.k is None else self.k)

    def value(self, rows: Dataset, score: Floats) -> float:
        """Return the metric of scored rows; within groups, the mean over those that have one.

        Parameters
        ----------
        rows : Dataset
            With the group column among its entities.
        score : float64[rows]
            Before any link.
        """
        return Evaluation([self], rows, score).values()[self.name]


class Evaluation:
    """Metrics of scored rows; they are sorted once, and dealt out once for each group column.

    Parameters
    ----------
    evaluators : iterable of Evaluator
    rows : Dataset
        With the group columns among its entities.
    score : float64[rows], or float64[rows, classes]
        Before any link.

    Attributes
    ----------
    sample : Sample
        Labels, scores and weights of the rows.
    """

    def __init__(self, evaluators: Iterable[Evaluator], rows: Dataset, score: Floats) -> None:
        self.evaluators = tuple(evaluators)
        self._rows = rows
        self.sample = Sample(rows.label, np.asarray(score), rows.weight)
        self._lists: dict[str | None, Lists] = {None: Lists(self.sample)}
        self._values: dict[Evaluator, Floats] = {}

    def values(self) -> dict[str, float]:
        """Return every metric by its name; NaN where no group has it."""
        return {e.name: _mean_of_known(self.within(e)) for e in self.evaluators}

    def within(self, evaluator: Evaluator) -> Floats:
        """Return a metric of each group, in the order of the ids; NaN where it is not defined."""
        if evaluator not in self._values:
            self._values[evaluator] = evaluator.values(self._of(evaluator.column))
        return self._values[evaluator]

    def group_tables(self) -> dict[str, pa.Table]:
        """Return a table for each group column that a metric names.

        Each has the columns ``group`` (the id), ``rows``, ``weight`` (of the rows, added up) and
        one for each metric, such as ``ndcg@10``, null where it is not defined.
        """
        found: dict[str, dict[str, object]] = {}
        for evaluator in self.evaluators:
            if evaluator.column is None:
                continue
            columns = found.setdefault(evaluator.column, self._groups(evaluator.column))
            columns[evaluator.short_name] = pa.array(self.within(evaluator), from_pandas=True)
        return {column: pa.table(columns) for column, columns in found.items()}

    def _groups(self, column: str) -> dict[str, object]:
        ids, lists = self._rows.entities[column].ids, self._of(column)
        return {"group": ids, "rows": lists.sizes(), "weight": lists.total(self._rows.weight)}

    def _of(self, column: str | None) -> Lists:
        if column is not None and column not in self._lists:
            ids, codes = self._rows.entities[column]
            self._lists[column] = Lists(self.sample, codes, len(ids))
        return self._lists[column]


def _mean_of_known(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.sum() / len(known)) if len(known) else math.nan
