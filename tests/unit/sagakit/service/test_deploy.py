"""The topics that a deployment creates from the contracts."""

from devstack.services import NAMES
from sagakit.kafka import group_owner
from sagakit.service.deploy import topics_of
from tools.paths import SCHEMAS
from tools.schemas import read_topics


def test_topics_have_as_many_replicas_as_the_contracts_or_the_caller_say() -> None:
    as_it_stands, overridden = topics_of(SCHEMAS), topics_of(SCHEMAS, replicas=3)
    assert {topic.replication_factor for topic in as_it_stands} == {1}
    assert {topic.replication_factor for topic in overridden} == {3}
    assert {(topic.topic, topic.num_partitions) for topic in as_it_stands} == {
        (topic.topic, topic.num_partitions) for topic in overridden
    }


def test_each_group_has_a_topic_for_its_dead_letters() -> None:
    names = {topic.topic for topic in topics_of(SCHEMAS)}
    assert names == {*read_topics(SCHEMAS), *(f"{name}.dlq" for name in NAMES), group_owner.TOPIC}
