"""The guard around every method: it checks requests, turns errors into statuses, counts, and hides stack traces."""

import asyncio
import inspect
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, nullcontext, suppress
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError, Message

from sagakit.errors import Denied, Exhausted, InvalidArgument, Unauthenticated, Unavailable, Violation
from sagakit.rpc import callers, refusals
from sagakit.rpc.callers import Caller
from sagakit.rpc.clients import ANY, Clients
from sagakit.rpc.gate import Entrance, Gate
from sagakit.rpc.observed import Call, Observed
from sagakit.rpc.quotas import Quotas, address_of, tokens_for
from sagakit.rpc.statuses import status_of
from sagakit.rpc.tokens import EXPIRED
from sagakit.rpc.validation import check
from sagakit.runtime import metrics
from sagakit.runtime.logs import logger

log = logger("rpc")

_LEAST_SECONDS = 0.005
"""A call with less time left is refused: no transaction is as quick, and the caller could not know its outcome."""
_MOST_CALLS = 10_000
"""Calls under way at once, streams included; more are refused, because each waiting call takes memory."""
_MOST_STREAMS = 9_000
"""Streams among them. They last, so that many callers' streams together would otherwise keep every short call out."""
_LISTS = "List"
"""The names of methods that read page by page begin so (AIP-132)."""
_READ_SECONDS = 30.0
"""How long a stream's message may wait until its client has read those before it."""
_FAREWELL_SECONDS = 1.0
_LONGEST_STREAM_SECONDS = 30 * 86_400
"""Of one whose token expires later: an event loop's timers take no longer times."""
Context = grpc.aio.ServicerContext[Any, Any]


class Calls:
    """Counts the calls under way; takes those of clients who may call, and of each caller no more than his share."""

    def __init__(
        self,
        most: int = _MOST_CALLS,
        clients: Clients = ANY,
        quotas: Quotas | None = None,
        most_streams: int = _MOST_STREAMS,
    ) -> None:
        """Allow up to ``most`` at once, ``most_streams`` of them streams, of ``clients``.

        Each caller may do what his ``quotas`` are; without them, anything.
        """
        self.under_way = self.streams = 0
        self._most, self._most_streams, self._clients, self.quotas = most, most_streams, clients, quotas

    def must_be_taken(self, context: Context, *, stream: bool = False) -> None:
        """Check that the call that has just begun comes from a client who may call, and is not one too many.

        Raises:
            Denied: its client may not call.
            Exhausted: it is one too many; it has done nothing.
        """
        self._clients.must_include(context)
        if self.under_way > self._most:
            raise Exhausted("TOO_MANY_CALLS", f"{self._most} calls are under way already; nothing was done, try again")
        if stream and self.streams > self._most_streams:
            text = f"{self._most_streams} streams are open already; nothing was done, try again"
            raise Exhausted("TOO_MANY_CALLS", text)


class Guard(grpc.GenericRpcHandler):
    """Wraps each method of one service once; an interceptor would wrap it at each call."""

    def __init__(self, service: grpc.GenericRpcHandler, calls: Calls, gate: Gate) -> None:
        """Guard ``service``; ``calls`` counts the calls under way, ``gate`` lets callers in."""
        self._service, self._calls, self._gate = service, calls, gate
        self._guarded: dict[str, Any] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401 - grpc's handler type is not generic
        """Return the guarded handler of a method; None where the service has no such method."""
        name = handler_call_details.method
        if name not in self._guarded:
            handler = self._service.service(handler_call_details)
            if handler is None:
                return None
            self._guarded[name] = _guarded(handler, name, self._calls, self._gate.entrance(_short(name)))
        return self._guarded[name]


def _guarded(handler: Any, method: str, calls: Calls, enter: Entrance) -> Any:  # noqa: ANN401 - grpc's handler type is not generic
    codecs = {
        "request_deserializer": _forgiving(handler.request_deserializer),
        "response_serializer": handler.response_serializer,
    }
    if handler.unary_unary:
        return grpc.unary_unary_rpc_method_handler(_unary(handler.unary_unary, method, calls, enter), **codecs)
    if handler.unary_stream:
        return grpc.unary_stream_rpc_method_handler(_stream(handler.unary_stream, method, calls, enter), **codecs)
    return grpc.stream_stream_rpc_method_handler(_dialogue(handler.stream_stream, method, calls, enter), **codecs)


def _forgiving(deserialize: Callable[[bytes], Message]) -> Callable[[bytes], Message | None]:
    """Return None for bytes that are no request; gRPC would answer UNKNOWN with the text of Python's exception."""

    def forgiving(body: bytes) -> Message | None:
        try:
            return deserialize(body)
        except DecodeError:
            return None

    return forgiving


def _unary(
    behaviour: Callable[[Any, Context], Awaitable[Message]], method: str, calls: Calls, enter: Entrance
) -> Callable[..., Awaitable[Message]]:
    observed = Observed(method)
    quotas = calls.quotas
    under_way = quotas and (quotas.list if _short(method).startswith(_LISTS) else quotas.call)

    async def guarded(request: Message, context: Context) -> Message:
        calls.under_way += 1
        with observed.call(context) as call:
            try:
                calls.must_be_taken(context)
                await _enter(enter, context, calls)
                _spend(request, context, calls)
                with under_way(_caller(context)) if under_way else nullcontext():
                    call.let_in()
                    await _admit(request, context)
                    return await behaviour(request, context)
            except Exception as error:  # noqa: BLE001 - the client gets it as a status, and it is logged
                await _abort(context, error, method)
            finally:
                calls.under_way -= 1

    return guarded


def _stream(
    behaviour: Callable[[Any, Context], Any], method: str, calls: Calls, enter: Entrance
) -> Callable[..., Awaitable[None]]:
    writes = inspect.iscoroutinefunction(
        behaviour
    )  # it writes its own answers, as the Watch of grpc's health service does

    async def answer(request: Message, context: Context, call: Call) -> None:
        _spend(request, context, calls)
        call.let_in()
        await _admit(request, context)
        responses = behaviour(request, context)
        await (responses if writes else _write_all(responses, context))

    return _streaming(answer, method, calls, enter)


def _dialogue(
    behaviour: Callable[[AsyncIterator[Message], Context], AsyncGenerator[Message]],
    method: str,
    calls: Calls,
    enter: Entrance,
) -> Callable[..., Awaitable[None]]:
    async def answer(requests: AsyncIterator[Message | None], context: Context, call: Call) -> None:
        call.let_in()
        await _write_all(behaviour(_admitted(requests, context, calls), context), context)

    return _streaming(answer, method, calls, enter)


def _streaming(
    answer: Callable[[Any, Context, Call], Awaitable[None]], method: str, calls: Calls, enter: Entrance
) -> Callable[..., Awaitable[None]]:
    observed, under_way = Observed(method), metrics.STREAMS.labels(_short(method))

    async def guarded(request: Any, context: Context) -> None:  # noqa: ANN401 - one message, or an iterator of them
        calls.under_way += 1
        calls.streams += 1
        under_way.inc()
        with observed.call(context) as call:
            try:
                calls.must_be_taken(context, stream=True)
                caller = await _enter(enter, context, calls)
                with calls.quotas.stream(_caller(context)) if calls.quotas else nullcontext():
                    await _while_known(caller, answer(request, context, call))
            except (_Unread, _Expired) as error:
                # The status waits behind the unread messages: the client gets it if it goes on reading.
                with suppress(TimeoutError, grpc.aio.InternalError):
                    async with asyncio.timeout(_FAREWELL_SECONDS):
                        await _abort(context, error, method)
            except Exception as error:  # noqa: BLE001 - the client gets it as a status, and it is logged
                await _abort(context, error, method)
            finally:
                under_way.dec()
                calls.streams -= 1
                calls.under_way -= 1

    return guarded


class _Unread(Unavailable):
    """The client does not read its stream, which ends therefore."""


class _Expired(Unauthenticated):
    """The caller's token has expired while a stream was under way."""


async def _while_known(caller: Caller, answering: Awaitable[None]) -> None:
    """Await ``answering`` until it ends, or the token of ``caller`` expires.

    Raises:
        _Expired: it does.
    """
    if caller.expires is None:
        await answering
        return
    left = asyncio.timeout(min(caller.expires - time.time(), _LONGEST_STREAM_SECONDS))
    try:
        async with left:
            await answering
    except TimeoutError:
        if left.expired():
            raise _Expired(EXPIRED, "the token has expired; call again with another") from None
        raise


async def _write_all(responses: AsyncGenerator[Message], context: Context) -> None:
    async with aclosing(responses):
        async for response in responses:
            try:
                async with asyncio.timeout(_READ_SECONDS):
                    await context.write(response)
            except grpc.aio.InternalError:  # the client is gone; grpc would log that as our error
                raise asyncio.CancelledError from None
            except TimeoutError:
                raise _Unread(f"nothing of this stream was read for {_READ_SECONDS:.0f} s; call again") from None


async def _admitted(requests: AsyncIterator[Message | None], context: Context, calls: Calls) -> AsyncIterator[Message]:
    async for request in requests:
        await _spend_slowly(request, context, calls)
        await _admit(request, context)
        if request is not None:  # `_admit` has refused it otherwise
            yield request


async def _admit(request: Message | None, context: Context) -> None:
    remaining: float | None = context.time_remaining()  # None without a deadline, whatever its stub says
    if remaining is not None and remaining < _LEAST_SECONDS:
        await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed before the call began")
    if request is None:
        raise InvalidArgument(Violation("", "the bytes are not the message that this call takes"))
    check(request)


async def _enter(enter: Entrance, context: Context, calls: Calls) -> Caller:
    """Find out who calls; who may not call this pays for it all the same."""
    try:
        return await enter(context)
    except Denied:
        _spend(None, context, calls)
        raise


def _spend(request: Message | None, context: Context, calls: Calls) -> None:
    if calls.quotas:
        calls.quotas.spend(_caller(context), 1 if request is None else tokens_for(request))


async def _spend_slowly(request: Message | None, context: Context, calls: Calls) -> None:
    """Wait until the caller's bucket holds what ``request`` takes; meanwhile nothing more of his stream is read."""
    while True:
        try:
            _spend(request, context, calls)
        except Exhausted as error:
            await asyncio.sleep(error.retry_seconds)
        else:
            return


def _caller(context: Context) -> str:
    """Return whose quotas the call takes from: the token's subject, or else all who call from the same address."""
    subject = callers.current().subject
    return f"subject {subject}" if subject else address_of(context.peer())


async def _abort(context: Context, error: Exception, method: str) -> NoReturn:
    if isinstance(error, grpc.aio.AbortError | grpc.aio.BaseError):
        raise error
    if not isinstance(error, _Expired):  # the call was let in, and has ended in time
        refusals.note(_short(method), error, context)
    code, status = status_of(error, _domain(method))
    details = ("grpc-status-details-bin", status.SerializeToString())
    await context.abort(code, status.message, trailing_metadata=(details,))


def _domain(method: str) -> str:
    """Return the domain of the reasons: the first part of the method's name, ``bank`` of ``/bank.v1.Transfers/Add``."""
    return method.lstrip("/").partition("/")[0].partition(".")[0]


def _short(method: str) -> str:
    """Return the method's name in the metrics, ``Add`` of ``/bank.v1.Transfers/Add``."""
    return method.rpartition("/")[2]
