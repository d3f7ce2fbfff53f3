"""The values of Photon-ML's parameters: lists, maps, numbers, names of a set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gdmix.errors import ConfigError, did_you_mean

Given = Mapping[str, list[str]]
"""The values of every parameter of a command."""

TASKS = {
    "LOGISTIC_REGRESSION": "logistic",
    "LINEAR_REGRESSION": "linear",
    "POISSON_REGRESSION": "poisson",
    "SMOOTHED_HINGE_LOSS_LINEAR_SVM": "smoothed_hinge",
}
NORMALIZATIONS = {
    "NONE": "none",
    "SCALE_WITH_STANDARD_DEVIATION": "standard_deviation",
    "SCALE_WITH_MAX_MAGNITUDE": "max_magnitude",
    "STANDARDIZATION": "standardization",
}
REGULARIZATIONS = ("NONE", "L1", "L2", "ELASTIC_NET")
OPTIMIZERS = ("LBFGS", "TRON")
VARIANCES = {"NONE": "none", "SIMPLE": "simple", "FULL": "full"}
OUTPUT_MODES = ("NONE", "BEST", "EXPLICIT", "TUNED", "ALL")
VALIDATIONS = ("VALIDATE_FULL", "VALIDATE_SAMPLE", "VALIDATE_DISABLED")


def one(given: Given, name: str) -> str | None:
    """Return the value of a parameter that is given once, if it is."""
    return given[name][0] if name in given else None


def one_of(where: str, value: str, allowed: Iterable[str]) -> str:
    """Return a name of a set, in capitals.

    Raises
    ------
    ConfigError
        It is none of them.
    """
    found = value.strip().upper()
    allowed = tuple(allowed)
    if found not in allowed:
        hint = did_you_mean(found, allowed)
        raise ConfigError(where, f"found {value!r}", ", ".join(allowed), hint)
    return found


def words(where: str, value: str, separator: str = ",") -> list[str]:
    """Return the parts of a list, each once.

    Raises
    ------
    ConfigError
        A part is empty.
    """
    parts = [part.strip() for part in value.split(separator)]
    if not all(parts):
        raise ConfigError(where, f"found {value!r}", f"names with {separator!r} between them")
    return list(dict.fromkeys(parts))


def number(where: str, value: str, least: float | None = None) -> float:
    """Return a finite number.

    Raises
    ------
    ConfigError
        It is none, or below the least one that is allowed.
    """
    allowed = "a number" if least is None else f"a number from {least:g}"
    try:
        found = float(value)
    except ValueError:
        raise ConfigError(where, f"found {value!r}", allowed) from None
    if not abs(found) < float("inf") or (least is not None and found < least):
        raise ConfigError(where, f"found {value!r}", allowed)
    return found


def whole(where: str, value: str, least: int = 1) -> int:
    """Return a whole number.

    Raises
    ------
    ConfigError
        It is none, or below the least one that is allowed.
    """
    text = value.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 12 or int(text) < least:
        raise ConfigError(where, f"found {value!r}", f"a whole number from {least}")
    return int(text)


def boolean(where: str, value: str) -> bool:
    """Return true or false, in the words that scopt knows.

    Raises
    ------
    ConfigError
        It is neither.
    """
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    found = known.get(value.strip().lower())
    if found is None:
        raise ConfigError(where, f"found {value!r}", "true or false")
    return found


def parts_of(where: str, value: str, known: Iterable[str], needed: Iterable[str]) -> dict[str, str]:
    """Return the parts of a map such as ``name=global,optimizer=LBFGS``.

    Raises
    ------
    ConfigError
        A part is no ``key=value``, is unknown, twice there, or missing.
    """
    found: dict[str, str] = {}
    known = tuple(known)
    for item in value.split(","):
        key, equals, text = (part.strip() for part in item.partition("="))
        if not equals or not text:
            raise ConfigError(where, f"found {item!r}", "parts such as name=value, by commas")
        if key not in known:
            hint = did_you_mean(key, known, most=20)
            raise ConfigError(f"{where}: {key}", "is unknown here", hint=hint)
        if key in found:
            raise ConfigError(f"{where}: {key}", "is given twice", hint="remove one of the two")
        found[key] = text
    for key in needed:
        if key not in found:
            raise ConfigError(f"{where}: {key}", f"is missing in {value!r}")
    return found


def evaluator(where: str, value: str) -> tuple[str, str]:
    """Return our name of an evaluator without its group, and the id tag that groups it.

    Raises
    ------
    ConfigError
        There is no such evaluator.
    """
    name, colon, tag = (part.strip() for part in value.partition(":"))
    base, at, k = name.upper().partition("@")
    plain = {known.replace("_", ""): known for known in _EVALUATORS}
    base = plain.get(base.replace("_", ""), base)
    if base == "PRECISION":
        if not at or not tag:
            raise ConfigError(where, f"found {value!r}", "PRECISION@k:idTag, such as @5:queryId")
        return f"precision@{whole(where, k)}", tag
    if base not in _EVALUATORS or at:
        hint = did_you_mean(base, [*_EVALUATORS, "PRECISION@k:idTag"], most=20)
        raise ConfigError(where, f"found {value!r}", "an evaluator of Photon-ML", hint)
    if colon and (base != "AUC" or not tag):
        raise ConfigError(where, f"found {value!r}", "AUC:idTag or PRECISION@k:idTag")
    return _EVALUATORS[base], tag


_EVALUATORS = {
    "AUC": "auc",
    "AUPR": "aupr",
    "RMSE": "rmse",
    "LOGISTIC_LOSS": "logistic_loss",
    "POISSON_LOSS": "poisson_loss",
    "SMOOTHED_HINGE_LOSS": "smoothed_hinge_loss",
    "SQUARED_LOSS": "squared_loss",
}
