"""TLS files: checked when the settings are read, and read again when they change.

A bad file must not wait for the first connection to fail, and a renewed certificate must not wait for a restart. What
counts is what stands in the files: Kubernetes swaps their folder by a symbolic link, and times and sizes may stay as
they were. Files that do not fit each other are half written. Then those before are used on, until all are there.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from sagakit.runtime import metrics
from sagakit.runtime.logs import logger

log = logger("tls")


class TlsFile(NamedTuple):
    """One file in PEM form."""

    setting: str
    """The name of the setting that says where it is."""
    path: str | None
    """Where it is; None where the setting is not given."""


class TlsFiles(NamedTuple):
    """The files by which one server or client speaks TLS."""

    certificate: TlsFile
    """Its own certificate, and those after it that lead to an authority."""
    key: TlsFile
    """The key of that certificate, without a passphrase."""
    authority: TlsFile
    """The certificates by which it believes others."""


class TlsContents(NamedTuple):
    """What stands in these files; None for those that are not given."""

    certificate: bytes | None
    key: bytes | None
    authority: bytes | None


_Read: TypeAlias = tuple[bytes | str | None, ...]
"""For each file what stands in it, or why it cannot be read."""


class UnusableFiles(Exception):
    """TLS files cannot be used, or do not fit each other."""

    def __init__(self, lines: list[str]) -> None:
        """Say why in ``lines``, each of which begins with the name of a setting."""
        super().__init__("; ".join(lines))
        self.lines = lines


def load(files: TlsFiles) -> TlsContents:
    """Return what stands in ``files``. A certificate without its key is left out, and so is a key alone.

    Raises:
        UnusableFiles: one cannot be read or understood, or the key is another certificate's.
    """
    return _fitting(files, _read(files))


def problems(files: TlsFiles) -> Iterator[str]:
    """Yield a line for each of ``files`` that cannot be used; it begins with the name of its setting."""
    try:
        load(files)
    except UnusableFiles as error:
        yield from error.lines


class CurrentTlsFiles:
    """The contents of some TLS files as they were when they last fitted; any thread may ask."""

    def __init__(self, files: TlsFiles, user: str) -> None:
        """Read ``files``; logs and metrics call whoever uses them ``user``, such as ``grpc``.

        Raises:
            UnusableFiles: they do not fit from the start.
        """
        self._files, self._user = files, user
        self._looking = threading.Lock()
        self.contents = self._fitting(_read(files))
        metrics.begin_at_zero(metrics.TLS_FILES_CHANGED, [user], ["taken", "refused"])

    def have_changed(self) -> bool:
        """Read the files again; take what stands there now, and say whether it is something else than before.

        Files that do not fit are reported once, and not taken.
        """
        with self._looking:
            found = _read(self._files)
            if found == self._seen:
                return False
            try:
                contents = self._fitting(found)
            except UnusableFiles as error:
                metrics.TLS_FILES_CHANGED.labels(self._user, "refused").inc()
                log.warning("changed TLS files do not fit, using those before", of=self._user, error=str(error))
                return False
            changed, self.contents = contents != self.contents, contents
            if changed:
                metrics.TLS_FILES_CHANGED.labels(self._user, "taken").inc()
                log.info("changed TLS files taken", of=self._user)
            return changed

    def _fitting(self, found: _Read) -> TlsContents:
        """Return what was ``found``, or stands there now: the files may have been swapped between two of them."""
        self._seen = found
        try:
            return _fitting(self._files, found)
        except UnusableFiles:
            self._seen = _read(self._files)
            return _fitting(self._files, self._seen)


def _read(files: TlsFiles) -> _Read:
    return tuple(_content(file.path) for file in files)


def _content(path: str | None) -> bytes | str | None:
    """Return what stands in the file, or why it cannot be read."""
    try:
        return Path(path).read_bytes() if path else None
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _fitting(files: TlsFiles, found: _Read) -> TlsContents:
    """Return what was ``found`` in ``files``; raises what `load` raises."""
    certificate, key, authority = found
    lines = list[str]()
    if certificate is None or key is None:
        certificate = key = None
    checked = TlsContents(
        _checked(files.certificate, certificate, _certificates, lines),
        _checked(files.key, key, _private_key, lines),
        _checked(files.authority, authority, _certificates, lines),
    )
    if checked.certificate and checked.key and not _is_pair(checked.certificate, checked.key):
        other = f"is not the key of the first certificate in {files.certificate.setting}"
        lines.append(f"{files.key.setting}: {other} (it is {files.key.path!r})")
    if lines:
        raise UnusableFiles(lines)
    return checked


def _checked(
    file: TlsFile, found: bytes | str | None, check: Callable[[bytes], object], lines: list[str]
) -> bytes | None:
    """Return what was ``found`` in ``file``, where ``check`` does not raise; else None, and ``lines`` say why."""
    if isinstance(found, bytes):
        try:
            check(found)
        except ValueError as problem:
            found = str(problem)
        else:
            return found
    if found is not None:
        lines.append(f"{file.setting}: {found} (it is {file.path!r})")
    return None


def _certificates(content: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise ValueError("holds no certificate in PEM form") from None


def _private_key(content: bytes) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(content, password=None)
    except TypeError:
        raise ValueError("is locked by a passphrase, for which nobody can be asked") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("holds no private key in PEM form") from None


def _is_pair(certificate: bytes, key: bytes) -> bool:
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    own = _private_key(key).public_key().public_bytes(*form)
    return own == _certificates(certificate)[0].public_key().public_bytes(*form)
