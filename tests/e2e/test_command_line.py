"""The command line on the running stack: orders, sagas, dead letters, topics, schemas."""

import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from ordersaga.messages import RECORDS, DecreaseProductCommand

from devstack.layout import ROOT
from devstack.security import DEPLOYER
from devstack.services import NAMES
from devstack.stack import Stack
from tests.support.declared import STEPS, TOPICS
from tests.support.kafka import send
from tests.support.line import NOWHERE, Line
from tests.support.registry import encode
from tests.support.shop import PRICE, Shop
from tests.support.wait import eventually


@pytest.fixture
def line(stack: Stack) -> Line:
    return Line(stack)


@pytest.fixture
def deployer(stack: Stack) -> Line:
    """The only one who may register schemas, where not everybody may."""
    return Line(stack, DEPLOYER)


def create(product: int, *more: object) -> list[object]:
    return ["order", "create", "--user", 1, "--product", product, "--price", PRICE, *more]


def test_an_order_is_placed_and_watched_to_its_end(line: Line, shop: Shop) -> None:
    placed = line(*create(shop.product(), "--quantity", 2, "--watch"))
    assert placed.code == 0
    assert re.search(r"order \d+  PENDING$", placed.lines[0])
    assert re.search(r"order \d+  COMPLETED$", placed.lines[-1])


def test_an_order_that_is_refused_ends_with_1_and_says_why(line: Line, shop: Shop) -> None:
    placed = line(*create(shop.product(stock=0), "--watch", "--json"))
    last = placed.jsons[-1]["order"]
    assert (placed.code, last["status"], last["cancel_reason"]) == (1, "ORDER_STATUS_CANCELLED", "OUT_OF_STOCK")


def test_one_request_id_is_one_order(line: Line, shop: Shop) -> None:
    product, request_id = shop.product(), str(uuid.uuid4())
    ids = {line(*create(product, "--request-id", request_id, "--json")).json["order"]["order_id"] for _ in "12"}
    assert len(ids) == 1
    reused = line(*create(product, "--request-id", request_id, "--quantity", 9))
    assert reused.code == 1
    assert "REQUEST_ID_REUSED" in reused.err


def test_what_was_placed_can_be_read_listed_and_its_saga_followed(line: Line, shop: Shop) -> None:
    order = shop.final(shop.place(shop.product(), address="PO Box 42"))
    assert line("order", "get", order.order_id, "--json").json["order"]["cancel_reason"] == "UNDELIVERABLE_ADDRESS"
    assert f"{order.order_id} " in line("order", "list", "--status", "CANCELLED").out
    shown, done = line("saga", "show", order.order_id), STEPS.index("create-delivery")
    assert re.search(r"status +COMPENSATED, because UNDELIVERABLE_ADDRESS", shown.out)
    assert [word for word in re.findall(r"[A-Z_]{6,}", shown.out) if "STEP" in word] == [
        *["STEP_DONE"] * done, "STEP_REFUSED", *["STEP_UNDONE"] * done,
    ]  # fmt: skip
    listed = line("saga", "list", "--status", "COMPENSATED", "--json").json["sagas"]
    assert str(order.order_id) in {saga["order_id"] for saga in listed}
    assert line("saga", "list", "--stuck", "--older-than", "1d").out.startswith("order ")


def test_as_a_program_it_finds_the_stack_by_its_state_file(stack: Stack, shop: Shop) -> None:
    order = shop.final(shop.place(shop.product()))
    environment = {**os.environ, **NOWHERE, "DEVSTACK_DATA": str(stack.kafka.log.parents[1])}
    for arguments in (["order", "get", str(order.order_id)], ["topics"], ["schemas", "check", "schemas"]):
        command = [sys.executable, "-m", "ordersaga_cli", *arguments]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout


def test_topics_show_their_messages_and_each_groups_lag(line: Line, shop: Shop) -> None:
    shop.final(shop.place(shop.product()))

    def all_handled() -> None:
        topics = {topic["topic"]: topic for topic in line("topics", "--json").json["topics"]}
        assert len(topics) == len(TOPICS) + len(NAMES)
        assert topics["order-created"]["partitions"] == 6
        assert topics["order-created"]["messages"] >= 1
        assert topics["order-created"]["groups"] == [{"group": "orchestrator_svc", "lag": 0}]

    eventually(all_handled, 30)


def parked(line: Line, group: str, count: int) -> list[dict[str, Any]]:
    """Return a group's dead letters, once there are so many."""

    def look() -> list[dict[str, Any]]:
        letters: list[dict[str, str]] = line("dlq", "list", group, "--json").json["letters"]
        assert len(letters) == count
        return letters

    return eventually(look, 40, every=0.5)


@pytest.fixture
def emptied(line: Line) -> None:
    """Drop what other tests have left in product_svc's dead letters."""
    keys = [letter["key"] for letter in line("dlq", "list", "product_svc", "--json").json["letters"]]
    if keys:
        assert line("dlq", "drop", "product_svc", *keys).code == 0


@pytest.mark.usefixtures("emptied")
def test_a_dead_letter_is_listed_shown_decoded_replayed_and_dropped(line: Line, stack: Stack) -> None:
    encoded = encode(stack.registry_url, DecreaseProductCommand(order_id=2**60, product_id=1, quantity=2, price=3))
    send(stack.bootstrap, encoded.topic, b"another key", encoded.value, dict(encoded.headers))
    (letter,) = parked(line, "product_svc", 1)
    assert (letter["reason"], letter["round"], letter["source_key"]) == ("BAD_KEY", 1, "another key")
    assert letter["key"] in line("dlq", "list").out
    shown = line("dlq", "show", "product_svc", letter["key"], "--json").json
    assert shown["value"] == {"order_id": 2**60, "product_id": 1, "quantity": 2, "price": 3}
    assert shown["schema"] == "ordersaga.messages.DecreaseProductCommand"
    assert {header["name"] for header in shown["headers"]} == {
        "message-id",
        "message-type",
        "schema-fingerprint",
        "traceparent",
    }
    assert f'value       {{"order_id": {2**60}' in line("dlq", "show", "product_svc", letter["key"]).out
    replayed = line("dlq", "replay", "product_svc", letter["key"], "--wait", 60)
    assert replayed.code == 1
    (again,) = parked(line, "product_svc", 1)
    assert replayed.lines == [f"{letter['key']}: sent again as {again['key']}, parked again, BAD_KEY, round 2"]
    assert (again["round"], again["partition"]) == (2, letter["partition"])
    assert line("dlq", "drop", "product_svc", again["key"], letter["key"]).lines[0] == f"{again['key']}: dropped"
    assert parked(line, "product_svc", 0) == []


@pytest.mark.usefixtures("emptied")
def test_letters_are_replayed_by_reason_each_with_its_result(line: Line, stack: Stack) -> None:
    for _ in range(3):
        send(stack.bootstrap, "decrease-product-command", b"7", b"rubbish")
    send(stack.bootstrap, "decrease-product-command", b"7", None, {"message-type": b"x"})
    letters = parked(line, "product_svc", 4)
    rubbish = [letter["key"] for letter in letters if letter["reason"] == "NO_MESSAGE_TYPE"]
    result = line("dlq", "replay", "product_svc", "--reason", "NO_MESSAGE_TYPE", "--yes", "--wait", 60, "--json")
    found = result.json["results"]
    assert [one["key"] for one in found] == rubbish
    assert {(one["state"], one["reason"], one["round"]) for one in found} == {("parked", "NO_MESSAGE_TYPE", 2)}
    assert sorted(letter["round"] for letter in parked(line, "product_svc", 4)) == [1, 2, 2, 2]
    assert line("dlq", "replay", "product_svc", "--all", "--wait", 0).code == 2  # nobody can be asked
    assert line("dlq", "replay", "product_svc", "--all", "--yes", "--wait", 0).code == 0
    rounds = parked(line, "product_svc", 4)
    assert sorted(letter["round"] for letter in rounds) == [2, 3, 3, 3]


@pytest.mark.parametrize("arguments", [["nope"], ["--all", "nope"], ["--all", "--reason", "X"], []])
def test_a_replay_of_nothing_fails(line: Line, arguments: list[str]) -> None:
    result = line("dlq", "replay", "product_svc", *arguments)
    assert result.code == (1 if arguments == ["nope"] else 2)


def test_schemas_that_are_registered_pass_the_check(line: Line) -> None:
    found = line("schemas", "check", "schemas", "--json")
    assert found.code == 0
    assert {schema["state"] for schema in found.json["schemas"]} == {"registered"}
    assert len(found.json["schemas"]) == len(RECORDS)


class Contracts:
    """A folder with one record on a topic that nobody else has."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.topic = folder, f"scratch-{uuid.uuid4().hex[:12]}"
        self.subject = f"{self.topic}-scratch.Thing"
        (folder / self.topic).mkdir()
        self.has({"name": "number", "type": "long"})

    def has(self, *fields: dict[str, object]) -> None:
        record = {"type": "record", "namespace": "scratch", "name": "Thing", "fields": fields}
        (self.folder / self.topic / "Thing.avsc").write_text(json.dumps(record))


def test_a_schema_is_new_until_it_is_registered(deployer: Line, tmp_path: Path) -> None:
    contracts = Contracts(tmp_path)
    (before,) = deployer("schemas", "check", tmp_path, "--json").json["schemas"]
    assert (before["subject"], before["state"], before["reason"]) == (contracts.subject, "new", "the first version")
    (after,) = deployer("schemas", "register", tmp_path, "--json").json["schemas"]
    assert (after["state"], after["version"]) == ("registered", 1)
    contracts.has({"name": "number", "type": "long"}, {"name": "colour", "type": "string", "default": ""})
    compatible = deployer("schemas", "check", tmp_path)
    assert compatible.code == 0
    assert re.search(r"new +compatible with version 1$", compatible.out, re.MULTILINE)
    (second,) = deployer("schemas", "register", tmp_path, "--json").json["schemas"]
    assert (second["state"], second["version"]) == ("registered", 2)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (
            [{"name": "number", "type": "long"}, {"name": "colour", "type": "string"}],
            "the new field colour has no default",
        ),
        ([{"name": "colour", "type": "string", "default": ""}], "the field number, which is gone, had no default"),
        ([{"name": "number", "type": "string"}], 'the field number was "long" and is "string"'),
    ],
    ids=["new", "gone", "changed"],
)
def test_an_incompatible_schema_is_shown_with_the_reason_and_not_registered(
    deployer: Line, tmp_path: Path, fields: list[dict[str, object]], why: str
) -> None:
    contracts = Contracts(tmp_path)
    assert deployer("schemas", "register", tmp_path).code == 0
    contracts.has(*fields)
    for command in ("check", "register"):
        found = deployer("schemas", command, tmp_path, "--json")
        (schema,) = found.json["schemas"]
        assert (found.code, schema["state"], schema["reason"]) == (1, "incompatible", f"with version 1: {why}")
