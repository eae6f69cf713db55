"""Healing: everything runs without a fault, and time goes on, until nothing moves any more."""

from datetime import datetime, timedelta

from tests.chaos.simulation.processes import ANNOUNCE_AFTER
from tests.chaos.simulation.services import Service
from tests.chaos.simulation.world import TOPICS, World

_ROUNDS_TO_HEAL = 6
_ROUNDS_TO_REST = 30
_MOMENT = 0.3
"""Longer than a consumer waits for more before it stores and commits offsets."""
_LONG = 6.0
"""Longer than a consumer backs off."""


def heal(world: World) -> bool:
    """Let all go on; return whether it came to rest.

    Who was stopped wakes when the others have done all they can: the later, the more it may spoil.
    """
    for _ in range(_ROUNDS_TO_HEAL):
        world.relay()
        rested = _work_off(world)
        for service in world.services:
            service.wake()
        rested = _work_off(world) and rested
        if not rested:
            return False
        if _is_quiet(world):
            return True
        world.pass_time((_all_is_due(world) - world.now.time).total_seconds())
        world.fire_timers()
        world.announce()
    return False


def _work_off(world: World) -> bool:
    """Let all consume what there is; say whether that came to an end."""
    for _ in range(_ROUNDS_TO_REST):
        for service in world.services:
            for process in service.processes:
                process.allowance = float("inf")
        before = _ends(world)
        world.pass_time(_MOMENT)
        if not all(_is_handled(world, service) for service in world.services):
            world.pass_time(_LONG)
        elif before == _ends(world):
            return True
    return False


def _ends(world: World) -> list[int]:
    return [world.broker.end(place) for place in world.broker.places(TOPICS)]


def _is_handled(world: World, service: Service) -> bool:
    committed = world.broker.group(service.name).committed
    return all(
        place in committed and committed[place].offset == world.broker.end(place)
        for place in world.broker.places(service.topics)
        if world.broker.log(place)
    )


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
