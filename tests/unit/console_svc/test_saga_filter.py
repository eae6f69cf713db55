"""A list's address says what it shows: whatever makes no sense in it is left out, and it can be written again."""

from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import QueryParams

from console_svc.saga_filter import SagaFilter


def test_an_address_is_read_and_written_as_the_same() -> None:
    query = "status=RUNNING&step=create-delivery&stuck=yes&age=10m&reason=OUT_OF_STOCK&user=7"
    wanted = SagaFilter.of(QueryParams(query))
    assert SagaFilter.of(QueryParams(urlsplit(wanted.address()).query)) == wanted
    assert dict(parse_qsl(query)) == wanted.given


def test_what_makes_no_sense_is_left_out() -> None:
    wanted = SagaFilter.of(QueryParams("status=LOST&stuck=perhaps&age=soon&id=x&user=-1&retrying=1&other=2"))
    assert not wanted
    assert wanted.address() == "/sagas"


def test_the_list_and_its_count_ask_for_the_same() -> None:
    wanted = SagaFilter.of(QueryParams("status=RUNNING&step=create-delivery&retrying=yes&stuck=no&age=2m&reason=R"))
    listed, counted = wanted.request(50), wanted.proto()
    for field in ("status", "step", "retrying", "stuck", "min_age", "reason"):
        assert getattr(listed, field) == getattr(counted, field), field
    assert listed.HasField("stuck")
    assert counted.HasField("stuck"), "not stuck is something else than any"
    assert listed.min_age.seconds == 120


def test_one_part_of_a_filter_can_be_taken_away() -> None:
    wanted = SagaFilter.of(QueryParams("status=RUNNING&stuck=yes"))
    assert wanted.without("stuck") == "/sagas?status=RUNNING"


def test_rows_that_are_shown_are_asked_for_again_within_the_filter() -> None:
    assert list(SagaFilter.of(QueryParams("")).request(9, orders=[3, 2]).order_ids) == [3, 2]
    assert list(SagaFilter.of(QueryParams("id=2")).request(9, orders=[3, 2]).order_ids) == [2]
