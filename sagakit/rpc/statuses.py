"""The gRPC status of every error, by its family, with details for programs (AIP-193)."""

import uuid

import grpc
from google.protobuf.any import pack
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from sagakit.errors import (
    AlreadyExists,
    Denied,
    Exhausted,
    InvalidArgument,
    NotFound,
    Refused,
    Unauthenticated,
    Unavailable,
)
from sagakit.families import Family, family_of, passes
from sagakit.runtime.logs import logger, one_line

log = logger("rpc")

_RETRY = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=1))
_CODES: tuple[tuple[type[Refused], grpc.StatusCode], ...] = (
    (InvalidArgument, grpc.StatusCode.INVALID_ARGUMENT),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (AlreadyExists, grpc.StatusCode.ALREADY_EXISTS),
    (Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (Denied, grpc.StatusCode.PERMISSION_DENIED),
    (Refused, grpc.StatusCode.FAILED_PRECONDITION),
)

CODES = [code.name for _, code in _CODES] + [
    code.name
    for code in (
        grpc.StatusCode.OK,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
    )
]
"""The names of the codes that a call can end with here."""


def status_of(error: Exception, domain: str) -> tuple[grpc.StatusCode, Status]:
    """Return the gRPC status for ``error``, with its ``google.rpc`` details.

    ``domain`` names the owner of the reasons, as in ``google.rpc.ErrorInfo``.

    A value that the database refuses is INVALID_ARGUMENT, though our own checks should have refused it. An unforeseen
    error is INTERNAL. Both are logged under an id, and the client gets the id alone.
    """
    code, text, details = _answer(error, domain)
    status = Status(code=code.value[0], message=text)
    status.details.extend(pack(detail) for detail in details)
    return code, status


def _answer(error: Exception, domain: str) -> tuple[grpc.StatusCode, str, list[Message]]:
    if isinstance(error, Refused):
        code = next(code for family, code in _CODES if isinstance(error, family))
        details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=domain)]
        if isinstance(error, InvalidArgument):
            fields = [error_details_pb2.BadRequest.FieldViolation(field=f, description=d) for f, d in error.violations]
            details.append(error_details_pb2.BadRequest(field_violations=fields))
        return code, str(error), details
    if isinstance(error, Exhausted):  # not logged for each call: whatever is full logs that itself
        delay = Duration()
        delay.FromNanoseconds(round(error.retry_seconds * 1e9))
        info = error_details_pb2.ErrorInfo(reason=error.reason, domain=domain)
        details = [info, error_details_pb2.RetryInfo(retry_delay=delay)]
        return grpc.StatusCode.RESOURCE_EXHAUSTED, str(error), details
    if passes(error):
        log.warning("call refused for now", error=one_line(error))
        text = str(error) if isinstance(error, Unavailable) else "the database cannot do this now; try again"
        info = error_details_pb2.ErrorInfo(reason="UNAVAILABLE", domain=domain)
        return grpc.StatusCode.UNAVAILABLE, text, [info, _RETRY]
    error_id = uuid.uuid4().hex[:12]
    log.error("call failed", error_id=error_id, exc_info=error)
    if family_of(error) is Family.DATA:
        info = error_details_pb2.ErrorInfo(reason="UNSTORABLE", domain=domain)
        text = f"a value cannot be stored; the server's log has it as {error_id}"
        return grpc.StatusCode.INVALID_ARGUMENT, text, [info]
    return grpc.StatusCode.INTERNAL, f"internal error; the server's log has it as {error_id}", []
