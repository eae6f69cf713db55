"""What is downloaded is pinned: what it is, how large, and from which coordinate."""

import gc
import re
import socket
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack import downloads
from devstack.downloads import Download, locked, zipkin_archive


def test_every_download_is_pinned_by_checksum_size_and_version() -> None:
    for download in locked():
        assert re.fullmatch(r"[0-9a-f]{64}", download.sha256), download
        assert download.size > 0
        assert re.fullmatch(r"[\w.-]+:[\w.-]+:[\w.-]+:(jar|tar\.gz)(:all|:slim)?", download.coordinate), download


def test_kafka_s_clients_are_of_kafka_s_own_version() -> None:
    versions = {d.coordinate.split(":")[2] for d in locked() if d.coordinate.startswith("org.apache.kafka:")}
    assert versions == {"4.4.0"}


def test_the_end_of_a_download_is_told_and_nothing_where_there_was_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    archive, told = tmp_path / "zipkin.jar", list[str]()

    def verified(_: Download, received: Callable[[int], None]) -> Path:
        if not archive.exists():
            archive.touch()
            received(1)
        return archive

    monkeypatch.setattr(downloads, "_verified", verified)
    for _ in range(2):
        assert zipkin_archive(told.append) == archive
    assert told == ["downloading, 0 of 86 MB", "downloaded, 86 MB"]


def test_no_connection_is_left_to_be_closed_in_somebody_else_s_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def verified(_: Download, received: Callable[[int], None]) -> Path:
        kept: list[object] = [
            socket.socket()
        ]  # the resolver does so, where the checksum beside an archive cannot be had
        kept.append(kept)
        received(1)
        return tmp_path / "zipkin.jar"

    monkeypatch.setattr(downloads, "_verified", verified)
    gc.disable()
    try:
        zipkin_archive(lambda _: None)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            gc.collect()
    finally:
        gc.enable()
    assert not [one for one in warned if one.category is ResourceWarning]
