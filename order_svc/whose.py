"""Whose orders a caller may see and place: everybody's with the scope ``orders:any``, else those of one user."""

from sagakit.errors import Denied
from sagakit.rpc.callers import Caller

ANY = "orders:any"


def visible_user(caller: Caller) -> int | None:
    """Return the only user whose orders ``caller`` may see and cancel; None: everybody's.

    Raises:
        Denied: it has not the scope for everybody's, and is no user.
    """
    return None if caller.may(ANY) else caller.must_be_user()


def may_order(caller: Caller, user_id: int) -> None:
    """Check that ``caller`` may place an order of ``user_id``.

    Raises:
        Denied: it may not.
    """
    only = visible_user(caller)
    if only not in {None, user_id}:
        raise Denied("ANOTHER_USER", f"the caller is user {only}, and may not order for user {user_id}")
