"""Metrics of scores against labels, exact and weighted, over all rows and within groups."""

from __future__ import annotations

from gdmix.metrics.evaluator import Evaluation, Evaluator
from gdmix.metrics.lists import Lists, Sample
from gdmix.metrics.metric import METRICS, Metric
from gdmix.metrics.names import parse

__all__ = ["METRICS", "Evaluation", "Evaluator", "Lists", "Metric", "Sample", "parse"]
