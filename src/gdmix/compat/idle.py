"""Options of another program that are accepted, and mean nothing here."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from gdmix.options import Options


def idle(why: str, kind: str) -> Any:  # noqa: ANN401 - pydantic's fields are of any type
    """Return a field that is accepted, and means nothing here."""
    return Field(default=None, description=kind, json_schema_extra={"idle": why})


def idle_reason(options: type[Options], name: str) -> str | None:
    """Return why an option means nothing here; None for one that does."""
    extra = options.model_fields[name].json_schema_extra
    return str(extra["idle"]) if isinstance(extra, dict) and "idle" in extra else None


def _no_text_is_none(value: object) -> object:
    return None if value == "" else value


OptionalPath = Annotated[str | None, BeforeValidator(_no_text_is_none)]
