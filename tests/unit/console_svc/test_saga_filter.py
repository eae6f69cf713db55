"""A list's address says what it shows: whatever makes no sense in it is refused, and it can be written again."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from starlette.datastructures import QueryParams

from console_svc.failures import CallFailed
from console_svc.saga_filter import SagaFilter


def test_an_address_is_read_and_written_as_the_same() -> None:
    query = "status=RUNNING&step=create-delivery&stuck=yes&age=10m&reason=OUT_OF_STOCK&user=7"
    wanted = SagaFilter.of(QueryParams(query))
    assert SagaFilter.of(QueryParams(urlsplit(wanted.address()).query)) == wanted
    assert dict(parse_qsl(query)) == wanted.given


@pytest.mark.parametrize(
    "senseless",
    ["status=LOST", "stuck=perhaps", "age=soon", "id=x", "user=-1", "retrying=1", "other=2", "reason=" + "A" * 101],
)
def test_what_makes_no_sense_is_named_and_lets_nothing_pass(senseless: str) -> None:
    with pytest.raises(CallFailed, match=senseless[:60]) as refused:
        SagaFilter.of(QueryParams(f"step=x&{senseless}"))
    assert refused.value.status == 400


def test_what_is_said_twice_is_refused() -> None:
    with pytest.raises(CallFailed, match="status=RUNNING, COMPENSATING"):
        SagaFilter.of(QueryParams("status=RUNNING&status=COMPENSATING"))


def test_what_is_empty_is_not_asked_for() -> None:
    assert SagaFilter.of(QueryParams("status=&stuck=&age=&id=&user=&page=x&rows=1")).address() == "/sagas"


def test_the_list_and_its_count_ask_for_the_same() -> None:
    wanted = SagaFilter.of(QueryParams("status=RUNNING&step=create-delivery&retrying=yes&stuck=no&age=2m&reason=R"))
    listed, counted = wanted.request(50), wanted.proto()
    assert listed is not None
    for field in ("status", "step", "retrying", "stuck", "min_age", "reason"):
        assert getattr(listed, field) == getattr(counted, field), field
    assert listed.HasField("stuck")
    assert counted.HasField("stuck"), "not stuck is something else than any"
    assert listed.min_age.seconds == 120


def test_one_part_of_a_filter_can_be_taken_away() -> None:
    wanted = SagaFilter.of(QueryParams("status=RUNNING&stuck=yes"))
    assert wanted.without("stuck") == "/sagas?status=RUNNING"


def test_rows_that_are_shown_are_asked_for_again_within_the_filter() -> None:
    assert SagaFilter.of(QueryParams("")).among([3, 2]) == [3, 2]
    assert SagaFilter.of(QueryParams("id=2")).among([3, 2]) == [2]
    request = SagaFilter.of(QueryParams("id=2")).request(9, orders=[3, 2])
    assert request is not None
    assert list(request.order_ids) == [2]


def test_where_no_order_is_left_nothing_is_asked_for_rather_than_everything() -> None:
    assert SagaFilter.of(QueryParams("id=5")).request(9, orders=[3, 2]) is None
    assert SagaFilter.of(QueryParams("stuck=yes")).request(9, orders=[]) is None
