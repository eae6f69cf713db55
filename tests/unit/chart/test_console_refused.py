"""What the chart refuses of the console: what opens it to anyone, and ways in by which nobody would come."""

import pytest

from tests.unit.chart.rendering import TOKENS, objects, template

PUBLIC = "console.publicUrl=https://console.shop"
CALLERS = "console.callers[0].namespaceSelector.matchLabels.at=ingress"
SIGN_IN = "console.oidc.issuer=https://issuer.example,console.oidc.clientId=console"
AT_THE_ISSUER = "console.oidc.existingSecret=at-the-issuer"
JWT = ",".join(f"{name}={value}" for name, value in TOKENS.items())
OF_ANYONE = {
    "console.service.type=NodePort": "console.service.type is NodePort, by which others reach the console",
    PUBLIC: "console.publicUrl has no place beside auth.mode=none",
    CALLERS: "console.callers has no place beside auth.mode=none",
    SIGN_IN: "console.oidc.issuer has no place beside auth.mode=none",
}
OF_NOBODY = {
    "console.service.type=LoadBalancer": "console.service.type is LoadBalancer, and console.publicUrl is empty",
    f"console.service.type=NodePort,{CALLERS}": "console.service.type is NodePort, and console.publicUrl is empty",
    "console.service.type=NodePort,networkPolicies.enabled=false": "Set console.publicUrl to the address",
    CALLERS: "console.callers lets others in, and console.publicUrl is empty",
    PUBLIC: "console.publicUrl is https://console.shop, and console.callers lets nobody in",
    f"{PUBLIC},console.service.type=LoadBalancer": "console.callers lets nobody in: name there who may reach",
    f"{PUBLIC},{CALLERS},networkPolicies.enabled=false": "console.callers keeps nobody out",
    "console.oidc.issuer=https://issuer.example": "console.oidc.clientId must be given together",
    AT_THE_ISSUER: "console.oidc.existingSecret holds the console's secret at an issuer",
}


@pytest.mark.parametrize("values", OF_ANYONE)
def test_nothing_opens_a_console_at_which_nobody_signs_in(values: str) -> None:
    done = template("--set", values)
    assert done.returncode != 0
    assert OF_ANYONE[values] in done.stderr
    assert "auth.mode" in done.stderr


@pytest.mark.parametrize("values", OF_NOBODY)
def test_what_would_let_nobody_in_is_refused_with_what_is_missing(values: str) -> None:
    done = template("--set", f"{JWT},{values}")
    assert done.returncode != 0
    assert OF_NOBODY[values] in done.stderr


@pytest.mark.parametrize(
    "values",
    [f"{PUBLIC},{CALLERS},{SIGN_IN},{AT_THE_ISSUER}", f"{PUBLIC},networkPolicies.enabled=false", SIGN_IN],
    ids=["whole", "without-policies", "by-a-forwarded-port"],
)
def test_ways_in_that_are_whole_are_taken(values: str) -> None:
    assert ("Deployment", "demo-console") in objects("--set", f"{JWT},{values}")


@pytest.mark.parametrize("values", [*OF_ANYONE, AT_THE_ISSUER])
def test_values_of_a_console_that_is_not_there_stop_nobody(values: str) -> None:
    assert template("--set", f"console.enabled=false,{values}").returncode == 0
