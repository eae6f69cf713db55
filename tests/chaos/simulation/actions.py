"""What can happen to the world, one step at a time. A failing run is printed as lists of these, to be repeated."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from hypothesis import strategies as st
from ordersaga.messages import (
    CompleteOrderCommand,
    CreateDeliveryCommand,
    DecreaseProductCommand,
    DeliveryCreated,
    OrderCreated,
    ProductDecreased,
)

from tests.chaos.simulation.services import Fault
from tests.chaos.simulation.world import Kind, World

TOPICS = [
    record.TOPIC
    for record in (
        OrderCreated,
        DecreaseProductCommand,
        ProductDecreased,
        CreateDeliveryCommand,
        DeliveryCreated,
        CompleteOrderCommand,
    )
]
ORDER, PRODUCT, DELIVERY, ORCHESTRATOR = range(4)
"""The services, by their places in the world's list."""


class Action(Protocol):
    """One thing that happens."""

    def __call__(self, world: World) -> None: ...


@dataclass(frozen=True)
class Place:
    """A customer orders."""

    kind: Kind
    fault: Fault = Fault.NONE

    def __call__(self, world: World) -> None:
        world.place(self.kind, self.fault)


@dataclass(frozen=True)
class CancelOrder:
    """A customer cancels an order."""

    order: int
    fault: Fault = Fault.NONE

    def __call__(self, world: World) -> None:
        world.cancel_order(self.order, self.fault)


@dataclass(frozen=True)
class Restock:
    """New pieces come."""

    pieces: int

    def __call__(self, world: World) -> None:
        world.restock(self.pieces)


@dataclass(frozen=True)
class Process:
    """A service takes a batch of up to ``limit`` messages, beginning at one of its partitions, and may die of it."""

    service: int
    limit: int = 500
    first: int = 0
    fault: Fault = Fault.NONE

    def __call__(self, world: World) -> None:
        world.services[self.service].process(world.now, first=self.first, limit=self.limit, fault=self.fault)


@dataclass(frozen=True)
class Progress:
    """All goes well for a while: ``steps`` of the six batches that an order takes from its start to its end."""

    steps: int

    def __call__(self, world: World) -> None:
        for service in (ORCHESTRATOR, PRODUCT, ORCHESTRATOR, DELIVERY, ORCHESTRATOR, ORDER)[: self.steps]:
            world.services[service].process(world.now)


@dataclass(frozen=True)
class Wake:
    """The stopped processes of a service go on."""

    service: int

    def __call__(self, world: World) -> None:
        world.services[self.service].wake()


@dataclass(frozen=True)
class Rewind:
    """A service's last committed offsets are lost: it gets up to ``back`` messages of each partition again."""

    service: int
    back: int

    def __call__(self, world: World) -> None:
        world.log.rewind(world.services[self.service].name, self.back)


@dataclass(frozen=True)
class Repeat:
    """Some record comes once more, at the end of its partition."""

    which: int

    def __call__(self, world: World) -> None:
        world.repeat(self.which)


@dataclass(frozen=True)
class DeleteTopic:
    """A topic is deleted with all that is in it, and made anew."""

    topic: str

    def __call__(self, world: World) -> None:
        world.log.delete(self.topic)


@dataclass(frozen=True)
class Wait:
    """The clock goes on, or jumps, also back."""

    seconds: int

    def __call__(self, world: World) -> None:
        world.now += timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class FireTimers:
    """The orchestrator looks for sagas whose deadline has passed; ``hasty``: with replies still unread."""

    fault: Fault = Fault.NONE
    hasty: bool = False

    def __call__(self, world: World) -> None:
        world.fire_timers(self.fault, hasty=self.hasty)


@dataclass(frozen=True)
class Silence:
    """No participant works for a long time: the timers fire ``times`` times, whenever the last deadline has passed."""

    times: int

    def __call__(self, world: World) -> None:
        for _ in range(self.times):
            world.now = max([world.now, *world.deadlines()])
            world.fire_timers(hasty=True)


@dataclass(frozen=True)
class Announce:
    """The order service says again what it said of orders that are PENDING for too long."""

    fault: Fault = Fault.NONE

    def __call__(self, world: World) -> None:
        world.announce(self.fault)


@dataclass(frozen=True)
class Relay:
    """The order service publishes what a crash left in its outbox."""

    fault: Fault = Fault.NONE

    def __call__(self, world: World) -> None:
        world.relay(self.fault)


@dataclass(frozen=True)
class RetrySaga:
    """An operator has a saga's command sent again."""

    order: int

    def __call__(self, world: World) -> None:
        world.retry_saga(self.order)


@dataclass(frozen=True)
class CancelSaga:
    """An operator has a saga undone."""

    order: int

    def __call__(self, world: World) -> None:
        world.cancel_saga(self.order)


@dataclass(frozen=True)
class Keep:
    """A service's database is backed up."""

    service: int

    def __call__(self, world: World) -> None:
        world.services[self.service].keep()


@dataclass(frozen=True)
class GoBack:
    """A service's database is restored to what was backed up last; without a backup, to nothing."""

    service: int

    def __call__(self, world: World) -> None:
        world.services[self.service].restore()


_FAULTS = [*list(Fault)[1:], Fault.STOPPED]


def _processing() -> Iterator[Action]:
    """The services at work, the orchestrator more than the others. Without a fault as often as with one."""
    for service in (ORCHESTRATOR, ORCHESTRATOR, PRODUCT, DELIVERY, ORDER):
        for limit in (500, 500, 1, 2):
            for first in range(6 if service == ORCHESTRATOR else 2):
                yield from [Process(service, limit, first)] * 5
                yield from (Process(service, limit, first, fault) for fault in _FAULTS)


def _others() -> Iterator[Action]:
    for kind in Kind:
        yield from [Place(kind)] * 3
        yield from (Place(kind, fault) for fault in list(Fault)[1:])
    for order in range(4):
        yield from [CancelOrder(order)] * 3
        yield from (CancelOrder(order, fault) for fault in list(Fault)[1:])
        yield from [CancelSaga(order)] * 3 + [RetrySaga(order)] * 2
    yield from (Restock(pieces) for pieces in (1, 2, 3))
    for service in range(4):
        yield from [Wake(service)] * 6
        yield from (Rewind(service, back) for back in (1, 2, 500))
    yield from [Progress(steps) for steps in range(1, 7)] * 6
    yield from (Repeat(which) for which in range(12))
    yield from (DeleteTopic(topic) for topic in TOPICS)
    yield from [Wait(seconds) for seconds in (61, 300, 3600, 86_400, -86_400, -61)] * 2
    for hasty in (False, True):
        yield from [FireTimers(hasty=hasty)] * 5
        yield from (FireTimers(fault, hasty=hasty) for fault in list(Fault)[1:])
    yield from [Silence(times) for times in (1, 4, 5, 6, 12)] * 6
    yield from [Announce()] * 3 + [Relay()] * 3
    yield from (Announce(fault) for fault in list(Fault)[1:])
    yield from (Relay(fault) for fault in list(Fault)[1:])


_PROCESSING, _OTHERS = list(_processing()), list(_others())
_EITHER: list[Action] = [*_PROCESSING, *_OTHERS * (len(_PROCESSING) // len(_OTHERS))]

KINDS = st.lists(st.sampled_from([Kind.GOOD, *Kind, Kind.GOOD, Kind.BOX]), min_size=1, max_size=3)
"""The orders that a run begins with."""

RUNS = st.lists(st.lists(st.sampled_from(_EITHER), max_size=20), min_size=1, max_size=8)
"""What happens then. Lists in a list, only because hypothesis makes long single lists seldom."""

# What a database has forgotten must be in Kafka still; product_svc's would forget restocks, which are no messages. What
# time, operators and cancels decided in a saga that is forgotten is found out later, and may then be too late.
_BACK = [act(service) for service in (ORCHESTRATOR, DELIVERY) for act in (Keep, GoBack, GoBack)]
_DECIDING = DeleteTopic | FireTimers | Silence | CancelSaga | RetrySaga | CancelOrder
_REPEATABLE = [one for one in _EITHER if not isinstance(one, _DECIDING)]
RUNS_BACK = st.lists(
    st.lists(st.sampled_from([*_REPEATABLE, *_BACK * (len(_EITHER) // 30)]), max_size=20), min_size=1, max_size=8
)
"""The same, with databases that go back, and topics that keep everything."""
