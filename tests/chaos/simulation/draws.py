"""What hypothesis draws: the orders that a run begins with, and what happens then."""

from collections.abc import Iterator

from hypothesis import strategies as st

from sagakit.testing.world.faults import Fault
from tests.chaos.simulation import actions as do
from tests.chaos.simulation.world import TOPICS, Kind

_FAULTS = [*list(Fault)[1:], Fault.STOPPED]


def _processing() -> Iterator[do.Action]:
    """The services at work, the orchestrator more than the others. Without a fault as often as with one."""
    for service in (do.ORCHESTRATOR, do.ORCHESTRATOR, do.PRODUCT, do.DELIVERY, do.ORDER):
        for limit in (500, 500, 1, 2):
            for first in range(6 if service == do.ORCHESTRATOR else 2):
                yield from [do.Process(service, limit, first)] * 5
                yield from (do.Process(service, limit, first, fault) for fault in _FAULTS)


def _others() -> Iterator[do.Action]:
    for kind in Kind:
        yield from [do.Place(kind)] * 3
        yield from (do.Place(kind, fault) for fault in list(Fault)[1:])
    for order in range(4):
        yield from [do.CancelOrder(order)] * 3
        yield from (do.CancelOrder(order, fault) for fault in list(Fault)[1:])
        yield from [do.CancelSaga(order)] * 3 + [do.RetrySaga(order)] * 2
    yield from (do.Restock(pieces) for pieces in (1, 2, 3))
    for service in range(4):
        yield from [do.Wake(service)] * 6
        yield from (do.Rewind(service, back) for back in (1, 2, do.ALL))
        yield do.Reset(service)
    yield from [do.Progress(steps) for steps in range(1, 7)] * 6
    yield from [do.Join(service) for service in range(4)] * 3
    yield from [do.Leave(service) for service in range(4)] * 3
    yield from (do.AddPartition(topic) for topic in TOPICS)
    yield from (do.Expire(topic) for topic in TOPICS)
    yield from [do.PlaceTogether((Kind.GOOD, kind)) for kind in (Kind.GOOD, Kind.BOX)] * 2
    yield from (do.PlaceTogether((Kind.GOOD, Kind.GOOD), fault) for fault in list(Fault)[1:])
    yield from (do.AskAgain(which, fault) for which in range(2) for fault in (Fault.NONE, Fault.COMMIT_UNHEARD))
    yield from (do.Rubbish(which) for which in range(len(TOPICS)))
    yield from (do.Contradict(which) for which in range(4))
    yield from (do.Repeat(which) for which in range(12))
    yield from (do.DeleteTopic(topic) for topic in TOPICS)
    yield from [do.Wait(seconds) for seconds in (1, 1, 15, 61, 300, 3600, 86_400, -86_400, -61)] * 2
    for hasty in (False, True):
        yield from [do.FireTimers(hasty=hasty)] * 5
        yield from (do.FireTimers(fault, hasty=hasty) for fault in list(Fault)[1:])
    yield from [do.Silence(times) for times in (1, 4, 5, 6, 12)] * 6
    yield from [do.Announce()] * 3 + [do.Relay()] * 3
    yield from (do.Announce(fault) for fault in list(Fault)[1:])
    yield from (do.Relay(fault) for fault in list(Fault)[1:])


_PROCESSING, _OTHERS = list(_processing()), list(_others())
_EITHER: list[do.Action] = [*_PROCESSING, *_OTHERS * (len(_PROCESSING) // len(_OTHERS))]

KINDS = st.lists(st.sampled_from([Kind.GOOD, *Kind, Kind.GOOD, Kind.BOX]), min_size=1, max_size=3)
"""The orders that a run begins with."""

RUNS = st.lists(st.lists(st.sampled_from(_EITHER), max_size=20), min_size=1, max_size=8)
"""What happens then. Lists in a list, only because hypothesis makes long single lists seldom."""

# What a database has forgotten must be in Kafka still; product_svc's would forget restocks, which are no messages. What
# time, operators and cancels decided in a saga that is forgotten is found out later, and may then be too late. And an
# offset without the mark is believed against the database.
_BACK = [act(service) for service in (do.ORCHESTRATOR, do.DELIVERY) for act in (do.Keep, do.GoBack, do.GoBack)]
_DECIDED = do.FireTimers | do.Silence | do.CancelSaga | do.RetrySaga | do.CancelOrder
_NOT_BACK = _DECIDED | do.Reset | do.DeleteTopic | do.Expire
_REPEATABLE = [one for one in _EITHER if not isinstance(one, _NOT_BACK)]
RUNS_BACK = st.lists(
    st.lists(st.sampled_from([*_REPEATABLE, *_BACK * (len(_EITHER) // 30)]), max_size=20), min_size=1, max_size=8
)
"""The same, with databases that go back, and topics that keep everything."""
