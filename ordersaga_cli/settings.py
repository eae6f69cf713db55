"""What the environment says about security, read as the services read theirs: half of a setting is refused."""

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from ordersaga_cli.line import Failed
from sagakit.runtime.settings import Settings, explained

SettingsT = TypeVar("SettingsT", bound=Settings)


def read(kind: type[SettingsT], lent: Path | None = None, **known: str) -> SettingsT:
    """Read the settings ``kind`` from the environment, but for those that are ``known`` already.

    What the environment does not say comes from the file ``lent``, where there is one.

    Raises:
        Failed: one is bad, or half of what belongs together is missing.
    """
    try:
        return kind(_env_file=lent, **known)  # type: ignore[call-arg] # its types leave out where else it reads
    except ValidationError as error:
        raise Failed("; ".join(explained(error))) from None
