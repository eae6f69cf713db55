"""Each error family is one gRPC status, with details for programs, and shows nothing of the server's inside."""

import asyncio
from collections.abc import AsyncIterator
from typing import NoReturn

import grpc
import psycopg
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1.health_pb2 import HealthCheckRequest as Message

from sagakit.errors import AlreadyExists, Exhausted, InvalidArgument, NotFound, Refused, Unavailable, Violation
from sagakit.rpc.gate import ALWAYS_OPEN
from sagakit.rpc.guard import Calls, Context, Guard
from sagakit.rpc.statuses import status_of
from tests.support.rpc import connect, refusal

CASES: list[tuple[Exception, grpc.StatusCode, str]] = [
    (InvalidArgument(Violation("quantity", "must be positive")), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
    (NotFound("ORDER_NOT_FOUND", "there is no order 7"), grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND"),
    (AlreadyExists("REQUEST_ID_REUSED", "used before"), grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"),
    (Refused("TOO_LATE", "it has ended"), grpc.StatusCode.FAILED_PRECONDITION, "TOO_LATE"),
    (Exhausted("OUTBOX_FULL", "too many wait"), grpc.StatusCode.RESOURCE_EXHAUSTED, "OUTBOX_FULL"),
    (Unavailable("not yet"), grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE"),
    (psycopg.OperationalError("SELECT secret"), grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE"),
]


@pytest.mark.parametrize(("error", "code", "reason"), CASES, ids=lambda value: type(value).__name__)
def test_a_family_has_its_status_and_its_reason(error: Exception, code: grpc.StatusCode, reason: str) -> None:
    answered, status = status_of(error, "ordersaga")
    info = error_details_pb2.ErrorInfo()
    assert answered is code
    assert status.code == code.value[0]
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == (reason, "ordersaga")
    assert "secret" not in str(status)


def test_a_bad_request_names_its_fields() -> None:
    _, status = status_of(
        InvalidArgument(Violation("price", "too low"), Violation("quantity", "too high")), "ordersaga"
    )
    bad = error_details_pb2.BadRequest()
    assert status.details[1].Unpack(bad)
    assert [(one.field, one.description) for one in bad.field_violations] == [
        ("price", "too low"),
        ("quantity", "too high"),
    ]


@pytest.mark.parametrize(
    ("error", "seconds"), [(Unavailable("not yet"), 1), (Exhausted("OUTBOX_FULL", "too many wait"), 5)]
)
def test_what_passes_by_itself_says_when_to_try_again(error: Exception, seconds: int) -> None:
    retry = error_details_pb2.RetryInfo()
    assert status_of(error, "ordersaga")[1].details[1].Unpack(retry)
    assert retry.retry_delay.seconds == seconds


def test_an_unknown_error_is_internal_and_keeps_its_text_to_the_log() -> None:
    code, status = status_of(KeyError("secret"), "ordersaga")
    assert code is grpc.StatusCode.INTERNAL
    assert "secret" not in str(status)
    assert "the server's log has it as" in status.message


async def test_a_reason_belongs_to_the_package_of_the_service_that_was_called() -> None:
    async def fail(_: Message, __: Context) -> NoReturn:
        raise NotFound("NO_SUCH_BOOK", "there is no book 7")

    async def stream(request: Message, context: Context) -> AsyncIterator[Message]:
        yield await fail(request, context)

    read, write = Message.FromString, Message.SerializeToString
    methods = {
        "GetBook": grpc.unary_unary_rpc_method_handler(fail, read, write),
        "WatchBook": grpc.unary_stream_rpc_method_handler(stream, read, write),
    }
    books = grpc.method_handlers_generic_handler("library.v1.Books", methods)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Guard(books, Calls(), ALWAYS_OPEN),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    with connect(f"127.0.0.1:{port}") as channel:
        get = channel.unary_unary("/library.v1.Books/GetBook", write, read)
        watch = channel.unary_stream("/library.v1.Books/WatchBook", write, read)
        for call in (lambda: get(Message()), lambda: next(watch(Message()))):
            status = await asyncio.to_thread(refusal, call)
            assert (status.reason, status.domain) == ("NO_SUCH_BOOK", "library")
    await server.stop(None)
