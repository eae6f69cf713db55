"""How much of the service one caller may use: a token bucket for calls, and a number of calls and streams at once.

The bucket is kept as one time for each caller, at which it will be full again: the generic cell rate algorithm of
ITU-T I.371 (2004). So a caller who has not called for a while needs no memory.
"""

import ipaddress
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from sagakit.errors import Exhausted

_MOST_CALLERS = 10_000
"""Callers whose buckets are remembered while they are not full; above that, the one silent for longest is forgotten."""
_ROUNDING = 1e-9
"""In seconds: what the sum of many fractions may be off by."""
_MOST_CALLS = 5_000
"""Of one caller under way at once, streams not counted: half of what a server takes. What a slow database makes wait
would otherwise all be one caller's."""
_MOST_LISTS = 100
"""Of one caller under way at once. They wait for the few threads of reads that scan, one behind the other whoever asks;
so thousands of one caller, which his bucket holds, would be in front of everybody else's."""
_IPV6_NETWORK = 64
"""Whoever has one address below such a prefix has all of them (RFC 6177)."""


class _Refusal(NamedTuple):
    """How one more is refused to a caller who has as many as he may."""

    reason: str
    text: str
    retry_seconds: float


_TOO_MANY_CALLS = _Refusal(
    "TOO_MANY_CALLS_OF_ONE_CALLER", "calls under way already; nothing was done, wait until some have ended", 1.0
)
_TOO_MANY_LISTS = _Refusal(
    "TOO_MANY_CALLS_OF_ONE_CALLER", "lists under way already; nothing was done, wait until some have ended", 1.0
)
_TOO_MANY_STREAMS = _Refusal(
    "TOO_MANY_STREAMS", "streams open already; nothing was done, end one, or try again later", 30.0
)


class Quotas:
    """Counts what each caller uses. It is for the event loop alone."""

    def __init__(
        self,
        per_second: float,
        burst: int,
        streams: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        most_calls: int = _MOST_CALLS,
    ) -> None:
        """Allow each caller ``per_second`` tokens, up to ``burst`` at once, and so many open ``streams``.

        Of his other calls ``most_calls`` may be under way at once, and beside them a hundred that list something.
        """
        self._per_token, self._burst, self._most_streams, self._clock = 1 / per_second, burst, streams, clock
        self._full_at: dict[str, float] = {}
        """By caller, in the order of their last calls: when the bucket will be full again, by the monotonic clock."""
        self._streams: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._lists: Counter[str] = Counter()
        self._most_calls = most_calls

    def spend(self, caller: str, tokens: int = 1) -> None:
        """Take ``tokens`` out of the caller's bucket. More than a full bucket's are counted as a full bucket's.

        Raises:
            Exhausted: there are not so many in it; nothing is taken.
        """
        now = self._clock()
        before = max(self._full_at.pop(caller, now), now)
        full_at = before + min(tokens, self._burst) * self._per_token
        late = full_at - now - self._burst * self._per_token
        if late > _ROUNDING:
            self._full_at[caller] = before
            raise Exhausted(
                "TOO_MANY_CALLS_OF_ONE_CALLER",
                f"you may make {1 / self._per_token:g} calls a second, and {self._burst} at once; nothing was done, "
                f"try again in {late:.1f} s",
                retry_seconds=late,
            )
        self._full_at[caller] = full_at
        if len(self._full_at) > _MOST_CALLERS:
            self._forget(now)

    def give_back(self, caller: str, tokens: int) -> None:
        """Put ``tokens`` that were taken back into the caller's bucket."""
        if caller in self._full_at:
            self._full_at[caller] -= min(tokens, self._burst) * self._per_token

    def call(self, caller: str) -> AbstractContextManager[None]:
        """Count a call of ``caller``, one that is no stream and no list, as under way until the block ends.

        Raises:
            Exhausted: at the beginning of the block, as he has too many under way already.
        """
        return _counted(self._calls, caller, self._most_calls, _TOO_MANY_CALLS)

    def list(self, caller: str) -> AbstractContextManager[None]:
        """Count a call of ``caller`` that lists something as under way until the block ends.

        Raises:
            Exhausted: at the beginning of the block, as he has too many under way already.
        """
        return _counted(self._lists, caller, _MOST_LISTS, _TOO_MANY_LISTS)

    def stream(self, caller: str) -> AbstractContextManager[None]:
        """Count a stream of ``caller`` as open until the block ends.

        Raises:
            Exhausted: at the beginning of the block, as he has too many open already.
        """
        return _counted(self._streams, caller, self._most_streams, _TOO_MANY_STREAMS)

    def _forget(self, now: float) -> None:
        """Forget callers whose buckets are full, or else the one who has not called for longest."""
        self._full_at = {caller: full_at for caller, full_at in self._full_at.items() if full_at > now}
        while len(self._full_at) > _MOST_CALLERS:
            del self._full_at[next(iter(self._full_at))]


@contextmanager
def _counted(counter: Counter[str], caller: str, most: int, refusal: _Refusal) -> Iterator[None]:
    """Count one more of ``caller`` until the block ends; refuse it where he has ``most`` already."""
    if counter[caller] >= most:
        text = f"you have {most} {refusal.text}"
        raise Exhausted(refusal.reason, text, retry_seconds=refusal.retry_seconds)
    counter[caller] += 1
    try:
        yield
    finally:
        counter[caller] -= 1
        if not counter[caller]:
            del counter[caller]


def tokens_for(request: Message) -> int:
    """Return what ``request`` takes out of a bucket: one token, or one for each item of its longest list."""
    return max((len(getattr(request, name)) for name in _lists(request.DESCRIPTOR)), default=1) or 1


@lru_cache
def _lists(kind: Descriptor) -> tuple[str, ...]:
    return tuple(field.name for field in kind.fields if field.is_repeated)


@lru_cache(maxsize=_MOST_CALLERS)
def address_of(peer: str) -> str:
    """Return the address in ``peer``, as gRPC names the other end (``ipv4:127.0.0.1:40000``); of IPv6 the /64 network.

    All connections from one address are one caller, and so are all addresses of an IPv6 network.
    """
    kind, _, rest = unquote(peer).partition(":")
    host = rest.rpartition(":")[0].strip("[]").partition("%")[0]
    if kind != "ipv6":
        return host or kind
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, _IPV6_NETWORK), strict=False))
