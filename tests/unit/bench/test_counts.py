"""What services count by themselves."""

from bench.counts import Counts, per_transaction


def test_what_was_handled_since_is_divided_by_the_transactions_since() -> None:
    before = {"order_svc": Counts(100, 10)}
    assert per_transaction(before, {"order_svc": Counts(400, 20)}) == {"order_svc": 30}


def test_replicas_count_together() -> None:
    before = {"order_svc": Counts(0, 0), "order_svc-2": Counts(10, 10)}
    after = {"order_svc": Counts(90, 1), "order_svc-2": Counts(40, 12)}
    assert per_transaction(before, after) == {"order_svc": 40}


def test_nothing_handled_is_no_division_by_nothing() -> None:
    same = {"order_svc": Counts(5, 5)}
    assert per_transaction(same, same) == {"order_svc": 0}
