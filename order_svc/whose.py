"""Whose orders a caller may see and place: everybody's with the scope ``orders:any``, else those of one user."""

from order_svc.orders import Order
from sagakit.errors import Denied, Hidden, NotFound
from sagakit.rpc.callers import Caller

ANY = "orders:any"
ANOTHER_USER = "ANOTHER_USER"
"""Why a caller is refused who asks for another user's order, or to order for him."""


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
        denied = Denied(ANOTHER_USER, f"the caller is user {only}, and may not order for user {user_id}")
        denied.add_note("the caller may not order for another user")  # the log need not know who they are
        raise denied


def must_be_visible(order: Order, only: int | None) -> None:
    """Check that who may see the orders of the user ``only``, everybody's where that is None, may see ``order``.

    Raises:
        Hidden: another user's order is, as if there were none.
    """
    if only not in {None, order.user_id}:
        missing = unknown(order.order_id)
        raise Hidden(missing.reason, str(missing), because=ANOTHER_USER)


def unknown(order_id: int) -> NotFound:
    """Return the error for an order that does not exist."""
    return NotFound("ORDER_NOT_FOUND", f"there is no order {order_id}")
