"""What went wrong, in sentences that say what to do next."""

from collections.abc import Awaitable
from typing import TypeVar

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

CALL_SECONDS = 5.0
"""How long one call may take."""
_NEXT = {
    "ORDER_NOT_FOUND": "The list of orders shows those there are.",
    "SAGA_NOT_FOUND": "If the order was placed just now, look again in a moment. The list shows those there are.",
    "TOO_LATE": "It is past the point of no return and only goes forward.",
    "SCOPE_MISSING": "Ask the issuer of your token for that scope.",
    "ANOTHER_USER": "Your token lets you see your own orders only; the scope orders:any shows everybody's.",
    "TOO_MANY_CALLS": "Wait a moment, then reload.",
}
AnswerT = TypeVar("AnswerT")
_SIGN_IN = "Sign in again with a token that is good."
_LONGEST_SHOWN = 120


class CallFailed(Exception):
    """A service did not do what it was asked; the text is one sentence or two for people."""

    def __init__(self, sentence: str, code: grpc.StatusCode, reason: str) -> None:
        """Say ``sentence``; programs go by gRPC's ``code`` and the service's ``reason``, empty where it gave none."""
        super().__init__(sentence)
        self.sentence, self.code, self.reason = sentence, code, reason

    @property
    def is_absent(self) -> bool:
        """Whether what was asked for does not exist."""
        return self.code is grpc.StatusCode.NOT_FOUND

    @property
    def is_senseless(self) -> bool:
        """Whether the question makes no sense, so that it is answered so at any time."""
        return self.code is grpc.StatusCode.INVALID_ARGUMENT

    @property
    def is_signed_out(self) -> bool:
        """Whether the token is good no more."""
        return self.code is grpc.StatusCode.UNAUTHENTICATED

    @property
    def status(self) -> int:
        """The HTTP status of a page that cannot be shown for it."""
        return _STATUSES.get(self.code, 502)


_STATUSES = {
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 409,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
}


def senseless(rule: str, name: str, value: str) -> CallFailed:
    """Return the failure of an address in which ``name`` is a ``value`` against the ``rule``."""
    shown = f"{name}={value}" if value else name
    shown = shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}…"
    text = f"This address makes no sense: it has {shown}. {rule}. Nothing is shown, lest it be more than you meant."
    return CallFailed(text, grpc.StatusCode.INVALID_ARGUMENT, "")


async def attempt(call: Awaitable[AnswerT]) -> AnswerT | CallFailed:
    """Return what ``call`` returns, or its failure: one service that is away must not hide what the others say."""
    try:
        return await call
    except CallFailed as error:
        return error


def failure(error: grpc.aio.AioRpcError, service: str, address: str) -> CallFailed:
    """Return the failure of a call of ``service`` at ``address``."""
    code, text, reason = error.code(), error.details() or "", _reason(error)
    return CallFailed(_sentence(code, text, reason, service, address), code, reason)


def _sentence(code: grpc.StatusCode, text: str, reason: str, service: str, address: str) -> str:
    if code is grpc.StatusCode.UNAVAILABLE and not reason:
        return (
            f"{service} cannot be reached at {address}. See whether it runs: make status, make logs SERVICE={service};"
            " on Kubernetes kubectl get pods."
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"{service} did not answer within {CALL_SECONDS:.0f} s. See on the System page whether it is ready."
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return f"{service} does not know this call: it is older than this console. Upgrade it."
    if code is grpc.StatusCode.UNAUTHENTICATED:
        return f"{_as_sentence(text)} {_SIGN_IN}"
    said = _as_sentence(text) or f"{service} failed ({code.name})."
    return " ".join(filter(None, (said, _NEXT.get(reason, ""))))


def _as_sentence(text: str) -> str:
    trimmed = " ".join(text.split()).rstrip(".;,")
    return f"{trimmed[0].upper()}{trimmed[1:]}." if trimmed else ""


def _reason(error: grpc.aio.AioRpcError) -> str:
    info = error_details_pb2.ErrorInfo()
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type] # it only asks for what both kinds of calls have
    except ValueError:  # details that contradict the call
        return ""
    return info.reason if status and any(detail.Unpack(info) for detail in status.details) else ""
