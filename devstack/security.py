"""What closes a stack (``SECURE=1``): an authority, certificates for servers, logins for clients, tokens for callers.

All of it lies in one folder, made at the start. A stack that is secure stays so until it is started without: the state
file says which it is.
"""

from collections.abc import Mapping
from pathlib import Path

from devstack.certificates import Authority, Pair
from devstack.errors import DevstackError
from devstack.issuer import Issuer
from devstack.layout import MANIFESTS, Layout
from devstack.secrets import Secret, make_private, write_private
from devstack.state import State
from sagakit.service.access import CONSOLE, OPERATORS, REGISTRY, REPLAY

DEPLOYER, BROKER = "deployer", "broker"
"""The two that Kafka lets do anything: whoever deploys, and the broker itself."""
PRINCIPALS = (*MANIFESTS, OPERATORS, CONSOLE, REPLAY, REGISTRY, DEPLOYER)
"""Whoever logs in to Kafka."""
READERS = (*MANIFESTS, OPERATORS, CONSOLE)
"""Whoever may read the registry, and not write it."""
_RECORD = "security"
_LENT = (OPERATORS, REPLAY)
"""The logins that people use: each has a file of its own, which the command line reads."""


class Security:
    """The keys, certificates and passwords of one stack."""

    def __init__(self, layout: Layout, state: State) -> None:
        """Keep them below ``layout.data``."""
        self._folder, self._state = layout.data / "security", state
        self._authority, self._passwords = Authority(self._folder), Secret(self._folder / "passwords")
        self._issuer = Issuer(self._folder)

    @property
    def on(self) -> bool:
        """Whether the stack was started closed."""
        return bool(self._state.get(_RECORD))

    @property
    def ca(self) -> Path:
        """The certificate that clients have to trust."""
        return self._authority.certificate

    @property
    def operator_token(self) -> Path:
        """The file with the token that may do everything."""
        return self._issuer.operator_token

    def must_be_whole(self) -> None:
        """Check that what the running parts of a closed stack go by is still there: another would not let anybody in.

        Raises:
            DevstackError: it is not.
        """
        needed = (self._passwords.file, *self._authority.files)
        if self.on and (gone := [file for file in needed if not file.exists()]):
            text = f"{gone[0]} is gone, and what runs still goes by it: make down first, then make up SECURE=1"
            raise DevstackError(f"{text} makes another")

    def begin(self) -> None:
        """Make what is missing, and note in the state file where things are that people need."""
        make_private(self._folder)
        for name in (*MANIFESTS, BROKER, REGISTRY, "postgres"):
            self._authority.issue(name)
        for login in _LENT:
            trust = {"GRPC_TLS_CA": str(self.ca), "METRICS_TLS_CA": str(self.ca)}
            lines = {**trust, **self.kafka_login(login), **self._registry_settings(OPERATORS)}
            write_private(self._lent(login), "".join(map(_line, lines.items())))
        self._issuer.begin()
        tokens = {"user_token": str(self._issuer.user_token), "operator_token": str(self.operator_token)}
        record = {"ca": str(self.ca), **tokens, **{login: str(self._lent(login)) for login in _LENT}}
        self._state.put(_RECORD, service=False, record=record)

    def end(self) -> None:
        """Let the stack be open from now on."""
        self._state.remove(_RECORD)

    def pair(self, name: str) -> Pair:
        """Return the certificate of a server or a service."""
        return self._authority.issue(name)

    def password(self, login: str) -> str:
        """Return the password of a login at Kafka or at the registry."""
        return self._passwords.of(login)

    def kafka_login(self, principal: str) -> dict[str, str]:
        """Return the settings with which ``principal`` logs in to Kafka; none in an open stack."""
        return {
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": principal,
            "KAFKA_SASL_PASSWORD": self.password(principal),
            "KAFKA_SSL_CA_LOCATION": str(self.ca),
        }

    def settings(self, login: str) -> Mapping[str, str]:
        """Return the settings of the clients of ``login``, for Kafka and the registry; none in an open stack."""
        return {**self.kafka_login(login), **self._registry_settings(login)} if self.on else {}

    def service_settings(self, service: str) -> Mapping[str, str]:
        """Return the settings of a service, its own TLS and its callers included; none in an open stack."""
        if not self.on:
            return {}
        certificate, key = self.pair(service)
        return {
            **self.settings(service),
            **self._issuer.settings(),
            **{f"{server}_TLS_CERTIFICATE": str(certificate) for server in ("GRPC", "METRICS")},
            **{f"{server}_TLS_KEY": str(key) for server in ("GRPC", "METRICS")},
        }

    def console_settings(self) -> Mapping[str, str]:
        """Return the settings of the console, which has a login of its own to look with; none in an open stack."""
        if not self.on:
            return {}
        certificate, key = self.pair(CONSOLE)
        return {
            "AUTH_MODE": "jwt",
            "CONSOLE_TLS_CERTIFICATE": str(certificate),
            "CONSOLE_TLS_KEY": str(key),
            "GRPC_TLS_CA": str(self.ca),
            "METRICS_TLS_CA": str(self.ca),
            **self.settings(CONSOLE),
            "CONSOLE_REPLAY_USERNAME": REPLAY,
            "CONSOLE_REPLAY_PASSWORD": self.password(REPLAY),
        }

    def _registry_settings(self, login: str) -> dict[str, str]:
        return {
            "SCHEMA_REGISTRY_USERNAME": login,
            "SCHEMA_REGISTRY_PASSWORD": self.password(login),
            "SCHEMA_REGISTRY_CA_LOCATION": str(self.ca),
        }

    def _lent(self, login: str) -> Path:
        return self._folder / f"{login}.env"


def _line(setting: tuple[str, str]) -> str:
    """Return a line for a setting whose value, such as a path, may hold anything."""
    name, value = setting
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{name}='{quoted}'\n"
