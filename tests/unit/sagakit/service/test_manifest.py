"""What is known of a service from the manifest in its folder."""

import sys
from pathlib import Path

import pytest

from ordersaga_cli.places import ORCHESTRATOR_SVC, ORDER_SVC
from sagakit.service.manifest import found
from sagakit.testing.example import BookHotel
from tools.paths import ROOT

MANIFEST = """
from sagakit.service.manifest import Manifest
from sagakit.testing.example import BookHotel, CancelHotel

MANIFEST = Manifest(
    name="{name}", description="", grpc_port={port}, metrics_port=0, rules="",
    reads=(BookHotel, CancelHotel), writes=(),
)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two services, and one that is none."""
    monkeypatch.syspath_prepend(tmp_path)
    for name, port in (("late_svc", 2), ("early_svc", 1)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.py").write_text(MANIFEST.format(name=name, port=port))
        for module in (name, f"{name}.manifest"):
            monkeypatch.setitem(sys.modules, module, sys)  # so that it is forgotten afterwards
            del sys.modules[module]
    (tmp_path / "tools").mkdir()
    return tmp_path


def test_services_are_found_by_their_manifests_the_lowest_port_first(folder: Path) -> None:
    assert list(found(folder)) == ["early_svc", "late_svc"]


def test_a_service_consumes_each_topic_of_what_it_reads_once(folder: Path) -> None:
    assert found(folder)["early_svc"].topics == (BookHotel.TOPIC,)


def test_a_manifest_that_was_copied_and_not_renamed_is_refused(folder: Path) -> None:
    (folder / "late_svc" / "manifest.py").write_text(MANIFEST.format(name="early_svc", port=1))
    told = r"late_svc/manifest.py: the service is called 'early_svc', and its folder is not"
    with pytest.raises(ValueError, match=told):
        found(folder)


def test_the_command_line_looks_for_a_service_where_its_manifest_says_it_is() -> None:
    for place in (ORDER_SVC, ORCHESTRATOR_SVC):
        assert place.default == f"127.0.0.1:{found(ROOT)[place.key].grpc_port}"
