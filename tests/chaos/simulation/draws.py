"""What hypothesis draws: the orders that a run begins with, and what happens then."""

from collections.abc import Iterator

from hypothesis import strategies as st

from tests.chaos.simulation.actions import (
    ALL,
    DELIVERY,
    ORCHESTRATOR,
    ORDER,
    PRODUCT,
    Action,
    AddPartition,
    Announce,
    AskAgain,
    CancelOrder,
    CancelSaga,
    Contradict,
    DeleteTopic,
    Expire,
    FireTimers,
    GoBack,
    Join,
    Keep,
    Leave,
    Place,
    PlaceTogether,
    Process,
    Progress,
    Relay,
    Repeat,
    Reset,
    Restock,
    RetrySaga,
    Rewind,
    Rubbish,
    Silence,
    Wait,
    Wake,
)
from tests.chaos.simulation.faults import Fault
from tests.chaos.simulation.world import TOPICS, Kind

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
        yield from (Rewind(service, back) for back in (1, 2, ALL))
        yield Reset(service)
    yield from [Progress(steps) for steps in range(1, 7)] * 6
    yield from [Join(service) for service in range(4)] * 3
    yield from [Leave(service) for service in range(4)] * 3
    yield from (AddPartition(topic) for topic in TOPICS)
    yield from (Expire(topic) for topic in TOPICS)
    yield from [PlaceTogether((Kind.GOOD, kind)) for kind in (Kind.GOOD, Kind.BOX)] * 2
    yield from (PlaceTogether((Kind.GOOD, Kind.GOOD), fault) for fault in list(Fault)[1:])
    yield from (AskAgain(which, fault) for which in range(2) for fault in (Fault.NONE, Fault.COMMIT_UNHEARD))
    yield from (Rubbish(which) for which in range(len(TOPICS)))
    yield from (Contradict(which) for which in range(4))
    yield from (Repeat(which) for which in range(12))
    yield from (DeleteTopic(topic) for topic in TOPICS)
    yield from [Wait(seconds) for seconds in (1, 1, 15, 61, 300, 3600, 86_400, -86_400, -61)] * 2
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
# time, operators and cancels decided in a saga that is forgotten is found out later, and may then be too late. And an
# offset without the mark is believed against the database.
_BACK = [act(service) for service in (ORCHESTRATOR, DELIVERY) for act in (Keep, GoBack, GoBack)]
_NOT_BACK = Reset | DeleteTopic | Expire | FireTimers | Silence | CancelSaga | RetrySaga | CancelOrder
_REPEATABLE = [one for one in _EITHER if not isinstance(one, _NOT_BACK)]
RUNS_BACK = st.lists(
    st.lists(st.sampled_from([*_REPEATABLE, *_BACK * (len(_EITHER) // 30)]), max_size=20), min_size=1, max_size=8
)
"""The same, with databases that go back, and topics that keep everything."""
