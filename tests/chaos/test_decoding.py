"""The recorder, like the services, makes nothing of bytes whose schema does not stand under their topic's subject."""

import json
import uuid

from confluent_kafka.schema_registry import Schema
from ordersaga.messages import DecreaseProductCommand

from devstack.stack import Stack
from tests.chaos.recorder_decoding import Decoder
from tests.support.registry import by_a_stranger, encode, registry_client

COMMAND = DecreaseProductCommand(order_id=7, product_id=1, quantity=1, price=1)


def test_a_record_counts_only_where_its_schema_stands_under_a_subject_of_ours(stack: Stack) -> None:
    good = by_a_stranger(encode(stack.registry_url, COMMAND))
    schema = {**json.loads(DecreaseProductCommand.SCHEMA), "doc": "somebody else's"}
    with registry_client(stack.registry_url) as registry:
        other = registry.register_schema(f"scratch-{uuid.uuid4()}", Schema(json.dumps(schema), "AVRO"))
    decoder = Decoder(stack.registry_url)
    headers = {name: value or b"" for name, value in good.headers}
    value = good.value or b""
    kind, _ = decoder.decode(good.topic, good.key, value, headers)
    assert kind == "DecreaseProductCommand"
    assert decoder.decode(good.topic, good.key, b"\0" + other.to_bytes(4, "big") + value[5:], headers) == ("", {})
