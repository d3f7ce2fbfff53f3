"""A Photon-ML command line, as words: which driver it starts, and what its parameters are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path, PurePath
from typing import NamedTuple

from gdmix.compat.photon_parameters import ALIASES, DRIVERS, Driver
from gdmix.errors import ConfigError, did_you_mean

_WHERE = "the Photon-ML command"
_LONGEST = 1 << 20
_CLASSES: dict[str, Driver] = {
    "GameTrainingDriver": "training",
    "GameScoringDriver": "scoring",
    "FeatureIndexingDriver": "indexing",
    "NameAndTermFeatureBagsDriver": "bags",
    "Driver": "legacy",
}
# parameters that no other driver has
_TELLING: dict[str, Driver] = {
    "coordinate-configurations": "training",
    "coordinate-update-sequence": "training",
    "training-task": "training",
    "feature-bags-keys": "bags",
    "num-storage-partitions": "indexing",
    "training-data-directory": "legacy",
    "validating-data-directory": "legacy",
    "output-directory": "legacy",
}


class Command(NamedTuple):
    """A command line.

    Attributes
    ----------
    driver : str
        ``training``, ``scoring``, ``indexing``, ``bags`` or ``legacy``.
    values : dict of str to list of str
        The values of every parameter; several where it may be repeated.
    """

    driver: Driver
    values: dict[str, list[str]]


def read_command(text: str) -> Command:
    """Take a command line apart, with or without ``spark-submit ... photon.jar`` before it.

    Raises
    ------
    ConfigError
        Quotes are open, a parameter is unknown, has no value or is given twice.
    """
    try:
        words = shlex.split(re.sub(r"\\\r?\n", " ", text), comments=True)
    except ValueError as error:
        raise ConfigError(_WHERE, f"cannot be read ({error})", "the words of a shell") from None
    words, named = _without_spark(words)
    given = _pairs(words)
    driver = named or _told_by(given)
    return Command(driver, _values(given, driver))


def _without_spark(words: list[str]) -> tuple[list[str], Driver | None]:
    """Drop everything up to the jar; its ``--class`` names the driver."""
    starts = [i for i, word in enumerate(words) if PurePath(word).name == "spark-submit"]
    if starts:
        words = words[starts[0] + 1 :]
    jars = [i for i, word in enumerate(words) if word.endswith(".jar") and "=" not in word]
    # "--jars a.jar" is one of spark's own options
    jars = [i for i in jars if i == 0 or words[i - 1] not in ("--jars", "--driver-class-path")]
    if not jars:
        if starts:
            raise ConfigError(_WHERE, "there is no jar after spark-submit", "photon-all.jar, say")
        return words, None
    before, after = words[: jars[0]], words[jars[0] + 1 :]
    for i, word in enumerate(before):
        name = before[i + 1] if word == "--class" and i + 1 < len(before) else ""
        name = word.partition("=")[2] if word.startswith("--class=") else name
        if name:
            short = name.rsplit(".", 1)[-1]
            if short not in _CLASSES:
                hint = did_you_mean(short, _CLASSES)
                raise ConfigError("--class", f"{name!r} is no driver of Photon-ML", hint=hint)
            return after, _CLASSES[short]
    return after, None


def _pairs(words: list[str]) -> list[tuple[str, str]]:
    """Return parameters and values, written as ``--name value`` or ``--name=value``."""
    pairs = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("--") or word == "--":
            hint = "quote a value that holds spaces"
            raise ConfigError(_WHERE, f"found {word!r}", "a parameter, as --name value", hint)
        name, equals, value = word[2:].partition("=")
        if not equals:
            value = next(rest, "--")
            if value.startswith("--"):
                raise ConfigError(f"--{name}", "has no value", f"--{name} VALUE")
        pairs.append((ALIASES.get(name, name), value))
    if not pairs:
        raise ConfigError(_WHERE, "is empty", "the parameters of a driver")
    return pairs


def _told_by(given: list[tuple[str, str]]) -> Driver:
    for name, _ in given:
        if name in _TELLING:
            return _TELLING[name]
    names = {name for name, _ in given}
    if {"input-data-directories", "model-input-directory"} <= names:
        return "scoring"
    known = {name for parameters in DRIVERS.values() for name in parameters}
    if unknown := [name for name, _ in given if name not in known]:
        raise _unknown(unknown[0], known)
    expected = "--training-task, or --model-input-directory to score"
    raise ConfigError(_WHERE, "cannot tell which driver it is for", expected)


def _values(given: list[tuple[str, str]], driver: Driver) -> dict[str, list[str]]:
    known = DRIVERS[driver]
    values: dict[str, list[str]] = {}
    for name, value in given:
        if name not in known:
            raise _unknown(name, known)
        if name in values and not known[name].repeats:
            raise ConfigError(f"--{name}", "is given twice", hint="remove one of the two")
        values.setdefault(name, []).append(value)
    for name, parameter in known.items():
        if parameter.required and name not in values:
            raise ConfigError(f"--{name}", "required parameter is missing")
    return values


def _unknown(name: str, known: object) -> ConfigError:
    hint = did_you_mean(name, known, most=40)  # type: ignore[arg-type]
    return ConfigError(f"--{name}", "no parameter of Photon-ML", hint=hint)


def is_command_file(path: Path) -> bool:
    """Tell whether a file holds a command line, and no YAML: whether it says where output goes."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_LONGEST)
    except OSError:
        return False
    return re.search(rb"(^|\s)--(root-output-directory|output-directory)[\s=]", head) is not None


def command_text(given: str, program: str = "Photon-ML") -> str:
    """Return a command line of a program's, which may be in a file: ``@FILE``.

    Raises
    ------
    ConfigError
        The file cannot be read.
    """
    if not given.startswith("@"):
        return given
    path = Path(given[1:])
    if not path.is_file():
        raise ConfigError(str(path), "no such file", f"a file with {program}'s command line")
    try:
        with path.open(encoding="utf-8") as stream:
            text = stream.read(_LONGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), f"cannot be read as UTF-8 text ({error})") from None
    if len(text) > _LONGEST:
        raise ConfigError(str(path), "is too long for a command line", "a megabyte at most")
    return text
