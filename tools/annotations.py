"""Fetch protovalidate's annotations, ``buf/validate/validate.proto``, which our proto files import.

They are not committed: they come out of the jar that its authors publish, once for each working copy, into ``.deps/``.
The pinned checksum is that of the proto file itself.
"""

import hashlib
import zipfile

import truststore
from jgo.maven import MavenContext

from tools.paths import ANNOTATIONS

VERSION = "1.3.0"
SHA256 = "817951eab518442950f1982be24b2c3154b214b40e42f49b915cbf5181e6ee80"


class AnnotationsError(Exception):
    """The annotations cannot be had; the text says what to do."""


def ensure() -> None:
    """Put the annotations in their place, unless they are there already."""
    if ANNOTATIONS.exists() and _is_pinned(ANNOTATIONS.read_bytes()):
        return
    proto = _download()
    if not _is_pinned(proto):
        raise AnnotationsError(
            f"validate.proto of build.buf:protovalidate:{VERSION} has not the checksum it should have"
        )
    ANNOTATIONS.parent.mkdir(parents=True, exist_ok=True)
    ANNOTATIONS.write_bytes(proto)


def _download() -> bytes:
    truststore.inject_into_ssl()  # trust what the system trusts, as pip does
    try:
        component = MavenContext().project("build.buf", "protovalidate").at_version(VERSION)
        with zipfile.ZipFile(component.artifact().resolve()) as jar:
            return jar.read("buf/validate/validate.proto")
    except Exception as error:
        raise AnnotationsError(
            f"cannot fetch build.buf:protovalidate:{VERSION} (is there a network?): {error}"
        ) from error


def _is_pinned(proto: bytes) -> bool:
    return hashlib.sha256(proto).hexdigest() == SHA256
