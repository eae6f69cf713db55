"""What the console reads from its environment, and what it refuses to start with."""

import pytest
from pydantic import ValidationError

from console_svc.settings import ConsoleSettings
from sagakit.runtime.settings import explained

SERVERS = {"kafka_bootstrap_servers": "127.0.0.1:9092", "schema_registry_url": "http://127.0.0.1:8081"}


def refused(**settings: str) -> str:
    with pytest.raises(ValidationError) as caught:
        ConsoleSettings.model_validate({**SERVERS, **settings})
    return "\n".join(explained(caught.value))


def test_on_one_s_own_machine_only_the_servers_have_to_be_named() -> None:
    read = ConsoleSettings.model_validate(SERVERS)
    assert str(read.console_listen) == "127.0.0.1:8088"
    assert [service.name for service in read.services] == [
        "order_svc",
        "orchestrator_svc",
        "product_svc",
        "delivery_svc",
    ]


def test_a_console_that_others_can_reach_asks_who_they_are_and_knows_its_names() -> None:
    told = refused(console_listen="0.0.0.0:8088")
    assert "AUTH_MODE: must be jwt" in told
    assert "CONSOLE_HOSTS: must name" in told
    read = ConsoleSettings.model_validate(
        {**SERVERS, "console_listen": "0.0.0.0:8088", "auth_mode": "jwt", "console_hosts": "Console.shop, 10.0.0.7"}
    )
    assert read.allowed_hosts == {"console.shop", "10.0.0.7"}


def test_half_of_what_belongs_together_is_refused() -> None:
    assert refused(console_replay_username="replay").startswith("CONSOLE_REPLAY_PASSWORD: must be set too")
    assert refused(console_tls_certificate="tls.crt").startswith("CONSOLE_TLS_KEY: must be set too")


def test_a_secret_that_could_be_guessed_is_refused_and_not_told() -> None:
    short = "open sesame"
    told = refused(console_secret=short)
    assert told == "CONSOLE_SECRET: must have at least 32 characters"


def test_a_trace_s_address_has_a_place_for_its_id() -> None:
    for wrong in ("http://127.0.0.1:9411/", "javascript:alert('{trace_id}')", "http://a/{trace_id}/{other}"):
        assert refused(console_trace_url=wrong).startswith("CONSOLE_TRACE_URL: must be http or https, with {trace_id}")
    right = "https://traces.shop/trace/{trace_id}?light"
    assert ConsoleSettings.model_validate({**SERVERS, "console_trace_url": right}).console_trace_url == right


def test_a_host_with_a_port_would_never_be_called_by_that_and_is_refused() -> None:
    assert "CONSOLE_HOSTS: must name hosts without ports (it has console.shop:8088)" in refused(
        console_hosts="console.shop:8088, ::1, [::1]"
    )
