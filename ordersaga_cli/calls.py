"""gRPC calls: channels, and one sentence for each failure that says what to do next."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar, cast

import click
import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from ordersaga.delivery.v1.delivery_pb2_grpc import DeliveryServiceStub
from ordersaga.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub
from ordersaga.order.v1.order_pb2_grpc import OrderServiceStub
from ordersaga.product.v1.product_pb2_grpc import ProductServiceStub
from ordersaga_client import TokenError, token_from_environment, token_in_file, with_token

from ordersaga_cli.line import Failed
from ordersaga_cli.places import (
    DELIVERY_SVC,
    ORCHESTRATOR_SVC,
    ORDER_SVC,
    PRODUCT_SVC,
    Place,
    lent_token,
    secured,
    token_file,
)
from ordersaga_cli.settings import read
from sagakit.rpc.call_settings import CallSettings
from sagakit.runtime.settings import is_loopback, listen

Answer = TypeVar("Answer")
Stub = TypeVar("Stub")
CALL_SECONDS = 10.0
_AWAY_SECONDS = 60.0
"""For how long a watch waits for a service that has gone away."""
_AGAIN_SECONDS = 1.0
_IN_DOUBT = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INTERNAL}
"""Failures after which a call that was sent may have been carried out, or not."""
_TLS_CAUSES = {
    "CERTIFICATE_VERIFY_FAILED": "its certificate is of no authority in GRPC_TLS_CA",
    "Hostname Verification Check failed": "its certificate is for another name",
    "WRONG_VERSION_NUMBER": "it does not speak TLS, and GRPC_TLS_CA is set",
    "Socket closed": "it closes the connection; it may want TLS (GRPC_TLS_CA), or a certificate of yours"
    " (GRPC_TLS_CERTIFICATE, GRPC_TLS_KEY)",
}
"""What a connection that fails means, by what gRPC says of it."""
_NEXT = {
    "ORDER_NOT_FOUND": "`ordersaga order list` shows those there are",
    "SAGA_NOT_FOUND": "`ordersaga saga list` shows those there are",
    "REQUEST_ID_REUSED": "take another --request-id, or repeat the first request as it was",
    "PRODUCT_NOT_FOUND": "`ordersaga product list` shows those there are",
    "DELIVERY_NOT_FOUND": "`ordersaga delivery list` shows those there are",
    "TOO_LATE": "`ordersaga saga show` shows how far it is",
    "UNAVAILABLE": "try again in a moment",
    "TOKEN_MISSING": "set ORDERSAGA_TOKEN or give --token-file",
    "TOKEN_EXPIRED": "set ORDERSAGA_TOKEN or give --token-file",
    "TOKEN_INVALID": "it must be of the services' issuer and for their audience",
    "SCOPE_MISSING": "ask its issuer for that scope",
}


def order_service(address: str) -> AbstractContextManager[OrderServiceStub]:
    """Open order_svc's API.

    Raises:
        Failed: a call inside does not succeed.
    """
    return _opened(ORDER_SVC, address, OrderServiceStub)


def orchestrator(address: str) -> AbstractContextManager[OrchestratorServiceStub]:
    """Open orchestrator_svc's API.

    Raises:
        Failed: a call inside does not succeed.
    """
    return _opened(ORCHESTRATOR_SVC, address, OrchestratorServiceStub)


def product_service(address: str) -> AbstractContextManager[ProductServiceStub]:
    """Open product_svc's API.

    Raises:
        Failed: a call inside does not succeed.
    """
    return _opened(PRODUCT_SVC, address, ProductServiceStub)


def delivery_service(address: str) -> AbstractContextManager[DeliveryServiceStub]:
    """Open delivery_svc's API.

    Raises:
        Failed: a call inside does not succeed.
    """
    return _opened(DELIVERY_SVC, address, DeliveryServiceStub)


@contextmanager
def _opened(place: Place, address: str, stub: Callable[[grpc.Channel], Stub]) -> Iterator[Stub]:
    with _channel(place, address) as channel, failing_in_words(place, address):
        yield stub(channel)


@contextmanager
def saying_what_became(undone: str, in_doubt: str) -> Iterator[None]:
    """Let a call that changes something, where it fails, say whether it may have done so.

    Args:
        undone: what is then known not to be, such as "no order was placed".
        in_doubt: what to do where nobody knows.

    Raises:
        Failed: the call has failed.
    """
    try:
        yield
    except Failed as failed:
        if not was_sent(failed.__cause__):
            raise Failed(f"{failed.message} (nothing was sent, so {undone}; it may be repeated)") from failed.__cause__
        if code_of(failed.__cause__) in _IN_DOUBT:
            raise Failed(f"{failed.message} (it may have been done: {in_doubt})") from failed.__cause__
        raise


@contextmanager
def failing_in_words(place: Place, address: str) -> Iterator[None]:
    """Turn a failed call of ``place`` into a `Failed` with one sentence."""
    try:
        yield
    except TokenError as error:
        raise Failed(str(error)) from error
    except grpc.RpcError as error:
        raise Failed(_sentence(cast("grpc.Call", error), place, address)) from error


def renewed(place: Place, stream: Callable[[], Iterator[Answer]]) -> Iterator[Answer]:
    """Yield what ``stream`` does, and begin it again where its token has expired meanwhile, or ``place`` is restarted.

    That is said, and tried for a minute. A stream that never began is not begun again.

    Raises:
        grpc.RpcError: it ends otherwise, or there is no other token.
    """
    began, away_since = False, 0.0
    while True:
        read = False
        try:
            for answer in stream():
                read = began = True
                yield answer
        except grpc.RpcError as error:
            if read and reason_of(error) == "TOKEN_EXPIRED":
                continue
            if not began or code_of(error) is not grpc.StatusCode.UNAVAILABLE:
                raise
            if read:
                away_since = time.monotonic()
                click.echo(f"{place.name} has gone away: asking it again for {_AWAY_SECONDS:.0f} s", err=True)
            if time.monotonic() - away_since >= _AWAY_SECONDS:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return


def reason_of(error: grpc.RpcError) -> str:
    """Return the service's reason for a failed call, or the status where it gave none."""
    call = cast("grpc.Call", error)
    return _info(call) or call.code().name


def code_of(error: BaseException | None) -> grpc.StatusCode | None:
    """Return the status of a failed call; None for another error."""
    return cast("grpc.Call", error).code() if isinstance(error, grpc.RpcError) else None


def text_of(error: grpc.RpcError) -> str:
    """Return the service's own words about a failed call."""
    return cast("grpc.Call", error).details() or ""


def was_sent(error: BaseException | None) -> bool:
    """Say whether a failed call may have reached its service; it has not where there never was a connection."""
    if not isinstance(error, grpc.RpcError):
        return True
    call = cast("grpc.Call", error)
    return not (call.code() is grpc.StatusCode.UNAVAILABLE and not _info(call) and _has_no_connection(call))


def _has_no_connection(error: grpc.Call) -> bool:
    return (error.details() or "").startswith("failed to connect")  # gRPC's own words


def _sentence(error: grpc.Call, place: Place, address: str) -> str:
    code, reason, text = error.code(), _info(error), error.details() or ""
    if code is grpc.StatusCode.UNAVAILABLE and not reason:
        for sign, cause in _TLS_CAUSES.items():
            if sign in text and _has_no_connection(error):
                return f"{place.name} cannot be reached at {address}: {cause}"
        if _has_no_connection(error):
            return f"{place.name} cannot be reached at {address}; {place.how_to_set()}"
        return (
            f"{place.name} at {address} ended the connection before it had answered; `ordersaga status` says how it is"
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return (
            f"{place.name} at {address} did not answer in {CALL_SECONDS:.0f} s; see whether it is ready, then ask again"
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return f"{place.name} at {address} does not know this call; it is older than this command line: upgrade it"
    what_next = "" if text.endswith("try again") else _NEXT.get(reason, "")
    return f"{text} ({reason or code.name})" + (f"; {what_next}" if what_next else "")


def _info(error: grpc.Call) -> str:
    info = error_details_pb2.ErrorInfo()
    try:
        status = rpc_status.from_call(error)
    except ValueError:  # details that contradict the call
        return ""
    return info.reason if status and any(detail.Unpack(info) for detail in status.details) else ""


def _channel(place: Place, address: str) -> grpc.Channel:
    """Open a channel: with TLS where ``GRPC_TLS_CA`` names the authority's certificate, else in clear text.

    The stack that runs on this machine has an authority of its own, where it is closed. Calls carry a token, where
    there is one.

    Raises:
        Failed: a token would travel in clear text to another machine, or a setting is bad.
    """
    try:
        lent = lent_token(place, address)
        token = token_from_environment(token_file()) or (token_in_file(str(lent)) if lent else None)
    except TokenError as error:
        raise Failed(str(error)) from error
    here = _is_here(address)
    options = [("grpc.max_reconnect_backoff_ms", int(_AGAIN_SECONDS * 1000))]
    if here:
        options.append(("grpc.enable_http_proxy", 0))
    credentials = read(CallSettings, secured(place, address)).credentials()
    if credentials is not None:
        return with_token(grpc.secure_channel(address, credentials, options=options), token)
    if token and not here:
        raise Failed(
            f"no token is sent to {address} in clear text: name the authority of its certificate by GRPC_TLS_CA"
        )
    return with_token(grpc.insecure_channel(address, options=options), token)


def _is_here(address: str) -> bool:
    """Say whether ``address`` is this machine's alone; not where gRPC may read it otherwise, as ``::1:5005``."""
    try:
        return is_loopback(listen(address).host)
    except ValueError:
        return False
