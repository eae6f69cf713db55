"""The machine's shape, and what the interpreter says of its build."""

import platform

import pytest

from bench import machine


def test_the_shape_shows_cores_memory_and_interpreter() -> None:
    shape = machine.machine()
    assert shape["cores"]
    assert int(str(shape["memory_bytes"])) > 0
    assert platform.python_version() in machine.in_a_line(shape)


def test_an_optimisation_among_configures_arguments_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"CONFIG_ARGS": "'--enable-optimizations' '--with-lto'"}
    monkeypatch.setattr("sysconfig.get_config_var", variables.get)
    built = machine.interpreter()
    assert built["profile_guided"] is True
    assert built["link_time"] is True
    assert "profile-guided or not" not in machine.in_a_line(machine.machine())


def test_where_configures_arguments_are_unknown_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_config_var", {"CONFIG_ARGS": "'--enable-shared'"}.get)
    assert machine.interpreter()["profile_guided"] is None
    assert "it does not say" in machine.in_a_line(machine.machine())
