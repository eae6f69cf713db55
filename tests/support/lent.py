"""A stack that several runs of tests share; a run neither starts nor stops it."""

import os
from pathlib import Path

from devstack.stack import Stack

LENT_STACK = "ORDERSAGA_LENT_STACK"
"""The environment's variable that names the folder of its data."""


def lent_stack() -> Stack | None:
    """Return the stack that is lent, if one is."""
    folder = os.environ.get(LENT_STACK)
    return Stack.fresh(Path(folder)) if folder else None
