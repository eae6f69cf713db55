"""TLS files, checked when the settings are read, so that a bad one does not wait for the first connection to fail."""

from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


def authority_problems(name: str, path: str | None) -> Iterator[str]:
    """Yield what is wrong with the setting ``name``, the ``path`` of certificates to trust; nothing for None."""
    if path is not None:
        try:
            _certificates(path)
        except ValueError as problem:
            yield f"{name}: {problem} (it is {path!r})"


def pair_problems(names: tuple[str, str], certificate: str | None, key: str | None) -> Iterator[str]:
    """Yield what is wrong with the settings ``names``, a certificate and its key; nothing unless both are set.

    The first certificate in the file must be the key's; those after it lead to an authority.
    """
    if certificate is None or key is None:
        return
    found: list[x509.Certificate] = []
    try:
        found = _certificates(certificate)
    except ValueError as problem:
        yield f"{names[0]}: {problem} (it is {certificate!r})"
    try:
        private = _private_key(key)
    except ValueError as problem:
        yield f"{names[1]}: {problem} (it is {key!r})"
        return
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if found and private.public_key().public_bytes(*form) != found[0].public_key().public_bytes(*form):
        yield f"{names[1]}: is not the key of the first certificate in {names[0]} (it is {key!r})"


def _certificates(path: str) -> list[x509.Certificate]:
    content = _content(path)
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise ValueError("holds no certificate in PEM form") from None


def _private_key(path: str) -> PrivateKeyTypes:
    content = _content(path)
    try:
        return load_pem_private_key(content, password=None)
    except TypeError:
        raise ValueError("is locked by a passphrase, for which nobody can be asked") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("holds no private key in PEM form") from None


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
