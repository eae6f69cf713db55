"""Values for people, with postal addresses hidden unless they may be shown."""

import json
from typing import Any, Final

from console_svc.words import plural

_ADDRESS: Final = "address"
_DOTS: Final = "•••••"
_LONGEST_HEX: Final = 4_000


class Masking:
    """Shows values; addresses only where that was allowed."""

    def __init__(self, *, shown: bool) -> None:
        """Show addresses where ``shown``."""
        self._shown = shown

    def address(self, text: str) -> str:
        """Return a postal address, or dots and how long it is."""
        if self._shown or not text:
            return text or "none"
        return f"{_DOTS} ({plural(len(text), 'character')}, not shown here)"

    def record(self, value: object) -> str:
        """Return a decoded record as JSON in lines."""
        return json.dumps(value if self._shown else _masked(value), indent=2, ensure_ascii=False)

    def undecoded(self, text: str) -> str:
        """Return bytes that were not decoded, in hexadecimal; they may hold an address as well."""
        if not self._shown:
            return f"{plural(len(text) // 2, 'byte')}, not shown here, because an address may be among them"
        return (
            text if len(text) <= _LONGEST_HEX else f"{text[:_LONGEST_HEX]}… ({plural(len(text) // 2, 'byte')} in all)"
        )


def _masked(value: object) -> Any:  # noqa: ANN401 - a piece of a JSON document may be anything
    if isinstance(value, dict):
        return {name: _DOTS if _ADDRESS in name.lower() and one else _masked(one) for name, one in value.items()}
    return [_masked(one) for one in value] if isinstance(value, list) else value
