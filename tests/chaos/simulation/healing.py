"""Healing: everything runs without a fault, and time goes on, until nothing moves any more."""

from datetime import datetime, timedelta

from tests.chaos.simulation.processes import ANNOUNCE_AFTER
from tests.chaos.simulation.world import World

_ROUNDS_TO_HEAL = 6


def heal(world: World) -> bool:
    """Let all go on; return whether it came to rest.

    Who was stopped wakes when the others have done all they can: the later, the more it may spoil.
    """
    for _ in range(_ROUNDS_TO_HEAL):
        world.relay()
        rested = world.settle()
        for service in world.services:
            service.wake()
        rested = world.settle() and rested
        if not rested:
            return False
        if _is_quiet(world):
            return True
        world.pass_time((_all_is_due(world) - world.now.time).total_seconds())
        world.fire_timers()
        world.announce()
    return False


def _is_quiet(world: World) -> bool:
    """Say whether every order and every saga has ended, and all that was to be said has been."""
    sagas = world.sagas()
    ended = all(order.final and order.order_id in sagas for order in world.all_orders())
    return ended and not list(world.deadlines()) and not world.orders.database.rows("outbox")


def _all_is_due(world: World) -> datetime:
    """Return when every deadline has passed and all is old enough to be said again, though the clock went back."""
    waiting: list[datetime] = [row.create_time for row in world.orders.database.rows("outbox").values()]
    waiting += [due.time for due in world.orders.database.rows("due").values()]
    return max([world.now.time, *world.deadlines(), *waiting]) + timedelta(seconds=ANNOUNCE_AFTER)
