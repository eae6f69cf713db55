"""The output of the clients in `go/` and `node/`: the same, line by line."""

import re

USER = "9007199254740993"
"""More than a number of JavaScript's can hold."""


def must_show(text: str) -> None:
    """Compare a client's output with the state of its orders."""
    placed, *watched, read, refused = text.splitlines()
    found = re.fullmatch(rf"placed (\d+) {USER} ORDER_STATUS_PENDING", placed)
    assert found, text
    order = f"{found[1]} {USER}"
    assert watched[-1] == f"watched {order} ORDER_STATUS_COMPLETED"
    assert set(watched[:-1]) <= {f"watched {order} ORDER_STATUS_PENDING"}
    assert read == f"read {order} ORDER_STATUS_COMPLETED"
    assert refused.startswith("refused 3 quantity: must be greater than or equal to 1"), text
