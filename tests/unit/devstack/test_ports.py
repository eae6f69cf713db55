"""A port that was free when it was chosen stays with the one who chose it, also while his server is away."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from unittest.mock import patch

import pytest

from devstack.ports import free_port


@pytest.fixture
def neighbour() -> Iterator[ProcessPoolExecutor]:
    """Another process, as the other lane of a run is."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("forkserver")) as process:
        yield process


def chosen(among: range) -> int:
    """Choose a port, where there are only these."""
    with patch("devstack.ports._FREE_PORTS", among):
        return free_port()


def test_a_port_of_another_process_is_not_chosen_though_nothing_listens_there(neighbour: ProcessPoolExecutor) -> None:
    assert neighbour.submit(chosen, range(19_000, 19_001)).result() == 19_000
    assert chosen(range(19_000, 19_002)) == 19_001


def test_a_port_of_this_process_is_not_chosen_again() -> None:
    assert {chosen(range(19_002, 19_004)), chosen(range(19_002, 19_004))} == {19_002, 19_003}


def test_a_port_is_free_again_when_whoever_chose_it_has_ended(neighbour: ProcessPoolExecutor) -> None:
    neighbour.submit(chosen, range(19_004, 19_005)).result()
    neighbour.shutdown()
    assert chosen(range(19_004, 19_005)) == 19_004
