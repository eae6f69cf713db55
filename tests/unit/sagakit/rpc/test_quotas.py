"""One caller may use so much of a service, whatever others do."""

import pytest

from sagakit.errors import Exhausted
from sagakit.rpc import quotas
from sagakit.rpc.quotas import Quotas, address_of


class Watch:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_full_bucket_is_a_burst_and_then_there_is_a_call_for_each_interval() -> None:
    watch = Watch()
    limited = Quotas(10, 5, 1, watch)
    for _ in range(5):
        limited.spend("ann")
    with pytest.raises(Exhausted) as refused:
        limited.spend("ann")
    assert (refused.value.reason, round(refused.value.retry_seconds, 3)) == ("TOO_MANY_CALLS_OF_ONE_CALLER", 0.1)
    watch.now += 0.1
    limited.spend("ann")
    with pytest.raises(Exhausted):
        limited.spend("ann")


def test_what_is_refused_takes_nothing() -> None:
    watch = Watch()
    limited = Quotas(10, 5, 1, watch)
    limited.spend("ann", 5)
    for _ in range(100):
        with pytest.raises(Exhausted):
            limited.spend("ann")
    watch.now += 0.1
    limited.spend("ann")


def test_a_bucket_holds_no_more_than_a_burst_however_long_its_caller_is_silent() -> None:
    watch = Watch()
    limited = Quotas(10, 5, 1, watch)
    limited.spend("ann")
    watch.now += 3600
    limited.spend("ann", 5)
    with pytest.raises(Exhausted):
        limited.spend("ann")


def test_what_is_given_back_can_be_taken_again_and_is_no_more_than_was_taken() -> None:
    limited = Quotas(10, 5, 1, Watch())
    limited.give_back("ann", 5)
    for taken in (1000, 3):
        limited.spend("ann", taken)
        limited.give_back("ann", taken)
    limited.spend("ann", 5)
    with pytest.raises(Exhausted):
        limited.spend("ann")


def test_callers_have_buckets_of_their_own() -> None:
    limited = Quotas(10, 1, 1, Watch())
    limited.spend("ann")
    limited.spend("bob")
    with pytest.raises(Exhausted):
        limited.spend("ann")


def test_more_than_a_bucket_holds_is_granted_to_a_full_one() -> None:
    watch = Watch()
    limited = Quotas(10, 5, 1, watch)
    limited.spend("ann", 1000)
    with pytest.raises(Exhausted):
        limited.spend("ann")
    watch.now += 0.5
    limited.spend("ann", 1000)


def test_a_retry_after_the_time_that_the_refusal_names_is_granted() -> None:
    watch = Watch()
    limited = Quotas(3, 7, 1, watch)
    limited.spend("ann", 7)
    with pytest.raises(Exhausted) as refused:
        limited.spend("ann", 4)
    watch.now += refused.value.retry_seconds
    limited.spend("ann", 4)


def test_a_crowd_of_callers_takes_bounded_memory_and_those_who_used_up_their_bucket_last_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quotas, "_MOST_CALLERS", 10)
    limited = Quotas(1, 1, 1, Watch())
    for number in range(1000):
        limited.spend(f"caller {number}")
    assert len(limited._full_at) == 10  # noqa: SLF001 - memory is what this is about
    with pytest.raises(Exhausted):
        limited.spend("caller 999")


def test_streams_are_counted_while_they_are_open() -> None:
    limited = Quotas(10, 5, 2, Watch())
    with limited.stream("ann"), limited.stream("ann"):
        with pytest.raises(Exhausted, match="2 streams") as refused, limited.stream("ann"):
            pass
        assert refused.value.reason == "TOO_MANY_STREAMS"
        with limited.stream("bob"):
            pass
    with limited.stream("ann"):
        pass


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:127.0.0.1:40000", "127.0.0.1"),
        ("ipv6:%5B::1%5D:40000", "::/64"),
        ("ipv6:[2001:db8:1:2:3:4:5:6]:40000", "2001:db8:1:2::/64"),
        ("ipv6:%5B2001:db8:1:2:ffff::1%5D:5", "2001:db8:1:2::/64"),
        ("ipv6:%5B::ffff:10.0.0.7%5D:40000", "10.0.0.7"),
        ("ipv6:%5Bfe80::1%25eth0%5D:40000", "fe80::/64"),
        ("unix:", "unix"),
        ("unix:/run/socket", "unix"),
        ("", ""),
    ],
)
def test_a_peer_is_its_address_without_the_port(peer: str, address: str) -> None:
    assert address_of(peer) == address
