"""The base of every option class: typed, frozen, keyword-only, and exact about mistakes.

An option is declared once, as a field of an `Options` subclass. The Python API, the YAML file,
``--set`` on the command line and the reference documentation all read that one declaration.
This module knows no option by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from gdmix.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass as _ModelMetaclass
else:
    _ModelMetaclass = type(BaseModel)

_UNKNOWN = "gdmix_unknown_option"
_SHOWN = 80

INVALID = "gdmix_invalid"
"""Type of errors that validators raise; their message begins with the option's name."""

VARIANT = ":"
"""How tags of tagged unions begin; such a tag is no part of an option's path."""


class _OptionsMeta(_ModelMetaclass):
    """Turns a failed construction in Python code into the same error a YAML file would give."""

    positional: tuple[str, ...]

    def __call__(cls, *args: Any, **values: Any) -> Any:  # noqa: ANN401, N805 - a metaclass
        names = cls.positional
        if len(args) > len(names):
            allowed = f"at most {len(names)} ({', '.join(names)})" if names else "keywords only"
            raise ConfigError(cls.__name__, f"{len(args)} positional arguments", allowed)
        given = dict(zip(names, args, strict=False))
        if twice := [name for name in given if name in values]:
            raise ConfigError(f"{cls.__name__}.{twice[0]}", "given twice", hint="give it once")
        values |= given
        try:
            return super().__call__(**values)
        except ValidationError as error:
            raise _config_error(error, cls.__name__) from None


class Options(BaseModel, metaclass=_OptionsMeta):
    """Frozen, keyword-only options; unknown names are refused with the nearest known one."""

    positional: ClassVar[tuple[str, ...]] = ()
    """Options that Python code may give without their name."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, arbitrary_types_allowed=False
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, values: object) -> object:
        if isinstance(values, Mapping):
            unknown = [str(name) for name in values if name not in cls.model_fields]
            if unknown:
                raise ValidationError.from_exception_data(
                    cls.__name__, [cls._unknown(name) for name in unknown]
                )
        return values

    @classmethod
    def _unknown(cls, name: str) -> InitErrorDetails:
        hint = did_you_mean(name, cls.model_fields, most=20)
        error = PydanticCustomError(_UNKNOWN, "unknown option; {hint}", {"hint": hint})
        return InitErrorDetails(type=error, loc=(name,), input=None)

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str = "") -> Self:
        """Validate plain values, as read from a file.

        Parameters
        ----------
        values : mapping
            Option names to values, nested.
        where : str, optional
            What to call the place of `values` in messages (a file name, say).

        Raises
        ------
        ConfigError
            Names the path of every wrong option, what was found and what is allowed.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise _config_error(error, where) from None

    def plain(self) -> dict[str, Any]:
        """Return the options that were given or differ from their default, as plain values."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def to_yaml(self) -> str:
        """Return these options as YAML; reading it back gives equal options."""
        return yaml.safe_dump(self.plain(), sort_keys=False, allow_unicode=True)


def override(values: dict[str, Any], assignment: str) -> None:
    """Apply ``a.b.c=value`` to nested plain values in place; the value is read as YAML.

    Raises
    ------
    ConfigError
        The assignment has no ``=``, or its path runs through something that is not a mapping.
    """
    path, value = read_assignment(assignment)
    set_option(values, path, value, f"--set {assignment}")


def read_assignment(assignment: str) -> tuple[str, Any]:
    """Return the path and the value of ``a.b.c=value``; the value is read as YAML.

    Raises
    ------
    ConfigError
        There is no ``=``, or the value is not YAML.
    """
    path, equals, text = assignment.partition("=")
    if not equals or not all(path.split(".")):
        raise ConfigError(f"--set {assignment}", "no assignment", "path.to.option=value")
    try:
        return path, yaml.load(text, Loader=_UniqueKeys)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"--set {assignment}", f"the value is not YAML: {problem}") from None


def set_option(values: dict[str, Any], path: str, value: object, where: str = "") -> None:
    """Set an option named as ``a.b.c`` in nested plain values, in place.

    Raises
    ------
    ConfigError
        The path runs through something that is not a mapping.
    """
    *parents, last = path.split(".")
    node = values
    for depth, name in enumerate(parents):
        child = node.setdefault(name, {})
        if not isinstance(child, dict):
            problem = f"{'.'.join(parents[: depth + 1])} is not a mapping"
            raise ConfigError(where or path, problem)
        node = child
    node[last] = value


def read_yaml(text: str, where: str) -> dict[str, Any]:
    """Read a YAML mapping; a key given twice is an error, not a silent overwrite.

    Raises
    ------
    ConfigError
        The text is not YAML, not a mapping, or repeats a key.
    """
    try:
        # _UniqueKeys is a SafeLoader: it builds plain values only
        values = yaml.load(text, Loader=_UniqueKeys)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{where}, line {mark.line + 1}" if mark else where
        raise ConfigError(place, error.problem or "not YAML", hint=error.note or "") from None
    except yaml.YAMLError as error:
        raise ConfigError(where, f"not YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(values, dict):
        raise ConfigError(where, f"found {type(values).__name__}", "a mapping of options")
    return values


class _UniqueKeys(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            # other keys are refused below, for they cannot name an option
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key.value!r} is given twice",
                    problem_mark=key.start_mark,
                    note="remove one of the two",
                )
            # "<<" may merge several anchors
            if key.value != "<<":
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _config_error(error: ValidationError, where: str) -> ConfigError:
    problems = [_problem(details) for details in error.errors()]
    if len(problems) == 1:
        path, problem = problems[0]
        return ConfigError(path or where or "options", problem)
    lines = "".join(f"\n  {path}: {problem}" for path, problem in problems)
    return ConfigError(where or "options", f"{len(problems)} options are wrong{lines}")


def _problem(details: ErrorDetails) -> tuple[str, str]:
    path = [
        str(part)
        for part in details["loc"]
        # a tag of a union and pydantic's mark of a mapping's key are no names of options
        if not str(part).startswith(VARIANT) and part != "[key]"
    ]
    if details["type"] == _UNKNOWN:
        return ".".join(path), details["msg"]
    if details["type"] == "missing":
        return ".".join(path), "required option is missing"
    message = _allowed(details)
    if details["type"] == INVALID:
        option, _, rest = message.partition(": ")
        return ".".join([*path, option]), rest
    found = repr(details["input"])
    found = found if len(found) <= _SHOWN else f"{found[:_SHOWN]} ..."
    return ".".join(path), f"found {found}; expected {message}"


def _allowed(details: ErrorDetails) -> str:
    """Say what is allowed, in the words of a YAML file where pydantic speaks of Python."""
    context = details.get("ctx", {})
    words = {
        "too_short": f"at least {context.get('min_length')}",
        "string_too_short": "text that is not empty",
        "string_type": "text",
        "string_pattern_mismatch": "a name of letters, digits, '_' and '-', 64 at most",
        "float_parsing": "a number",
        "float_type": "a number",
        "int_parsing": "a whole number",
        "int_from_float": "a whole number",
        "int_type": "a whole number",
        "bool_parsing": "true or false",
        "bool_type": "true or false",
        "dict_type": "a mapping",
        "model_type": "a mapping of options",
        "tuple_type": "a list",
    }
    return words.get(details["type"], details["msg"].removeprefix("Input should be "))
