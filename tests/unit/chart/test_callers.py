"""Who may call the services of a release: anyone, which is said, or whoever has a token."""

import pytest

from sagakit.service.settings import ServiceSettings
from tests.unit.chart.rendering import SERVICES, objects, pod_specs, variables

TOKENS = {
    "auth.mode": "jwt",
    "auth.issuer": "https://issuer.example",
    "auth.audience": "the-shop",
    "auth.jwksUrl": "https://issuer.example/keys",
}


@pytest.mark.parametrize("values", [{}, TOKENS], ids=["none", "jwt"])
@pytest.mark.parametrize("service", SERVICES)
def test_the_services_take_the_settings_that_they_get(
    monkeypatch: pytest.MonkeyPatch, service: str, values: dict[str, object]
) -> None:
    (container,) = pod_specs(objects(values=values))[f"demo-{service}"]["containers"]
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    given = {name: value for name, value in variables(container).items() if isinstance(value, str)}
    for name, value in (given | {"DATABASE_URL": "postgresql://u:p@h/d"}).items():
        monkeypatch.setenv(name, value)
    settings = ServiceSettings()  # type: ignore[call-arg] # from the environment
    assert (settings.auth_mode, settings.serves_anyone) == (values.get("auth.mode", "none"), not values)
    assert settings.auth_issuer == values.get("auth.issuer")
