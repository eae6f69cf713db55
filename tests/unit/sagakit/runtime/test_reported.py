"""What a service reports is asked of the service, whatever proxy the environment names for what is farther away."""

import pytest

from sagakit.runtime import metrics_server
from sagakit.runtime.reported import read_metrics
from sagakit.runtime.tls_files import TlsFile, TlsFiles
from tests.support.served import free_address

NO_TLS = TlsFiles(TlsFile("CERTIFICATE", None), TlsFile("KEY", None), TlsFile("CA", None))


def test_metrics_are_read_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://{free_address()}")
    monkeypatch.delenv("no_proxy", raising=False)
    address = free_address()
    metrics_server.serve(address, NO_TLS)
    assert "python_info" in read_metrics(str(address), None, 5.0)
