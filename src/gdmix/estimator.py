"""`MixedModel`: the model as an estimator, with the habits of scikit-learn."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, get_args

import pyarrow as pa

from gdmix.config import ModelOptions
from gdmix.data.frames import is_spark
from gdmix.data.joining import JoinedSource, Misfit, Other
from gdmix.data.source import Data, Source, open_source
from gdmix.descent import Observer
from gdmix.engine import Engine
from gdmix.engines.local import LocalEngine
from gdmix.errors import ConfigError, ModelError
from gdmix.history import as_plain
from gdmix.initial import Initial
from gdmix.metrics import Evaluation
from gdmix.models.mixed import Mixed
from gdmix.scoring import Unseen, score_source, total_scores, without_absent
from gdmix.store.directory import Saved, save_model
from gdmix.store.exporting import Project, export_model
from gdmix.store.loading import load_initial, load_model
from gdmix.sweep import gather, require_validation, sweep


class MixedModel:
    """A generalized mixed model: fixed and random effects, fitted in turn.

    Parameters
    ----------
    threads : int, optional
        Threads that run kernels; all cores by default.
    **options
        The fields of `ModelOptions`: ``task``, ``coordinates``, ``label``, ``uid``, ``weight``,
        ``offset``, ``bags``, ``sweeps``, ``metrics`` ...

    Attributes
    ----------
    model_ : Mixed
        The fitted parts.
    history_ : list of dict
        The record of every update of the chosen point.
    grid_ : list of dict
        A line for each point of ``grid``: number, options, metrics, objective, seconds, updates.
    best_ : dict
        The line of the chosen point.
    options_ : ModelOptions
        The options of the fitted model: those of the chosen point.
    unseen_ : Unseen
        What the last `predict` met that the model does not know.

    Examples
    --------
    >>> model = MixedModel(
    ...     label="response",
    ...     coordinates={
    ...         "global": FixedEffect(features=["age", "genres"]),
    ...         "per-user": RandomEffect(entity="user_id", features=["genres"]),
    ...     },
    ... )  # doctest: +SKIP
    >>> model.fit("train.parquet").predict("test.parquet")  # doctest: +SKIP
    """

    def __init__(self, *, threads: int | None = None, **options: Any) -> None:  # noqa: ANN401
        self.options = ModelOptions(**options)
        self.threads = _checked(threads)
        # as they were given: scikit-learn's clone() asks for the very same objects back
        self._params = options

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the options, as given or by default; `deep` is accepted for scikit-learn."""
        current = {name: getattr(self.options, name) for name in ModelOptions.model_fields}
        return {"threads": self.threads, **current, **self._params}

    def set_params(self, **params: Any) -> Self:  # noqa: ANN401 - as typed by ModelOptions
        """Change options; what was fitted stays until the next `fit`."""
        merged = {**self.get_params(), **params}
        self.threads = _checked(merged.pop("threads"))
        self.options = ModelOptions(**merged)
        self._params = merged
        return self

    def fit(
        self,
        train: Data,
        validation: Data | None = None,
        *,
        observers: Iterable[Observer] = (),
        initial: MixedModel | None = None,
    ) -> Self:
        """Train on files or a frame.

        Parameters
        ----------
        train : path, glob, folder, list of these, table, or Spark data frame
            Rows of a Spark data frame stay where they are: its executors train.
        validation : the same, optional
            Metrics are evaluated on it after every update.
        observers : iterable of callable
            Called after every update with the `Update` and the `State`.
        initial : MixedModel, optional
            A fitted model to begin from, in place of the option ``initial_model``.

        Raises
        ------
        ConfigError
            There is no ``label`` option, no data to choose a model by, or the initial model does
            not fit the options.
        DataError
            The data does not fit the options; the message names the place.
        """
        options = self.options
        if options.label is None:
            raise ConfigError("label", "required option is missing", "the response column")
        require_validation(options, given=validation is not None)
        begin = self._initial(initial)
        engine, (rows, held_out) = self._opened({"train": train, "validation": validation})
        assert rows is not None
        material = gather(engine, options, rows, held_out, begin)
        swept = sweep(engine, options, material, observers=observers)
        best = swept.best
        self.model_ = Mixed(best.parts, material.indexes, material.statistics)
        self.history_ = [as_plain(update) for update in best.history]
        self.grid_, self.best_, self.options_ = swept.points, best.as_plain(), best.options
        return self

    def predict(self, data: Data) -> Any:  # noqa: ANN401 - a table of the kind that was given
        """Return scores, the scores of each coordinate, and probabilities.

        Parameters
        ----------
        data : path, glob, folder, list of these, or table

        Returns
        -------
        pyarrow.Table, or a pandas, polars or Spark data frame when `data` is one
            Columns ``uid``, ``score``, ``probability`` (or ``mean``, ``margin``: by the task),
            ``score_<coordinate>`` for every coordinate, ``label`` and ``weight`` where the data
            has them, and the entity columns; a pandas frame keeps its index. Entities and
            features without a model score 0 and are counted in ``unseen_``, but on Spark, where
            rows are scored later, when somebody looks at them; there is no ``uid`` there unless
            the model names one. Of several classes there are ``class`` or ``labels``,
            ``probability_<class>`` and ``logit_<class>`` in place of the scores.

        Raises
        ------
        DataError
            The data lacks a column, or holds a value that cannot be scored.
        """
        if is_spark(data):
            from gdmix.onspark import predict

            return predict(data, self.options_, self._fitted())
        self.unseen_ = Unseen()
        source = open_source(data)
        engine = LocalEngine(self.threads)
        model = self._fitted()
        parts = score_source(engine, self.options_, model, source, self.unseen_)
        return _like(data, pa.concat_tables(list(parts)))

    def evaluate(self, data: Data, metrics: str | Iterable[str] | None = None) -> dict[str, float]:
        """Return metrics of the scores on labelled data.

        Raises
        ------
        DataError
            The data has no label column.
        ConfigError
            A metric is unknown.
        """
        return self.evaluation(data, metrics).values()

    def evaluation(self, data: Data, metrics: str | Iterable[str] | None = None) -> Evaluation:
        """Score labelled data once, for metrics over all rows and within each group.

        Parameters
        ----------
        data : path, glob, folder, list of these, or table
        metrics : names such as ``auc`` or ``ndcg@10:query_id``, optional
            Those of the options by default.

        Raises
        ------
        DataError, ConfigError
            As `evaluate` does.
        """
        model = self._fitted()
        options = self.options_
        if metrics is not None:
            asked = metrics if isinstance(metrics, str) else tuple(metrics)
            # the same check, and the same message, as for the option
            options = ModelOptions.parse({**options.plain(), "metrics": asked})
        engine, (source,) = self._opened({"data": data})
        assert source is not None
        # what may be null may as well not be there
        lenient = ("weight", "offset") if options.null_defaults else ()
        options = without_absent(options, source, ("uid", *lenient))
        rows, _ = engine.read(source, options.evaluation_layout(), model.indexes)
        score = total_scores(engine, options, model, rows)
        return Evaluation(options.evaluators, *engine.labelled(rows, score))

    def save(self, path: str | Path) -> None:
        """Write a model directory; it appears whole or not at all."""
        model = self._fitted()
        save_model(Path(path), Saved(self.options_, model, self.history_))

    def export(self, path: str | Path, to: Project) -> None:
        """Write the model as one of ``"photon"`` (Photon-ML) or ``"gdmix"`` (LinkedIn's GDMix).

        Raises
        ------
        ModelError
            The model has something that they have no place for.
        """
        if to not in get_args(Project):
            raise ConfigError("to", f"found {to!r}", " or ".join(map(repr, get_args(Project))))
        export_model(Path(path), self.options_, self._fitted(), to)

    @classmethod
    def load(
        cls,
        path: str | Path,
        options: Mapping[str, Any] | None = None,
        without: Collection[str] = (),
    ) -> Self:
        """Read a model directory: ours, or one of Photon-ML or GDMix.

        Parameters
        ----------
        path : path
            The model, or the run that holds it.
        options : mapping of dotted names to values, optional
            What files of other projects do not tell: the columns, as in
            ``{"coordinates.per-user.features": ["features", "userFeatures"]}``.
        without : collection of str
            Coordinates of such a model to leave out.

        Raises
        ------
        ModelError
            There is no model, or it is damaged.
        ConfigError
            An option is wrong, or the model is ours and knows its options.
        """
        loaded, model, history = load_model(Path(path), options, without)
        found = cls.__new__(cls)
        found.options, found.threads, found._params = loaded, None, {}
        found.options_ = loaded
        found.model_, found.history_ = model, history
        return found

    def _opened(self, given: Mapping[str, Data]) -> tuple[Engine, list[Source | None]]:
        """Return an engine for tables, by their names in messages, and the tables opened."""
        if any(is_spark(data) for data in given.values()):
            from gdmix.onspark import opened

            return opened(given)
        tables = [None if data is None else open_source(data, name) for name, data in given.items()]
        return LocalEngine(self.threads), tables

    def _initial(self, given: MixedModel | None) -> Initial | None:
        if given is None:
            return load_initial(self.options)
        model = given._fitted()
        initial = Initial(given.options_, model, "the initial model")
        initial.require_fit(self.options)
        return initial

    def _fitted(self) -> Mixed:
        model: Mixed | None = getattr(self, "model_", None)
        if model is None:
            raise ModelError("MixedModel", "not fitted yet", hint="call fit() or load() first")
        return model


def load(
    path: str | Path, options: Mapping[str, Any] | None = None, without: Collection[str] = ()
) -> MixedModel:
    """Read a model directory; see `MixedModel.load`."""
    return MixedModel.load(path, options, without)


def join(
    data: Data,
    other: Data,
    key: str = "uid",
    *,
    columns: Sequence[str] = (),
    allow: Sequence[Misfit] = (),
) -> JoinedSource:
    """Return data with the columns of another table, matched by a key.

    What comes out is data for `MixedModel.fit`, `predict` and `evaluate`; it may be joined again.

    Parameters
    ----------
    data, other : path, glob, folder, list of these, or a table
        The rows, and the table that is held in memory beside them.
    key : str
        Column that names a row in both; 7 and "7" are one.
    columns : sequence of str
        Taken from `other` even where `data` has them; without any, those that `data` lacks.
    allow : sequence of str
        What is no error: ``missing``, ``duplicate``, ``extra``.

    Raises
    ------
    DataError
        The key or a column is not there.
    """
    joined = Other(open_source(other, "other"), key, tuple(columns), tuple(allow))
    return JoinedSource(open_source(data), [joined])


def _checked(threads: int | None) -> int | None:
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ConfigError("threads", f"found {threads!r}", "a whole number from 1, or None for all")
    return threads


def _like(data: Data, table: pa.Table) -> Any:  # noqa: ANN401 - the caller's kind of frame
    module = type(data).__module__.partition(".")[0]
    if module == "pandas":
        return table.to_pandas().set_index(data.index)
    if module == "polars":
        import polars

        return polars.from_arrow(table)
    return table
