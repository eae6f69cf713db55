"""A release whose callers need a token of an issuer, whose keys lie in a secret."""

import re
from pathlib import Path

import pytest

from ordersaga_cli.tokens import OPERATOR
from sagakit.rpc import local_issuer
from tests.cluster.release import NAME, Release, typed

ISSUER, AUDIENCE = "https://issuer.example", "the-shop"
VALUES = {
    "auth.mode": "jwt",
    "auth.issuer": ISSUER,
    "auth.audience": AUDIENCE,
    "auth.jwksSecret": "issuer-keys",
    "auth.test.tokenSecret": "a-token",
}
pytestmark = pytest.mark.timeout(900)


def test_who_has_no_token_is_refused_and_who_has_one_orders(namespace: Release, tmp_path: Path) -> None:
    key = local_issuer.make_key()
    token = local_issuer.token(
        key, issuer=ISSUER, audience=AUDIENCE, subject="1", scopes=OPERATOR, lifetime_seconds=3600
    )
    namespace.make_secret("issuer-keys", {"jwks.json": local_issuer.published(key)})
    namespace.make_secret("a-token", {"token": token})
    namespace.install(*(f"--set={name}={value}" for name, value in VALUES.items()))
    output = namespace.helm("test", NAME, "--logs", "--timeout", "5m")
    assert output.count("who has no token is refused") == 2
    assert "is ORDER_STATUS_COMPLETED , 9 of 10 pieces left" in output
    list_them = ("exec", f"deployment/{NAME}-operators", "--", "env")
    assert "set ORDERSAGA_TOKEN" in namespace.kubectl(*list_them, "ordersaga", "saga", "list", check=False)
    notes = namespace.helm("get", "notes", NAME)
    (command,) = re.findall(r"^ +(kubectl .+ < operator\.token)$", notes, re.MULTILINE)
    (tmp_path / "operator.token").write_text(f"{token}\n")
    typed(command, tmp_path)
    assert "COMPLETED" in typed(command.replace("--stuck", "--not-stuck"), tmp_path)
    (tmp_path / "operator.token").write_text("of nobody\n")
    assert "TOKEN_INVALID" in typed(command, tmp_path, check=False)
