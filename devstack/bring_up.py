"""Brings a stack up where a person watches."""

import time

from rich.console import Console

from devstack.progress import shown
from devstack.stack import CONTRACTS, Stack


def bring_up(stack: Stack, console: Console) -> None:
    """Bring ``stack`` up, and show it."""
    began = time.monotonic()
    if stack.stale:
        text = f"Restarting {', '.join(stack.stale)}: the code has changed since they were started."
        console.print(text, highlight=False)
    names = [part.name for part in stack.parts]
    with shown([*names[:3], CONTRACTS, *names[3:]], console) as board:
        stack.up(board.tell)
    console.print(f"The stack is ready after {time.monotonic() - began:.1f} s.", highlight=False)
