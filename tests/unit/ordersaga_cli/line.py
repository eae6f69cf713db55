"""Runs command lines as the help shows them."""

import shlex
from collections.abc import Mapping

from tests.support.line import Typed
from tests.support.line import typed as typed_words

__all__ = ["Typed", "at", "typed"]


def typed(line: str, environment: Mapping[str, str] | None = None, given: str = "") -> Typed:
    """Run ``ordersaga`` with the words of ``line``, and ``given`` piped in."""
    return typed_words(shlex.split(line), environment or {}, given)


def at(address: str) -> dict[str, str]:
    """Return the environment that names ``address`` as every service's."""
    return {f"{name}_SVC_ADDRESS": address for name in ("ORDER", "PRODUCT", "DELIVERY", "ORCHESTRATOR")}
