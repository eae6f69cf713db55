"""Whose logins a folder of passwords asks for."""

from pathlib import Path

import pytest

from sagakit.service.logins import read_passwords


def test_a_file_is_a_principals_password_and_kubernetes_own_files_are_none(tmp_path: Path) -> None:
    """As Kubernetes mounts a secret: the files lie in a dated folder, to which a link leads."""
    (tmp_path / "..2026_11_29").mkdir()
    (tmp_path / "..2026_11_29" / "order_svc").write_text("one\n")
    (tmp_path / "..2026_11_29" / "operators").write_text("two")
    (tmp_path / "..data").symlink_to("..2026_11_29")
    for name in ("order_svc", "operators"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    assert read_passwords(tmp_path) == {"order_svc": "one", "operators": "two"}


def test_a_folder_without_passwords_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no passwords"):
        read_passwords(tmp_path)


def test_an_empty_password_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "order_svc").write_text("\n")
    with pytest.raises(ValueError, match="order_svc holds no password"):
        read_passwords(tmp_path)
