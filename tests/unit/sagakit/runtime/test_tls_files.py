"""TLS files that change are read again; those that do not fit are not taken."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from sagakit.runtime.tls_files import CurrentTlsFiles, TlsFile, TlsFiles, UnusableFiles, load
from tests.support.certificates import Authority

AUTHORITY = Authority("ours")
BEFORE, AFTER = AUTHORITY.sign("shop.test"), AUTHORITY.sign("shop.test")


def files(folder: Path) -> TlsFiles:
    return TlsFiles(
        TlsFile("CERTIFICATE", str(folder / "tls.crt")),
        TlsFile("KEY", str(folder / "tls.key")),
        TlsFile("CA", str(folder / "ca.crt")),
    )


def counted(outcome: str) -> float:
    labels = {"of": "test", "outcome": outcome}
    return REGISTRY.get_sample_value("sagakit_tls_files_changed_total", labels) or 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    BEFORE.write(tmp_path)
    (tmp_path / "ca.crt").write_bytes(AUTHORITY.certificate)
    return tmp_path


@pytest.fixture
def current(folder: Path) -> CurrentTlsFiles:
    return CurrentTlsFiles(files(folder), "test")


def test_files_that_stay_as_they_are_have_not_changed(folder: Path, current: CurrentTlsFiles) -> None:
    BEFORE.write(folder)
    assert not current.have_changed()


def test_a_new_pair_is_taken_once(folder: Path, current: CurrentTlsFiles) -> None:
    before = counted("taken")
    AFTER.write(folder)
    assert current.have_changed()
    assert (current.contents.certificate, current.contents.key) == (AFTER.certificate, AFTER.key)
    assert not current.have_changed()
    assert counted("taken") == before + 1


def test_a_new_authority_is_taken(folder: Path, current: CurrentTlsFiles) -> None:
    other = Authority("other").certificate
    (folder / "ca.crt").write_bytes(other)
    assert current.have_changed()
    assert current.contents.authority == other


def test_a_folder_that_is_swapped_by_its_link_is_noticed_though_times_stay_as_they_were(tmp_path: Path) -> None:
    for name, pair in (("before", BEFORE), ("after", AFTER)):
        (tmp_path / name).mkdir()
        pair.write(tmp_path / name)
        (tmp_path / name / "ca.crt").write_bytes(AUTHORITY.certificate)
        for file in (tmp_path / name).iterdir():
            os.utime(file, (1_000_000_000, 1_000_000_000))
    link = tmp_path / "..data"
    link.symlink_to("before")
    current = CurrentTlsFiles(files(link), "test")
    (tmp_path / "new").symlink_to("after")
    (tmp_path / "new").rename(link)
    assert current.have_changed()
    assert current.contents.key == AFTER.key


HALVES: dict[str, Callable[[Path], object]] = {
    "the certificate without its key": lambda folder: (folder / "tls.crt").write_bytes(AFTER.certificate),
    "the key without its certificate": lambda folder: (folder / "tls.key").write_bytes(AFTER.key),
    "half of a file": lambda folder: (folder / "tls.key").write_bytes(AFTER.key[:60]),
    "an empty file": lambda folder: (folder / "ca.crt").write_bytes(b""),
    "no file": lambda folder: (folder / "ca.crt").unlink(),
}


@pytest.mark.parametrize("half", HALVES)
def test_what_is_half_written_is_reported_once_and_taken_when_it_is_whole(
    folder: Path, current: CurrentTlsFiles, half: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused, whole = counted("refused"), current.contents
    HALVES[half](folder)
    assert [current.have_changed() for _ in range(3)] == [False] * 3
    assert current.contents == whole
    assert counted("refused") == refused + 1
    assert capsys.readouterr().out.count("changed TLS files do not fit, using those before") == 1
    AFTER.write(folder)
    (folder / "ca.crt").write_bytes(AUTHORITY.certificate)
    assert current.have_changed()
    assert current.contents.key == AFTER.key


def test_files_that_are_put_back_as_they_were_have_not_changed(folder: Path, current: CurrentTlsFiles) -> None:
    (folder / "tls.key").write_bytes(AFTER.key)
    assert not current.have_changed()
    BEFORE.write(folder)
    assert not current.have_changed()


def test_files_that_are_swapped_between_two_looks_at_them_are_looked_at_once_more(
    folder: Path, current: CurrentTlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, read = counted("refused"), Path.read_bytes

    def swapping(path: Path) -> bytes:
        content = read(path)
        if path.name == "tls.crt":
            AFTER.write(folder)
        return content

    monkeypatch.setattr(Path, "read_bytes", swapping)
    (folder / "ca.crt").write_bytes(Authority("other").certificate)
    assert current.have_changed()
    assert current.contents.certificate == AFTER.certificate
    assert counted("refused") == refused


def test_from_the_start_they_have_to_fit(folder: Path) -> None:
    (folder / "tls.key").write_bytes(AFTER.key)
    with pytest.raises(UnusableFiles, match=r"^KEY: is not the key of the first certificate in CERTIFICATE"):
        CurrentTlsFiles(files(folder), "test")


def test_a_pair_of_which_a_half_is_not_given_is_left_out(folder: Path) -> None:
    contents = load(files(folder)._replace(key=TlsFile("KEY", None)))
    assert contents == (None, None, AUTHORITY.certificate)
