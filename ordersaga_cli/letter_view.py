"""Dead letters as JSON, and as text for people."""

import json
from typing import Any

from ordersaga_cli import show
from sagakit.avro.shown_values import printable
from sagakit.dead_letters.letter import Letter

_SHOWN_HEX = 400
_REUSED_ID = "REUSED_ID"


def fields_of(group: str, letter: Letter) -> dict[str, Any]:
    """Return a letter's fields in the list."""
    topic, partition, offset = letter.source
    return {
        "group": group,
        "key": letter.name,
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "source_key": printable(letter.source_key),
        "reason": letter.reason,
        "error": letter.error,
        "time": letter.time,
        "round": letter.round,
        "size": max(0, letter.size),
    }


def print_letter(fields: dict[str, Any]) -> None:
    """Print a letter with its headers and its value, and the next step."""
    for name, field in fields.items():
        if name == "headers":
            for header in field:
                show.say(f"{'header':12}{header['name']}: {'' if header['value'] is None else header['value']}")
        elif name == "value_hex" and len(field) > _SHOWN_HEX:
            show.say(f"{name:12}{field[:_SHOWN_HEX]}… (the first {_SHOWN_HEX // 2} bytes; --json prints all)")
        elif name == "value" and field is not None:
            show.say(f"{name:12}{json.dumps(field, ensure_ascii=False)}")
        elif field not in ("", None):
            show.say(f"{name:12}{field}")
    show.say("")
    show.say(f"Next: {hint(fields)}")


def hint(fields: dict[str, Any]) -> str:
    """Say what can be done about a letter."""
    line = f"{fields['group']} {fields['key']}"
    if fields["reason"] == _REUSED_ID:
        return (
            "two orders have this id, and a replay would be parked again. Ask both customers, order anew for whoever"
            f" wants it (docs/architecture/dead-letters.md says how), then `ordersaga dlq drop {line}`"
        )
    return f"mend what the error says, then `ordersaga dlq replay {line}`; or `ordersaga dlq drop {line}`"
