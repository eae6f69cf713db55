"""What cannot be changed in place is refused before anything is touched, with the commands that do it."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.chart.rendering import objects
from tools.chart_readme import CHART

PROBE = """
{{- range .Values.probe }}
{{- include "osaga.mustFit" (dict "root" $ "part" .part "set" .set "claims" .claims) }}
{{- end }}
"""
"""In the place of what is read from a cluster, which there is none of here."""


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart, to which a test says what the cluster holds."""
    copy = tmp_path_factory.mktemp("chart") / "order-saga"
    shutil.copytree(CHART, copy)
    (copy / "values.schema.json").unlink()
    (copy / "templates" / "probe.yaml").write_text(PROBE)
    return copy


def live(part: str, **values: object) -> dict[str, Any]:
    """Return the StatefulSet of a part as it was installed with ``values``, by their paths."""
    given = {key.replace("__", "."): value for key, value in values.items()}
    return objects(values={f"{part}.{key}": value for key, value in given.items()})["StatefulSet", f"demo-{part}"]


def claims(part: str, count: int, size: str, of: str = "standard") -> list[dict[str, Any]]:
    """Return the claims that are left of a part which was removed."""
    spec = {"resources": {"requests": {"storage": size}}, "storageClassName": of}
    return [{"metadata": {"name": f"data-demo-{part}-{number}"}, "spec": spec} for number in range(count)]


def upgrade(chart: Path, part: str, *options: str, **found: object) -> str:
    """Return why an upgrade is refused where the cluster holds what was ``found``; empty where it is not."""
    probe = chart / "found.yaml"
    probe.write_text(yaml.safe_dump({"probe": [{"part": part, "set": {}, "claims": [], **found}]}))
    command = ["helm", "template", "demo", str(chart), "--namespace", "shop", "--values", str(probe), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert bool(done.returncode) == bool(done.stderr)
    return done.stderr


@pytest.mark.parametrize("part", ["kafka", "postgres"])
def test_what_is_installed_may_be_upgraded_with_the_same_values(chart: Path, part: str) -> None:
    assert upgrade(chart, part, set=live(part)) == ""
    assert upgrade(chart, part, set=live(part), claims=claims(part, 1, "4Gi")) == ""


@pytest.mark.parametrize(
    ("written", "size"), [("1Gi", "1024Mi"), ("1536Mi", "1.5Gi"), ("107374182400m", "0.1Gi"), ("4294967296", "4Gi")]
)
def test_a_size_that_the_cluster_only_writes_otherwise_is_the_same(chart: Path, written: str, size: str) -> None:
    there = live("kafka")
    there["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] = written
    assert upgrade(chart, "kafka", f"--set=kafka.storage.size={size}", set=there) == ""


@pytest.mark.parametrize("part", ["kafka", "postgres"])
@pytest.mark.parametrize("size", ["8Gi", "4097Mi"])
def test_a_larger_volume_is_refused_with_the_commands_that_grow_it(chart: Path, part: str, size: str) -> None:
    text = upgrade(chart, part, f"--set={part}.storage.size={size}", set=live(part))
    assert f"{part}.storage.size={size}: the volumes of demo-{part} have 4Gi" in text
    patch = json.dumps({"spec": {"resources": {"requests": {"storage": size}}}}, separators=(",", ":"))
    assert f"kubectl --namespace shop patch pvc data-demo-{part}-0 --patch '{patch}'" in text
    assert f"kubectl --namespace shop delete statefulset demo-{part} --cascade=orphan" in text
    assert "then this command again" in text


def test_each_node_has_a_volume_to_grow(chart: Path) -> None:
    three = live("kafka", nodes=3)
    text = upgrade(chart, "kafka", "--set=kafka.nodes=3,kafka.storage.size=8Gi", set=three)
    assert text.count("patch pvc data-demo-kafka-") == 3


def test_volumes_that_were_grown_are_taken_once_the_statefulset_is_gone(chart: Path) -> None:
    grown = claims("kafka", 1, "8Gi")
    assert upgrade(chart, "kafka", "--set=kafka.storage.size=8Gi", claims=grown) == ""
    text = upgrade(chart, "kafka", "--set=kafka.storage.size=8Gi", claims=claims("kafka", 1, "4Gi"))
    assert "patch pvc data-demo-kafka-0" in text
    assert "delete statefulset" not in text  # there is none


@pytest.mark.parametrize("found", ["set", "claims"])
def test_a_volume_does_not_shrink(chart: Path, found: str) -> None:
    there = {"set": live("postgres", storage__size="8Gi"), "claims": claims("postgres", 1, "8Gi")}
    text = upgrade(chart, "postgres", **{found: there[found]})
    assert "cannot shrink" in text
    assert "Leave it at 8Gi" in text


@pytest.mark.parametrize("found", ["set", "claims"])
def test_three_nodes_of_kafka_do_not_become_one(chart: Path, found: str) -> None:
    there = {"set": live("kafka", nodes=3), "claims": claims("kafka", 3, "4Gi")}
    text = upgrade(chart, "kafka", "--set=kafka.nodes=1", **{found: there[found]})
    assert "kafka.nodes=1: demo-kafka has 3" in text
    assert "delete pvc --selector app.kubernetes.io/instance=demo,app.kubernetes.io/component=kafka" in text
    assert "delete pod --selector app.kubernetes.io/instance=demo,app.kubernetes.io/component=registry" in text


@pytest.mark.parametrize("found", ["set", "claims"])
def test_one_node_of_kafka_becomes_three(chart: Path, found: str) -> None:
    there = {"set": live("kafka"), "claims": claims("kafka", 1, "4Gi")}
    assert upgrade(chart, "kafka", "--set=kafka.nodes=3", **{found: there[found]}) == ""


def test_one_node_of_an_earlier_version_becomes_three(chart: Path) -> None:
    earlier = live("kafka")
    for one in earlier["spec"]["template"]["spec"]["containers"][0]["env"]:
        if one["name"] == "KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS":
            one |= {"name": "KAFKA_CONTROLLER_QUORUM_VOTERS", "value": "0@demo-kafka-0.demo-kafka-nodes:9093"}
    assert upgrade(chart, "kafka", "--set=kafka.nodes=3", set=earlier) == ""
    assert "demo-kafka has 3" in upgrade(chart, "kafka", "--set=kafka.nodes=1", set=live("kafka", nodes=3))


@pytest.mark.parametrize("changed", ["clear", "issuer"])
def test_nodes_that_could_not_talk_to_the_first_are_not_added_beside_it(chart: Path, changed: str) -> None:
    there = live("kafka")
    more = "--set=kafka.nodes=3"
    if changed == "clear":
        for one in there["spec"]["template"]["spec"]["containers"][0]["env"]:
            if one["name"] == "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP":
                one["value"] = "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT"
    else:
        more += ",tls.issuerRef.name=ours"
    text = upgrade(chart, "kafka", more, set=there)
    assert "kubectl --namespace shop delete statefulset demo-kafka\n" in text
    assert "they change all together" in text


@pytest.mark.parametrize(("nodes", "refused"), [(1, False), (3, True)])
def test_nodes_that_talk_in_the_clear_are_closed_all_together(chart: Path, nodes: int, refused: bool) -> None:
    open_ = live("kafka", nodes=nodes)
    for one in open_["spec"]["template"]["spec"]["containers"][0]["env"]:
        if one["name"] == "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP":
            one["value"] = "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT"  # as the version before had it
    text = upgrade(chart, "kafka", f"--set=kafka.nodes={nodes}", set=open_)
    assert ("kubectl --namespace shop delete statefulset demo-kafka\n" in text) is refused
    assert bool(text) is refused


@pytest.mark.parametrize(("nodes", "refused"), [(1, False), (3, True)])
@pytest.mark.parametrize("others", ["tls.existingSecrets=*-tls", "tls.issuerRef.name=ours"], ids=["given", "issued"])
def test_nodes_whose_certificates_come_from_elsewhere_are_changed_all_together(
    chart: Path, nodes: int, refused: bool, others: str
) -> None:
    text = upgrade(chart, "kafka", f"--set=kafka.nodes={nodes},{others}", set=live("kafka", nodes=nodes))
    assert ("have their certificate from the secret demo-kafka-tls" in text) is refused
    assert ("kubectl --namespace shop delete statefulset demo-kafka\n" in text) is refused
    assert bool(text) is refused
    assert upgrade(chart, "kafka", f"--set=kafka.nodes={nodes},{others}", claims=claims("kafka", nodes, "4Gi")) == ""


def test_a_kafka_that_is_scaled_to_nothing_for_a_while_may_be_upgraded(chart: Path) -> None:
    there = live("kafka", nodes=3)
    there["spec"]["replicas"] = 0
    assert upgrade(chart, "kafka", "--set=kafka.nodes=3", set=there) == ""


@pytest.mark.parametrize(
    ("before", "now", "refused"),
    [("", "fast", True), ("fast", "", True), ("fast", "slow", True), ("fast", "fast", False)],
)
def test_a_volume_does_not_move_to_another_class(chart: Path, before: str, now: str, refused: bool) -> None:
    text = upgrade(
        chart,
        "postgres",
        f"--set=postgres.storage.className={now}",
        set=live("postgres", storage__className=before),
    )
    assert ("cannot move to another class" in text) is refused
    assert bool(text) is refused


def test_volumes_of_the_default_class_are_taken_again_when_it_is_installed_anew(chart: Path) -> None:
    assert upgrade(chart, "kafka", claims=claims("kafka", 1, "4Gi", of="standard")) == ""
    text = upgrade(chart, "kafka", "--set=kafka.storage.className=fast", claims=claims("kafka", 1, "4Gi"))
    assert "the volumes of demo-kafka are of standard," in text


@pytest.mark.parametrize(
    ("image", "refused"),
    [
        ("postgres:18.4", False),
        ("postgres:18-alpine", False),
        ("registry.example:5000/mirror/postgres:18", False),
        ("postgres:19", True),
        ("registry.example:5000/mirror/postgres:17-alpine", True),
        ("postgres:18@sha256:0000", False),
        ("postgres:19@sha256:0000", True),
        ("postgres@sha256:0000", False),  # its version cannot be known
    ],
)
def test_a_postgres_that_does_not_read_the_data_is_refused(chart: Path, image: str, refused: bool) -> None:
    text = upgrade(chart, "postgres", f"--set=postgres.image={image}", set=live("postgres", image="postgres:18"))
    assert ("would begin with empty databases" in text) is refused
    assert bool(text) is refused


def test_where_nothing_is_installed_anything_goes(chart: Path) -> None:
    assert upgrade(chart, "kafka", "--set=kafka.nodes=3,kafka.storage.size=8Gi,kafka.storage.className=fast") == ""
