"""What is downloaded is pinned: what it is, how large, and from which coordinate."""

import re

from devstack.downloads import locked


def test_every_download_is_pinned_by_checksum_size_and_version() -> None:
    for download in locked():
        assert re.fullmatch(r"[0-9a-f]{64}", download.sha256), download
        assert download.size > 0
        assert re.fullmatch(r"[\w.-]+:[\w.-]+:[\w.-]+:(jar|tar\.gz)(:all|:slim)?", download.coordinate), download


def test_kafka_s_clients_are_of_kafka_s_own_version() -> None:
    versions = {d.coordinate.split(":")[2] for d in locked() if d.coordinate.startswith("org.apache.kafka:")}
    assert versions == {"4.4.0"}
