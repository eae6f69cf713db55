"""Settings from environment variables: typed, read once, with one line of error for each bad value."""

import ipaddress
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, NamedTuple, Self, TypeVar

from pydantic import BeforeValidator, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

HIGHEST_PORT = 65535
_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[^\[\]\s]+)\]|(?P<host>[^:\[\]\s/]+)):(?P<port>[0-9]{1,5})")


class Listen(NamedTuple):
    """Where a server listens."""

    host: str
    """A name or an address; an IPv6 address without brackets."""
    port: int

    def __str__(self) -> str:
        """Write it as ``host:port``, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listen(value: str) -> Listen:
    """Read ``host:port``, an IPv6 address in brackets.

    Raises:
        ValueError: it is something else.
    """
    found = _ADDRESS.fullmatch(value)
    if found and int(found["port"]) <= HIGHEST_PORT and (found["host"] or is_ipv6(found["ipv6"])):
        return Listen(found["host"] or found["ipv6"], int(found["port"]))
    raise ValueError("must be host:port, such as 127.0.0.1:50051; an IPv6 address stands in brackets: [::1]:50051")


def is_ipv6(text: str) -> bool:
    """Say whether ``text`` is an IPv6 address, without brackets."""
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Say whether ``host``, a name or an address without brackets, is this machine alone."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _address(value: object) -> object:
    return listen(value) if isinstance(value, str) else value


Address = Annotated[Listen, NoDecode, BeforeValidator(_address)]
"""A ``host:port`` or ``[address]:port`` to listen on."""


class Settings(BaseSettings):
    """A group of settings; an environment variable has the name of its field in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True, env_ignore_empty=True)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if problems := list(self.problems()):
            raise ValueError("\n".join(problems))
        return self

    def problems(self) -> Iterator[str]:
        """Yield a line for settings that contradict each other; it begins with a setting's name."""
        yield from ()

    def given(self, fields: Iterable[str]) -> list[str]:
        """Return the names of those of ``fields`` that are set."""
        return [field.upper() for field in fields if getattr(self, field) is not None]

    def missing(self, wanted: Sequence[str], because: Sequence[str]) -> Iterator[str]:
        """Yield a line that names those of ``wanted`` that are not set, where one of ``because`` is set."""
        present, absent = self.given(because), sorted({field.upper() for field in wanted} - {*self.given(wanted)})
        if present and absent:
            yield f"{', '.join(absent)}: must be set too, where {' and '.join(present)} {is_or_are(present)}"


def is_or_are(names: Sequence[str]) -> str:
    """Return the verb for ``names``."""
    return "is" if len(names) == 1 else "are"


SettingsT = TypeVar("SettingsT", bound=Settings)


def read(settings: type[SettingsT]) -> SettingsT:
    """Read ``settings`` from the environment, or end the process with one line for each bad value.

    Raises:
        SystemExit: with code 2, a value is missing or bad; the lines are on standard error.
    """
    try:
        return settings()
    except ValidationError as error:
        print(*explained(error), sep="\n", file=sys.stderr)  # noqa: T201 - no logging yet
        raise SystemExit(2) from None


def explained(error: ValidationError) -> list[str]:
    """Return a line for each bad value: the setting's name and what is wrong, without secrets."""
    lines: list[str] = []
    for problem in error.errors(include_url=False):
        lines += _lines(problem["loc"], problem["type"], problem["msg"].removeprefix("Value error, "), problem["input"])
    return lines


def _lines(location: tuple[int | str, ...], kind: str, text: str, value: object) -> list[str]:
    if not location:  # settings that contradict each other: `problems` has put their names in
        return text.splitlines()
    name = str(location[0]).upper()
    if kind == "missing":
        return [f"{name}: is not set"]
    secret = "PASSWORD" in name or "DATABASE_URL" in name or "@" in str(value)
    return [f"{name}: {text}" + ("" if secret else f" (it is {value!r})")]
