"""The pages that are measured: each filter of the list of sagas is among them, and what was measured has its unit."""

import random
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import QueryParams

from bench.console_mix import Mix
from bench.console_pages import addresses, figures
from bench.stocked import Chunk
from console_svc.app import PAGES
from console_svc.saga_filter import SagaFilter

MIX = Mix(Chunk(range(1, 101), range(7, 9)), range(80, 90), range(90, 95), range(95, 101))
ASKED = addresses(MIX, random.Random(1))  # noqa: S311 - no secret


def test_each_filter_of_sagas_is_asked_for_as_the_console_reads_it() -> None:
    found: set[str] = set()
    for address in ASKED.values():
        parts = urlsplit(address)
        if parts.path == "/sagas" and parts.query:
            wanted = SagaFilter.of(QueryParams(parts.query))
            assert wanted.given.keys() == parse_qs(parts.query).keys(), address
            found |= wanted.given.keys()
    assert found == {"status", "step", "stuck", "retrying", "reason", "age", "user", "id"}


def test_each_page_that_has_an_address_of_its_own_is_asked_for() -> None:
    plain = {page.path for page in PAGES if "{" not in page.path} - {"/bulk"}
    assert plain <= {urlsplit(address).path for address in ASKED.values()}


def test_times_are_told_in_milliseconds() -> None:
    assert figures({"sagas": [0.01] * 19 + [0.4]}) == {"sagas p50 ms": 10.0, "sagas p95 ms": 400.0}
