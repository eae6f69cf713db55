"""Sizes of clusters: each part gets the cores that its share of an order's cost comes to."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.sizing import main, medians, predicted, sizes, used

COSTS = {"order_svc": 0.36, "product_svc": 0.06, "delivery_svc": 0.06, "orchestrator_svc": 0.22, "kafka": 0.14}
FIGURES = {
    "completed orders/s": 1000.0,
    **{f"CPU-s/1,000 {name}": cost for name, cost in COSTS.items()},
    "CPU-s/1,000 postgres": 0.16,
    "CPU-s/1,000 the four services": 0.7,
    "CPU-s/1,000 services, Kafka, PostgreSQL": 1.0,
}


def test_each_part_gets_its_cores_and_is_no_busier_than_seven_tenths() -> None:
    found = {size.part: size for size in sizes(FIGURES, 10_000)}
    assert round(found["order_svc"].cores, 2) == 5.14
    assert {name: size.processes for name, size in found.items()} == {
        "order_svc": 6, "product_svc": 1, "delivery_svc": 1, "orchestrator_svc": 4, "kafka": 1, "postgres": 1,
    }  # fmt: skip


def test_kafka_writes_everything_three_times() -> None:
    (kafka,) = [size for size in sizes(FIGURES, 1000) if size.part == "kafka"]
    assert round(kafka.cores, 6) == round(3 * 0.14 / 0.7, 6)


def test_what_stands_for_several_processes_is_not_counted_again() -> None:
    assert round(used(FIGURES), 6) == 1.0


def test_an_order_that_costs_twice_as_much_is_completed_half_as_often() -> None:
    dear = {name: 2 * value for name, value in FIGURES.items()}
    assert round(predicted(FIGURES, dear), 6) == 500


def test_a_round_that_was_disturbed_does_not_count() -> None:
    assert medians([{"a": 1.0}, {"a": 2.0}, {"a": 900.0}]) == {"a": 2.0}


def test_a_service_that_came_after_the_measurement_is_left_out() -> None:
    before = {name: cost for name, cost in FIGURES.items() if not name.endswith("delivery_svc")}
    assert [size.part for size in sizes(before, 1000)] == [
        size.part for size in sizes(FIGURES, 1000) if size.part != "delivery_svc"
    ]


@pytest.mark.parametrize(
    ("document", "said"),
    [({"figures": {}}, "run `make bench` first"), ({"rounds": {"64 callers": [FIGURES]}}, "has no '256 callers'")],
)
def test_a_document_without_what_is_asked_for_is_said_plainly(
    document: Mapping[str, object], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "latest.json"
    path.write_text(json.dumps(document))
    result = CliRunner().invoke(main, [str(path)])
    assert (result.exit_code, said in result.output) == (1, True)
