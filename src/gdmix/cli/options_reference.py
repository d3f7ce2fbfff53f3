"""``gdmix options``: the reference of every option, from the classes that declare them."""

from __future__ import annotations

from typing import Any

from gdmix.config import TrainOptions
from gdmix.coordinates import DeepEffect, ExternalEffect, FixedEffect, RandomEffect
from gdmix.deep.options import Network, TextEncoder, Training
from gdmix.options import Options
from gdmix.schema import Feature, Join, Lists, Spark

_SECTIONS: tuple[tuple[str, type[Options]], ...] = (
    ("A training run", TrainOptions),
    ("A fixed effect, under `coordinates.<name>`", FixedEffect),
    ("A random effect, under `coordinates.<name>`", RandomEffect),
    ("Scores of a model outside, under `coordinates.<name>`", ExternalEffect),
    ("A deep fixed effect, under `coordinates.<name>`", DeepEffect),
    ("What it reads and its layers, under `network`", Network),
    ("How texts become vectors, under `network.encoder`", TextEncoder),
    ("How it is trained, under `training`", Training),
    ("A feature, in `features` or `bags`", Feature),
    ("Columns of other files, in `joins`", Join),
    ("TFRecords whose records are lists, in `lists`", Lists),
    ("How Spark is used, under `spark`", Spark),
)

# the others are those of a fixed effect
_EXTERNAL = ("score", "scale", "learn_scale", "l2", "intercept")


def reference() -> str:
    """Return all options as Markdown."""
    lines = [
        "# Options",
        "",
        "What a YAML file may hold, what `--set` may change, and what the Python classes take.",
        "`gdmix options` prints this page.",
    ]
    for title, options in _SECTIONS:
        lines += ["", f"## {title}", "", "| option | default | meaning |", "| --- | --- | --- |"]
        for name, field in options.model_fields.items():
            if options is ExternalEffect and name not in _EXTERNAL:
                continue
            meaning = (field.description or "").replace("|", "\\|")
            lines.append(f"| `{name}` | {_default(field)} | {meaning} |")
    return "\n".join(lines) + "\n"


def _default(field: Any) -> str:  # noqa: ANN401 - pydantic's FieldInfo
    if field.is_required():
        return "required"
    value = field.default
    if value is None or value in ((), {}):
        return "none"
    if isinstance(value, Options):
        return "as below"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
