"""Objects of the user's own: each is a template, and none leads others to services that serve anyone."""

import json

import pytest

from tests.unit.chart.rendering import TOKENS, objects, template


def test_one_is_a_template_as_a_map_or_as_text() -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-text'}\n"
    kept = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-map"}}
    found = objects(values={"extraObjects": [text, kept]})
    assert {("ConfigMap", "demo-text"), ("ConfigMap", "demo-map")} <= found.keys()


def test_a_text_may_hold_several_or_none() -> None:
    one, another = (f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n" for name in "ab")
    both = f"---\n{one}--- # and\n{another}"
    none = "{{ if false }}\napiVersion: v1\n{{ end }}"
    assert objects(values={"extraObjects": [both, none]}).keys() - objects().keys() == {
        ("ConfigMap", "a"),
        ("ConfigMap", "b"),
    }


NO_OBJECTS = {
    "a-list": {"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Ingress"}]},
    "no-kind": {"apiVersion": "v1", "metadata": {"name": "x"}},
    "no-name": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": None},
    "no-yaml": "not: [valid",
    "no-map": "- a\n- b",
}


@pytest.mark.parametrize("case", NO_OBJECTS)
def test_what_is_no_object_is_refused(case: str) -> None:
    refused = template("--set-json=extraObjects=" + json.dumps([NO_OBJECTS[case]]))
    assert refused.returncode != 0
    assert "extraObjects has something that is no object" in refused.stderr


def of(kind: str, **spec: object) -> dict[str, object]:
    """Return an object called ``in``."""
    return {"apiVersion": "x/v1", "kind": kind, "metadata": {"name": "in"}, "spec": spec}


KINDS = (
    "Ingress",
    "GRPCRoute",
    "HTTPRoute",
    "TLSRoute",
    "UDPRoute",
    "Route",
    "IngressRouteTCP",
    "HTTPProxy",
    "Mapping",
)
WAYS_IN = [
    *map(of, KINDS),
    of("Service", type="NodePort"),
    of("Service", type="LoadBalancer"),
    of("Service", externalIPs=["192.0.2.1"]),
]


@pytest.mark.parametrize("way", WAYS_IN, ids=json.dumps)
@pytest.mark.parametrize("behind", [False, True], ids=["alone", "behind-another"])
def test_no_way_in_leads_to_services_that_serve_anyone(way: dict[str, object], *, behind: bool) -> None:
    text = f"{json.dumps(of('ConfigMap'))}\n---\n{json.dumps(way)}\n"
    given = "--set-json=extraObjects=" + json.dumps([text if behind else way])
    refused = template(given)
    assert refused.returncode != 0
    assert f"extraObjects has the {way['kind']} in, by which others may reach the release" in refused.stderr
    assert template(given, *(f"--set={name}={value}" for name, value in TOKENS.items())).returncode == 0
