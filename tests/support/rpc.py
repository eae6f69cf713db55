"""What a client gets when a call does not succeed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from tests.support import trust

_OPTIONS: list[tuple[str, object]] = [
    # A test that stops a server wants to know when it is back, not twenty seconds later.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 300),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
]


def connect(address: str) -> grpc.Channel:
    """Open a channel that is quick to reconnect."""
    return trust.channel(address, _OPTIONS)


@dataclass(frozen=True)
class Refusal:
    """A call's failure with its ``google.rpc`` details."""

    code: grpc.StatusCode
    text: str
    reason: str
    domain: str
    """Whose reason it is."""
    fields: list[str]
    """The fields that a BadRequest names."""
    retry_seconds: float | None
    everything: str
    """All that reached the client, for finding what should not."""


def code_of(error: grpc.RpcError) -> grpc.StatusCode:
    """Return a failed call's status."""
    code: grpc.StatusCode = cast("grpc.Call", error).code()
    return code


def refusal(call: Callable[[], object]) -> Refusal:
    """Make a call that is to fail, and return how it failed."""
    try:
        answer = call()
    except grpc.RpcError as error:
        return refusal_of(error)
    msg = f"the call succeeded: {answer}"
    raise AssertionError(msg)


def refusal_of(error: grpc.RpcError) -> Refusal:
    """Return how a call failed."""
    assert isinstance(error, grpc.Call)
    status = rpc_status.from_call(error) or Status()
    everything = f"{error.details()} {error.trailing_metadata()} {status}"
    return _refusal(error.code(), error.details() or "", status, everything)


def refusal_of_aio(error: grpc.aio.AioRpcError) -> Refusal:
    """Return how a call of an event loop failed."""
    packed = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
    status = Status.FromString(packed if isinstance(packed, bytes) else packed.encode())
    return _refusal(error.code(), error.details() or "", status, f"{error.details()} {status}")


def refusal_in(status: Status) -> Refusal:
    """Return how one item of a call failed, from its ``status``."""
    code = next(one for one in grpc.StatusCode if one.value[0] == status.code)
    return _refusal(code, status.message, status, str(status))


def _refusal(code: grpc.StatusCode, text: str, status: Status, everything: str) -> Refusal:
    info, bad, retry = details.ErrorInfo(), details.BadRequest(), details.RetryInfo()
    found = {type(detail) for detail in (info, bad, retry) if _unpack(status.details, detail)}
    return Refusal(
        code=code,
        text=text,
        reason=info.reason,
        domain=info.domain,
        fields=[violation.field for violation in bad.field_violations],
        retry_seconds=retry.retry_delay.ToTimedelta().total_seconds() if details.RetryInfo in found else None,
        everything=everything,
    )


def _unpack(packed: object, detail: Message) -> bool:
    return any(one.Unpack(detail) for one in packed)  # type: ignore[attr-defined] # a repeated Any
