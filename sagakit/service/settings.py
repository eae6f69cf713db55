"""The settings of every service."""

from typing import Literal

from pydantic import Field

from sagakit.avro.settings import RegistrySettings
from sagakit.kafka.settings import KafkaSettings
from sagakit.postgres.settings import DatabaseSettings
from sagakit.rpc.settings import RpcSettings
from sagakit.runtime.settings import Address, Listen


class ServiceSettings(RpcSettings, KafkaSettings, RegistrySettings, DatabaseSettings):
    """The settings that every service reads from its environment."""

    metrics_listen: Address = Field(default=Listen("127.0.0.1", 9101), description="Where Prometheus reads metrics.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Least level logged.")
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto is console on a terminal and json elsewhere."
    )
    consumer_batch_size: int = Field(
        default=500, ge=1, le=10_000, description="Most messages handled in one transaction."
    )
    shutdown_grace_seconds: float = Field(
        default=10.0, gt=0, le=600, description="How long calls under way may go on after SIGTERM, in seconds."
    )
