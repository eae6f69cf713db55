"""A stack that is lent to a run of tests, which neither starts nor stops it: many short runs share its servers."""

import os
from pathlib import Path

from devstack.stack import Stack

LENT_STACK = "ORDERSAGA_LENT_STACK"
"""The environment's variable that names the folder of its data."""


def lent_stack() -> Stack | None:
    """Return the stack that is lent, if one is."""
    folder = os.environ.get(LENT_STACK)
    return Stack.fresh(Path(folder)) if folder else None
