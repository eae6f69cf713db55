"""Which secrets a release has to have: the plan that the chart writes."""

from pydantic import BaseModel, ConfigDict

_STRICT = ConfigDict(extra="forbid", frozen=True)


class Authority(BaseModel):
    """The authority that signs the release's certificates."""

    model_config = _STRICT
    secret: str
    """Gets its certificate, ``ca.crt``, and its key, ``ca.key``."""
    name: str
    """Its common name, of 64 characters at most."""


class Certificate(BaseModel):
    """For whom a certificate is."""

    model_config = _STRICT
    subject: str
    """The common name."""
    hosts: tuple[str, ...]
    addresses: tuple[str, ...]


class Plan(BaseModel):
    """The secrets of a release, and who reads passwords at its start."""

    model_config = _STRICT
    labels: dict[str, str | None]
    """Of each secret; a label without a value is taken away from a secret that has it."""
    annotations: dict[str, str | None]
    """The same for annotations."""
    logins: dict[str, tuple[str, ...]] = {}
    """By secret: the keys that hold a password."""
    authority: Authority | None = None
    certificates: dict[str, Certificate] = {}
    """By secret."""
    readers: dict[str, tuple[str, ...]] = {}
    """By kind, as in the API's paths, such as ``deployments``: the names of what may read a password at its start."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of all secrets."""
        authority = (self.authority.secret,) if self.authority else ()
        return (*self.logins, *authority, *self.certificates)
