"""What the console reads from its environment."""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from pydantic import Field, SecretStr

from console_svc.oidc import Client, Issuer
from console_svc.secret import SHORTEST, Secret
from sagakit.avro.settings import RegistrySettings
from sagakit.kafka.settings import KafkaSettings
from sagakit.rpc.call_settings import CallSettings
from sagakit.runtime.client_tls import ReadingSettings
from sagakit.runtime.settings import Address, Listen, is_loopback
from sagakit.runtime.tls_files import TlsFile, TlsFiles, problems
from sagakit.runtime.urls import is_trustworthy

_PAIR = ("console_tls_certificate", "console_tls_key")
_REPLAY = ("console_replay_username", "console_replay_password")
_OIDC = ("console_oidc_issuer", "console_oidc_client_id")
_TRACE_URL = re.compile(r"https?://[^\s{}]+\{trace_id\}[^\s{}]*")
_HOST = re.compile(r"[^\s,/@]+")


class ServiceAddress(NamedTuple):
    """Where one service is."""

    name: str
    """Of the service, such as ``order_svc``."""
    address: str
    """Of its API, ``host:port``."""


class ConsoleSettings(CallSettings, ReadingSettings, KafkaSettings, RegistrySettings):
    """Where the console listens, whom it asks, and what it shows."""

    console_listen: Address = Field(default=Listen("127.0.0.1", 8088), description="Where browsers find the console.")
    console_hosts: str = Field(
        default="",
        description="Names without ports, commas between, by which browsers call it; else loopback's own.",
    )
    console_environment: str = Field(
        default="local", min_length=1, max_length=30, description="What is shown in title and band, such as production."
    )
    console_show_addresses: Literal["yes", "no"] = Field(
        default="no", description="yes shows postal addresses; else dots stand in their place."
    )
    console_trace_url: str | None = Field(
        default=None,
        description="Where a trace is shown, with {trace_id} in the place of its id; none is linked without.",
    )
    console_tls_certificate: str | None = Field(default=None, description="PEM file; with the key it switches TLS on.")
    console_tls_key: str | None = Field(default=None, description="PEM file of the certificate's private key.")
    console_secret: SecretStr | None = Field(
        default=None,
        description="Seals what browsers keep: the same for all replicas, by which each knows who has come.",
    )
    auth_mode: Literal["none", "jwt"] = Field(
        default="none", description="The services' own: jwt asks who comes for a token."
    )
    auth_none_acknowledged: Literal["yes", "no"] = Field(
        default="no", description="yes lets a console that others can reach serve anyone."
    )
    console_oidc_issuer: str | None = Field(
        default=None, description="Where visitors sign in by OpenID Connect; its access tokens are the services'."
    )
    console_oidc_client_id: str | None = Field(default=None, description="The console's id there.")
    console_oidc_client_secret: SecretStr | None = Field(
        default=None, description="Its secret; a public client has none."
    )
    console_oidc_scope: str = Field(default="openid", description="What it asks for, several with blanks between.")
    order_svc_address: str = Field(default="127.0.0.1:50051", description="Where order_svc's API is.")
    product_svc_address: str = Field(default="127.0.0.1:50052", description="Where product_svc's API is.")
    delivery_svc_address: str = Field(default="127.0.0.1:50053", description="Where delivery_svc's API is.")
    orchestrator_svc_address: str = Field(default="127.0.0.1:50054", description="Where orchestrator_svc's API is.")
    order_svc_metrics: str = Field(default="127.0.0.1:9101", description="Where order_svc's metrics are.")
    product_svc_metrics: str = Field(default="127.0.0.1:9102", description="Where product_svc's metrics are.")
    delivery_svc_metrics: str = Field(default="127.0.0.1:9103", description="Where delivery_svc's metrics are.")
    orchestrator_svc_metrics: str = Field(default="127.0.0.1:9104", description="Where orchestrator_svc's metrics are.")
    console_replay_username: str | None = Field(
        default=None, description="Kafka's login that may send dead letters again, where it is another."
    )
    console_replay_password: SecretStr | None = Field(default=None, description="Its password.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Least level logged.")
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto is console on a terminal and json elsewhere."
    )

    def problems(self) -> Iterator[str]:
        """Yield a line for settings that contradict each other; it begins with a setting's name."""
        yield from super().problems()
        yield from self.missing(_PAIR, _PAIR)
        yield from self.missing(_REPLAY, _REPLAY)
        yield from self.missing(_OIDC, (*_OIDC, "console_oidc_client_secret"))
        if self.console_secret is not None and len(self.console_secret.get_secret_value()) < SHORTEST:
            yield f"CONSOLE_SECRET: must have at least {SHORTEST} characters"
        if self.console_oidc_issuer is not None and not is_trustworthy(self.console_oidc_issuer):
            yield f"CONSOLE_OIDC_ISSUER: must be https, or on this machine (it is {self.console_oidc_issuer!r})"
        if self.console_oidc_issuer is not None and self.auth_mode == "none":
            yield "AUTH_MODE: must be jwt, where CONSOLE_OIDC_ISSUER is set (it is 'none')"
        if self.console_trace_url is not None and not _TRACE_URL.fullmatch(self.console_trace_url):
            yield f"CONSOLE_TRACE_URL: must be http or https, with {{trace_id}} in it (is {self.console_trace_url!r})"
        yield from problems(self.console_tls_files())
        if named := [host for host in self.allowed_hosts if host.count(":") == 1]:
            yield f"CONSOLE_HOSTS: must name hosts without ports (it has {', '.join(sorted(named))})"
        if not is_loopback(self.console_listen.host):
            yield from self._problems_of_a_public_console()

    def _problems_of_a_public_console(self) -> Iterator[str]:
        if self.auth_mode == "none" and self.auth_none_acknowledged == "no":
            yield (
                "AUTH_MODE: must be jwt where CONSOLE_LISTEN is no loopback address, or else AUTH_NONE_ACKNOWLEDGED"
                f" must be yes (CONSOLE_LISTEN is '{self.console_listen}')"
            )
        if not self.allowed_hosts:
            yield "CONSOLE_HOSTS: must name the hosts by which browsers call it, where CONSOLE_LISTEN is no loopback"

    def console_tls_files(self) -> TlsFiles:
        """Return the files by which the console itself speaks TLS."""
        return TlsFiles(
            TlsFile("CONSOLE_TLS_CERTIFICATE", self.console_tls_certificate),
            TlsFile("CONSOLE_TLS_KEY", self.console_tls_key),
            TlsFile("", None),
        )

    def secret(self) -> Secret:
        """Return what seals what browsers keep."""
        return Secret(self.console_secret.get_secret_value() if self.console_secret else None)

    def issuer(self, secret: Secret) -> Issuer | None:
        """Return where visitors sign in, which seals by ``secret``; None where they paste a token."""
        if self.console_oidc_issuer is None:
            return None
        password = self.console_oidc_client_secret
        client = Client(
            self.console_oidc_client_id or "",
            password.get_secret_value() if password else "",
            self.console_oidc_scope,
        )
        return Issuer(self.console_oidc_issuer, client, secret.seal("sign-in"))

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """The hosts, without ports, that ``CONSOLE_HOSTS`` names."""
        return frozenset(_HOST.findall(self.console_hosts.lower()))

    def replay_login(self) -> dict[str, str]:
        """Return the properties of the Kafka client that sends dead letters again, beside the other's."""
        if self.console_replay_username is None or self.console_replay_password is None:
            return {}
        password = self.console_replay_password.get_secret_value()
        return {"sasl.username": self.console_replay_username, "sasl.password": password}

    @property
    def metrics(self) -> tuple[tuple[str, str], ...]:
        """Each service, and where its metrics are."""
        return (
            ("order_svc", self.order_svc_metrics),
            ("orchestrator_svc", self.orchestrator_svc_metrics),
            ("product_svc", self.product_svc_metrics),
            ("delivery_svc", self.delivery_svc_metrics),
        )

    @property
    def services(self) -> tuple[ServiceAddress, ...]:
        """The services, in the order in which they are shown."""
        return (
            ServiceAddress("order_svc", self.order_svc_address),
            ServiceAddress("orchestrator_svc", self.orchestrator_svc_address),
            ServiceAddress("product_svc", self.product_svc_address),
            ServiceAddress("delivery_svc", self.delivery_svc_address),
        )
