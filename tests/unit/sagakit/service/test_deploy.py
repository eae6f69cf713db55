"""The topics that a deployment creates from the contracts."""

import pytest

from devstack.services import NAMES
from sagakit.kafka import group_owner
from sagakit.service.deploy import dead_letter_topics_of, main, topics_of
from tools.paths import SCHEMAS
from tools.schemas import read_topics

DAY = 86_400_000


def test_topics_have_as_many_replicas_as_the_contracts_or_the_caller_say() -> None:
    as_it_stands = topics_of(SCHEMAS) + dead_letter_topics_of(SCHEMAS)
    overridden = topics_of(SCHEMAS, replicas=3) + dead_letter_topics_of(SCHEMAS, replicas=3)
    assert {topic.replication_factor for topic in as_it_stands} == {1}
    assert {topic.replication_factor for topic in overridden} == {3}
    assert {(topic.topic, topic.num_partitions) for topic in as_it_stands} == {
        (topic.topic, topic.num_partitions) for topic in overridden
    }


def test_each_group_has_a_topic_for_its_dead_letters() -> None:
    assert {topic.topic for topic in dead_letter_topics_of(SCHEMAS)} == {f"{name}.dlq" for name in NAMES}
    assert {topic.topic for topic in topics_of(SCHEMAS)} == {*read_topics(SCHEMAS), group_owner.TOPIC}


@pytest.mark.parametrize(("days", "kept", "segment"), [(None, 14, 1), (90, 90, 1), (0.5, 0.5, 0.5)])
def test_dead_letters_end_some_days_after_their_parking_whatever_time_their_sender_gives(
    days: float | None, kept: float, segment: float
) -> None:
    for topic in dead_letter_topics_of(SCHEMAS, days=days):
        config = topic.config or {}
        assert config["cleanup.policy"] == "compact,delete"
        assert config["retention.ms"] == str(round(kept * DAY))
        assert config["segment.ms"] == str(round(segment * DAY)), "a letter is late by a segment's time"
        assert config["message.timestamp.type"] == "LogAppendTime"


@pytest.mark.parametrize("days", ["0", "-1", "nan", "inf", "4000", "two"])
def test_a_time_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], days: str
) -> None:
    monkeypatch.setattr("sys.argv", ["deploy", str(SCHEMAS), "--dead-letter-days", days])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "--dead-letter-days" in capsys.readouterr().err
