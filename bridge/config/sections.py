"""What all sections of the configuration share: their base, the types of their fields, and how they refuse a value."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Strict,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

__all__ = [
    "CHOICE",
    "REFUSAL",
    "ConfigPath",
    "Flag",
    "Name",
    "Number",
    "Section",
    "by_key",
    "field_problem",
    "is_loopback",
    "name_problem",
    "refuse_all",
    "wrong",
]

REFUSAL = "config"
"""The type of error that `wrong` makes: its context holds `what` and `advice`."""

CHOICE = "config_choice"
"""The type of error where exactly one of several keys must be there: its context holds `choices`."""

MAX_NAME = 32


class Section(BaseModel):
    """A part of the configuration: immutable, and with no keys but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)

    tag: ClassVar[str] = ""
    """What tells this section from others that may stand in its place."""


def wrong(what: str, advice: str) -> PydanticCustomError:
    """Return the error of a value: what is wrong with it, and what would be right. Both follow the key's name."""
    return PydanticCustomError(REFUSAL, "{what}; {advice}", {"what": what, "advice": advice})


def refuse_all(problems: Iterable[tuple[tuple[str | int, ...], PydanticCustomError]]) -> None:
    """Raise all of these at once, each at the key where it is (seen from the section); nothing, if there are none."""
    details = [InitErrorDetails(type=error, loc=where, input=None) for where, error in problems]
    if details:
        raise ValidationError.from_exception_data("configuration", details)


def by_key(*sections: type[Section]) -> Discriminator:
    """Tell sections apart by the one key that each of them has."""
    tags = {section.tag for section in sections}

    def choose(value: object) -> str | None:
        if isinstance(value, Section):
            return value.tag
        present = tags & value.keys() if isinstance(value, Mapping) else set()
        return present.pop() if len(present) == 1 else None

    return Discriminator(
        choose,
        custom_error_type=CHOICE,
        custom_error_message="needs one of {choices}",
        custom_error_context={"choices": ", ".join(section.tag for section in sections)},
    )


def field_problem(section: type[Section], name: str, value: object) -> str | None:
    """Return what is wrong with the value of one field, seen by itself."""
    field = section.model_fields[name]
    annotation: Any = Annotated[field.annotation, field]
    return _problem(TypeAdapter(annotation), value)


def name_problem(value: str) -> str | None:
    """Return what is wrong with a name of one's own."""
    return _problem(_NAME, value)


def _problem(adapter: TypeAdapter[str], value: object) -> str | None:
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        return error.errors()[0]["msg"]
    return None


def is_loopback(host: str) -> bool:
    """Whether this is an address of this machine, whatever a resolver says: so `localhost` is none."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


# Types


def _resolve(path: Path, info: ValidationInfo) -> Path:
    """Return a path as seen from the configuration's directory, which the loader passes as context."""
    directory = info.context.get("directory") if isinstance(info.context, dict) else None
    try:
        expanded = path.expanduser()
    except RuntimeError:
        raise wrong("has a ~ that stands for nobody's home", "write the whole path") from None
    return directory / expanded if isinstance(directory, Path) else expanded


def _check_name(name: str) -> str:
    if not (re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name) and len(name) <= MAX_NAME):
        raise wrong("is not a usable name", f"take up to {MAX_NAME} of: a to z, 0 to 9, - and _")
    return name


ConfigPath: TypeAlias = Annotated[Path, AfterValidator(_resolve)]
"""A file; relative ones are seen from the configuration's directory."""

Name: TypeAlias = Annotated[str, AfterValidator(_check_name)]
"""A name of one's own, for an account or a room: it stands in logs and metrics."""

_NAME: Final[TypeAdapter[str]] = TypeAdapter(Name)

Flag: TypeAlias = Annotated[bool, Strict()]

Number: TypeAlias = Annotated[int, Strict()]
