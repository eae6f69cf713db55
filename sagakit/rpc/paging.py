"""Pages by keyset (AIP-158): a token holds the last key of its page, and belongs to one list with one set of filters.

A page has limits in entries and in bytes, because a gRPC client takes answers of at most 4 MiB by default.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable
from typing import TypeVar

from google.protobuf.message import Message

from sagakit.errors import InvalidArgument, Violation

_DEFAULT_SIZE = 50
_LARGEST_SIZE = 1000
LARGEST_BYTES = 3 * 1024 * 1024
"""Of all entries of one answer; its other fields are small."""

Entry = TypeVar("Entry", bound=Message)


def page_size(asked: int) -> int:
    """Return how many entries the page has at most: as ``asked``, 50 for 0, and never more than 1000."""
    return min(asked or _DEFAULT_SIZE, _LARGEST_SIZE)


def one_page(entries: Iterable[Entry], size: int) -> tuple[list[Entry], bool]:
    """Return the entries of one page, at least one if there are any, and whether entries are left for the next."""
    page: list[Entry] = []
    room = LARGEST_BYTES
    for entry in entries:
        room -= entry.ByteSize()
        if len(page) == size or (page and room < 0):
            return page, True
        page.append(entry)
    return page, False


def next_page_token(listing: str, filters: object, *last: int) -> str:
    """Return the token of the page after the key ``last`` of ``listing``.

    A key is an id, or several numbers where a list is ordered by more; ``filters`` is anything with a stable repr.
    """
    content = json.dumps([_fingerprint(listing, filters), *last], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode()


def last_id(listing: str, filters: object, token: str, field: str = "page_token") -> int | None:
    """Return the id after which the page of ``token`` begins; None for the first page. Raises what `last_key` does."""
    key = last_key(listing, filters, token, 1, field)
    return key[0] if key else None


def last_key(
    listing: str, filters: object, token: str, numbers: int, field: str = "page_token"
) -> tuple[int, ...] | None:
    """Return the key, of so many ``numbers``, after which the page of ``token`` begins; None for the first page.

    ``field`` is the request's field that holds the token.

    Raises:
        InvalidArgument: the token is not one of this list with these filters.
    """
    if not token:
        return None
    try:
        fingerprint, *last = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError):
        fingerprint, last = None, []
    is_key = len(last) == numbers and all(type(one) is int and 0 <= one < 2**63 for one in last)
    if fingerprint != _fingerprint(listing, filters) or not is_key:
        text = "must be the next_page_token of an earlier answer to the same request with the same filters"
        raise InvalidArgument(Violation(field, text))
    return tuple(last)


def _fingerprint(listing: str, filters: object) -> str:
    return hashlib.sha256(f"{listing} {filters!r}".encode()).hexdigest()[:16]
