"""What can happen to the world, one step at a time. A failing run is printed as lists of these, to be repeated."""

from dataclasses import dataclass
from typing import Protocol

from sagakit.testing.world.faults import Fault
from tests.chaos.simulation.world import Kind, World

ORDER, PRODUCT, DELIVERY, ORCHESTRATOR = range(4)
"""The services, by their places in the world's list."""
ALL = 500
"""More than there are messages in a run."""


class Action(Protocol):
    """One thing that happens."""

    def __call__(self, world: World) -> None: ...


@dataclass(frozen=True)
class Place:
    """A customer orders."""

    kind: Kind
    fault: Fault = Fault.NONE

    def __call__(self, world: World) -> None:
        world.place([self.kind], self.fault)


@dataclass(frozen=True)
class PlaceTogether:
    """Customers order at the same moment: their orders share a transaction."""

    kinds: tuple[Kind, ...]
    fault: Fault = Fault.NONE

    def __call__(self, world: World) -> None:
        world.place(self.kinds, self.fault)


@dataclass(frozen=True)
class AskAgain:
    """A customer who may not have been answered sends a request once more."""

    which: int
    fault: Fault = Fault.NONE

    def __call__(self, world: World) -> None:
        world.ask_again(self.which, self.fault)


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
        world.services[self.service].consume(first=self.first, limit=self.limit, fault=self.fault)


@dataclass(frozen=True)
class Progress:
    """All goes well for a while: ``steps`` of the six batches that an order takes from its start to its end."""

    steps: int

    def __call__(self, world: World) -> None:
        for service in (ORCHESTRATOR, PRODUCT, ORCHESTRATOR, DELIVERY, ORCHESTRATOR, ORDER)[: self.steps]:
            world.services[service].consume()


@dataclass(frozen=True)
class Wake:
    """The stopped processes of a service go on."""

    service: int

    def __call__(self, world: World) -> None:
        world.services[self.service].wake()


@dataclass(frozen=True)
class Rewind:
    """A service dies, and the broker loses what its group committed last: up to ``back`` of each partition."""

    service: int
    back: int

    def __call__(self, world: World) -> None:
        world.rewind(world.services[self.service], self.back)


@dataclass(frozen=True)
class Reset:
    """An operator has a group begin anew, by Kafka's own tools, which leave no mark that the database had it."""

    service: int

    def __call__(self, world: World) -> None:
        world.rewind(world.services[self.service], ALL, mark="")


@dataclass(frozen=True)
class Repeat:
    """Some record comes once more, at the end of its partition."""

    which: int

    def __call__(self, world: World) -> None:
        world.repeat(self.which)


@dataclass(frozen=True)
class Rubbish:
    """A stranger writes what cannot be decoded."""

    which: int

    def __call__(self, world: World) -> None:
        world.rubbish(self.which)


@dataclass(frozen=True)
class Contradict:
    """A stranger writes what can be decoded, and contradicts what is stored."""

    which: int

    def __call__(self, world: World) -> None:
        world.contradict(self.which)


@dataclass(frozen=True)
class DeleteTopic:
    """A topic is deleted with all that is in it, and made anew."""

    topic: str

    def __call__(self, world: World) -> None:
        world.delete(self.topic)


@dataclass(frozen=True)
class Expire:
    """A topic's retention deletes what has been consumed."""

    topic: str

    def __call__(self, world: World) -> None:
        world.expire(self.topic)


@dataclass(frozen=True)
class AddPartition:
    """A topic gets one partition more: keys that come to it later change theirs."""

    topic: str

    def __call__(self, world: World) -> None:
        world.add_partition(self.topic)


@dataclass(frozen=True)
class Join:
    """One process more of a service starts, and is given a share of its partitions."""

    service: int

    def __call__(self, world: World) -> None:
        world.services[self.service].start()


@dataclass(frozen=True)
class Leave:
    """A process of a service is stopped in good order; another one starts, if it was the last."""

    service: int

    def __call__(self, world: World) -> None:
        service = world.services[self.service]
        service.leave(service.process)


@dataclass(frozen=True)
class Wait:
    """The clock goes on, or jumps, also back."""

    seconds: int

    def __call__(self, world: World) -> None:
        world.pass_time(self.seconds)


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
            world.wait_for_deadlines()
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
