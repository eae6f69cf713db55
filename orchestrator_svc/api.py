"""The gRPC API: ``ordersaga.orchestrator.v1.OrchestratorService``."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TypeAlias

from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from ordersaga.orchestrator.v1 import orchestrator_pb2_grpc, steps_pb2

from orchestrator_svc.views import (
    count_view,
    declaration_view,
    event_view,
    filter_of,
    filter_under_way,
    result_view,
    saga_view,
)
from sagakit.errors import NotFound, Refused, Unavailable
from sagakit.offsets.group_lag import GroupLag
from sagakit.orchestrator.operators import Operators, Results
from sagakit.orchestrator.store import SagaStore
from sagakit.postgres.database import Database
from sagakit.postgres.notifications import NotificationListener
from sagakit.postgres.pipeline import Transaction
from sagakit.rpc import callers
from sagakit.rpc.guard import Context
from sagakit.rpc.paging import last_id, next_page_token, one_page, page_size
from sagakit.saga import Saga
from sagakit.saga.filter import Filter
from sagakit.saga.instance import Event, Instance

_PAGE = 100
"""Sagas that a watch reads at once, and holds until its client has read them."""
_MOST_ENDED = 1000
"""Sagas that have ended of which a watch knows that it has sent their ends: they may be notified once more."""
_LISTEN_SECONDS = 10.0
"""How long a watch waits until it hears of changes. As long as a transaction that changes something just then."""
_MOST_COUNTED = 100_000
_DEFAULT_EVENTS = 100
_DEFAULT_ACTIONS = 100
_MOST_ACTIONS = 1000

_Act = Callable[..., tuple[Results, bool]]
_Action: TypeAlias = pb.RetrySagaRequest | pb.CancelSagaRequest | pb.RetrySagasRequest | pb.CancelSagasRequest
_Found: TypeAlias = tuple[Instance, datetime]
"""A saga, and the time when it was read, by the database's clock: a saga's age goes by that clock alone."""


class Sent:
    """What a watch has sent, in bounded memory: the versions of sagas under way, and of those that have ended last."""

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self._under_way: dict[int, int] = {}
        self._ended: dict[int, int] = {}

    @property
    def under_way(self) -> Collection[int]:
        """The ids of those that passed the watch's filter, and had not ended."""
        return self._under_way.keys()

    def version(self, saga_id: int) -> int | None:
        """Return the version of a saga that was sent; None where it was not, or did not pass the filter."""
        return self._under_way.get(saga_id, self._ended.get(saga_id))

    def note(self, instance: Instance, *, passes: bool) -> None:
        """Note that ``instance`` was sent, if it ``passes`` the filter; else there is no more to be said of it."""
        self._under_way.pop(instance.saga_id, None)
        self._ended.pop(instance.saga_id, None)
        if passes:
            (self._ended if instance.ended else self._under_way)[instance.saga_id] = instance.version
        if len(self._ended) > _MOST_ENDED:
            del self._ended[next(iter(self._ended))]


class OrchestratorService(orchestrator_pb2_grpc.OrchestratorServiceServicer):
    """Translates between proto and sagas."""

    def __init__(
        self, database: Database, saga: Saga, store: SagaStore, listener: NotificationListener, lag: GroupLag
    ) -> None:
        """Serve the sagas of ``database``; ``listener`` gets their changes, ``lag`` knows whether some are missing."""
        self._database, self._saga, self._store, self._listener, self._lag = database, saga, store, listener, lag
        self._operators = Operators(saga, store, self._fitting)

    async def GetSaga(self, request: pb.GetSagaRequest, context: Context) -> pb.GetSagaResponse:
        """Return one saga with a page of its history: the newest events, or those before a token's."""
        listing, size = "history", page_size(request.history_page_size or _DEFAULT_EVENTS)
        before = last_id(listing, request.order_id, request.history_page_token, "history_page_token")

        def read(tx: Transaction) -> tuple[Instance | None, list[Event]]:
            found = self._store.get(tx, [request.order_id])
            history = self._store.history(tx, request.order_id, limit=size + 1, before=before)
            return found.get(request.order_id), history

        instance, history = await self._database.run(read)
        if instance is None:
            raise _unknown(request.order_id)
        page, more = one_page(map(event_view, reversed(history)), size)
        token = next_page_token(listing, request.order_id, page[-1].version) if more else ""
        saga = saga_view(self._saga, instance)
        return pb.GetSagaResponse(saga=saga, history=reversed(page), next_history_page_token=token)

    async def ListSagas(self, request: pb.ListSagasRequest, context: Context) -> pb.ListSagasResponse:
        """Return one page of sagas, by descending order id."""
        wanted = filter_of(request)
        before, size = last_id("sagas", wanted, request.page_token), page_size(request.page_size)
        found = await self._database.scan(lambda tx: self._store.find(tx, wanted, before=before, limit=size + 1))
        page, more = one_page((saga_view(self._saga, instance) for instance in found), size)
        token = next_page_token("sagas", wanted, page[-1].order_id) if more else ""
        return pb.ListSagasResponse(sagas=page, next_page_token=token)

    async def CountSagas(self, request: pb.CountSagasRequest, context: Context) -> pb.CountSagasResponse:
        """Count sagas, by where they stand."""
        wanted = filter_under_way(request.filter)
        counts = await self._database.scan(lambda tx: self._store.count(tx, wanted, _MOST_COUNTED + 1))
        page, too_long = one_page(map(count_view, counts), len(counts))  # rows that somebody changed may be at any step
        more = sum(one.sagas for one in counts) > _MOST_COUNTED
        return pb.CountSagasResponse(counts=page, more=more or too_long)

    async def GetSagaDeclaration(
        self, request: steps_pb2.GetSagaDeclarationRequest, context: Context
    ) -> steps_pb2.GetSagaDeclarationResponse:
        """Return the declared steps."""
        return declaration_view(self._saga)

    async def WatchSagas(self, request: pb.WatchSagasRequest, context: Context) -> AsyncIterator[pb.WatchSagasResponse]:
        """Stream the sagas that pass the filter, then each that changes; also once when it passes no more."""
        # Without a filter the end of a saga that began and ended between two reads is told as well.
        wanted = filter_under_way(request.filter) if request.HasField("filter") else Filter()
        sent = Sent()
        with self._listener.follow() as follower:
            if not await self._listener.listens(_LISTEN_SECONDS):
                raise Unavailable("the sagas' changes cannot be heard of now; call again")
            follower.reads_all()  # listening has begun, and all that was before it is read below
            await context.send_initial_metadata(())  # the caller may begin what it wants to be told of
            changed: Mapping[int, str] | None = None
            while True:
                read = self._under_way(wanted, sent.under_way) if changed is None else self._changed(changed.keys())
                async for instance, now in read:
                    passes = wanted.fits(instance, now)
                    before = sent.version(instance.saga_id)
                    if before != instance.version and (passes or before is not None):
                        yield pb.WatchSagasResponse(saga=saga_view(self._saga, instance))
                    sent.note(instance, passes=passes)
                changed = await follower.next()

    async def RetrySaga(self, request: pb.RetrySagaRequest, context: Context) -> pb.RetrySagaResponse:
        """Have one saga's command sent again."""
        instance = await self._act_on_one(self._operators.retry, request)
        return pb.RetrySagaResponse(saga=saga_view(self._saga, instance))

    async def CancelSaga(self, request: pb.CancelSagaRequest, context: Context) -> pb.CancelSagaResponse:
        """Have one saga undone."""
        instance = await self._act_on_one(self._operators.cancel, request)
        return pb.CancelSagaResponse(saga=saga_view(self._saga, instance))

    async def RetrySagas(self, request: pb.RetrySagasRequest, context: Context) -> pb.RetrySagasResponse:
        """Have the commands of many sagas sent again."""
        results, more = await self._act(self._operators.retry, request)
        return pb.RetrySagasResponse(results=results, more=more)

    async def CancelSagas(self, request: pb.CancelSagasRequest, context: Context) -> pb.CancelSagasResponse:
        """Have many sagas undone."""
        results, more = await self._act(self._operators.cancel, request)
        return pb.CancelSagasResponse(results=results, more=more)

    async def _act_on_one(self, act: _Act, request: pb.RetrySagaRequest | pb.CancelSagaRequest) -> Instance:
        wanted, note = Filter(ids=[request.order_id]), _note(request)
        results, _ = await self._caught_up(lambda tx: act(tx, wanted, note, limit=1))
        if request.order_id not in results:
            raise _unknown(request.order_id)
        result = results[request.order_id]
        if isinstance(result, Refused):
            raise result
        return result

    async def _act(
        self, act: _Act, request: pb.RetrySagasRequest | pb.CancelSagasRequest
    ) -> tuple[list[pb.SagaResult], bool]:
        wanted, note = filter_under_way(request.filter), _note(request)
        limit = min(request.limit or _DEFAULT_ACTIONS, _MOST_ACTIONS)
        results, more = await self._caught_up(lambda tx: act(tx, wanted, note, limit=limit))
        return [result_view(self._saga, saga_id, result) for saga_id, result in results.items()], more

    async def _caught_up(self, act: Callable[[Transaction], tuple[Results, bool]]) -> tuple[Results, bool]:
        """Run ``act`` in a transaction, unless the database went back: the stored sagas may be out of date.

        Raises:
            Unavailable: the database went back, and is catching up.
        """

        def run(tx: Transaction) -> tuple[Results, bool]:
            if self._lag.is_missing_now(tx):
                raise Unavailable("the database went back, and what it has forgotten is read again")
            return act(tx)

        return await self._database.scan(run)

    def _fitting(self, instances: Sequence[Instance]) -> int:
        """Return how many of ``instances`` fit into one answer."""
        page, _ = one_page((saga_view(self._saga, instance) for instance in instances), len(instances))
        return len(page)

    async def _under_way(self, wanted: Filter, sent: Collection[int]) -> AsyncIterator[_Found]:
        """Read the sagas under way that pass ``wanted``, page by page, then those of ``sent`` that pass no more."""
        wanted = replace(wanted, under_way=wanted.ids is None)
        before: int | None = None
        seen: set[int] = set()
        while True:
            page, now = await self._database.scan(partial(self._page, wanted=wanted, before=before))
            for instance in page:
                seen.add(instance.saga_id)
                yield instance, now
            if len(page) < _PAGE:
                break
            before = page[-1].saga_id
        async for found in self._changed(set(sent) - seen):
            yield found

    def _page(self, tx: Transaction, *, wanted: Filter, before: int | None) -> tuple[list[Instance], datetime]:
        return self._store.find(tx, wanted, before=before, limit=_PAGE), self._store.now(tx)

    async def _changed(self, ids: Collection[int]) -> AsyncIterator[_Found]:
        """Read the sagas ``ids``, page by page: a client that does not read on has the service hold one page."""
        left = sorted(ids)
        while left:
            page, left = left[:_PAGE], left[_PAGE:]
            found, now = await self._database.run(partial(self._get, page))
            for instance in found.values():
                yield instance, now

    def _get(self, ids: Collection[int], tx: Transaction) -> tuple[Mapping[int, Instance], datetime]:
        return self._store.get(tx, ids), self._store.now(tx)


def _note(request: _Action) -> str:
    """Return who acts and why, for the history."""
    actor, reason = callers.current().signing(request.actor, request.reason)
    return f"{actor}: {reason}" if reason else actor


def _unknown(order_id: int) -> NotFound:
    return NotFound("SAGA_NOT_FOUND", f"there is no saga of order {order_id}")
