"""Runs command lines as the help shows them."""

import shlex
from collections.abc import Mapping

from tests.support.line import Typed
from tests.support.line import typed as typed_words

__all__ = ["Typed", "at", "typed"]


def typed(line: str, environment: Mapping[str, str] | None = None) -> Typed:
    """Run ``ordersaga`` with the words of ``line``."""
    return typed_words(shlex.split(line), environment or {})


def at(address: str) -> dict[str, str]:
    """Return the environment that names ``address`` as both services'."""
    return {"ORDER_SVC_ADDRESS": address, "ORCHESTRATOR_SVC_ADDRESS": address}
