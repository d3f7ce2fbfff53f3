"""A DeText command line, as words: its arguments and their values."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gdmix.compat.detext_arguments import DetextArguments
from gdmix.errors import ConfigError, did_you_mean

_WHERE = "the DeText command"
_LONGEST = 1 << 20
# no other program's configuration has these
_TELLING = ("train_file", "pmetric")


def read_arguments(text: str) -> DetextArguments:
    """Read a command line, with or without ``python run_detext.py`` before the arguments.

    Raises
    ------
    ConfigError
        Quotes are open, an argument is unknown, is given twice, or has a wrong value.
    """
    try:
        words = shlex.split(re.sub(r"\\\r?\n", " ", text), comments=True)
    except ValueError as error:
        raise ConfigError(_WHERE, f"cannot be read ({error})", "the words of a shell") from None
    first = next((i for i, word in enumerate(words) if word.startswith("--")), len(words))
    values = _values(words[first:])
    if not values:
        raise ConfigError(_WHERE, "is empty", "DeText's arguments, as --name value")
    return arguments_of(values, _WHERE, "--")


def arguments_of(values: Mapping[str, Any], where: str, path: str = "") -> DetextArguments:
    """Check arguments that are plain values; `path` stands before their names in messages.

    Raises
    ------
    ConfigError
        One is unknown, missing or wrong.
    """
    for name in values:
        if name not in DetextArguments.model_fields and name not in DetextArguments.formerly:
            hint = did_you_mean(name, DetextArguments.model_fields, most=12)
            raise ConfigError(f"{path}{name}", "no argument of DeText", hint=hint)
    try:
        return DetextArguments.parse(values, where)
    except ConfigError as error:
        if not path or error.where == where:
            raise
        raise ConfigError(
            f"{path}{error.where}", error.problem, error.expected, error.hint
        ) from None


def _values(words: list[str]) -> dict[str, Any]:
    """Return what stands behind each name, up to the next one."""
    found: dict[str, list[str]] = {}
    values: list[str] = []
    for word in words:
        if not word.startswith("--"):
            values.append(word)
            continue
        name, equals, value = word[2:].partition("=")
        if name in found:
            raise ConfigError(f"--{name}", "is given twice", hint="remove one of the two")
        values = found.setdefault(name, [value] if equals else [])
    for name, values in found.items():
        if not values:
            raise ConfigError(f"--{name}", "has no value", f"--{name} VALUE")
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def is_detext_config(values: Mapping[str, Any]) -> bool:
    """Tell a YAML file of DeText's arguments from others."""
    return all(name in values for name in _TELLING)


def is_detext_file(path: Path) -> bool:
    """Tell whether a file holds a DeText command line, and no YAML."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_LONGEST)
    except OSError:
        return False
    names = (name.encode() for name in _TELLING)
    return all(re.search(rb"(^|\s)--" + name + rb"[\s=]", head) for name in names)
