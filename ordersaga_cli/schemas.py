"""``ordersaga schemas``: compare a contracts folder with the registry, or register it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from confluent_kafka.schema_registry import RegisteredSchema, Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from httpx2 import TransportError

from ordersaga_cli import show
from ordersaga_cli.clients import registry_client
from ordersaga_cli.line import Failed, Group, json_option
from ordersaga_cli.places import REGISTRY, address_option
from ordersaga_cli.table import Column, print_table
from sagakit.avro.registry import ask
from sagakit.avro.schema_ids import subject_of
from sagakit.errors import Unavailable
from sagakit.runtime import logs
from sagakit.service.deploy import register_schemas
from sagakit.service.refused import DeploymentRefused

_NOT_FOUND = 404
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group(cls=Group)
def schemas() -> None:
    """Schemas: compare a folder with the registry, register."""


@schemas.command(
    examples=["ordersaga schemas check schemas"],
    then="`ordersaga schemas register DIR` registers new schemas; change incompatible ones first.",
)
@click.argument("folder", type=_FOLDER, metavar="DIR")
@json_option
@address_option(REGISTRY)
def check(*, folder: Path, as_json: bool, registry: str) -> None:
    """Show for each schema in DIR whether it is registered, new, or incompatible with the registered versions.

    DIR holds, in a folder named after each topic, the .avsc files of the record types on it.
    """
    with _opened(registry) as client:
        _report([_check(client, path) for path in _files(folder)], as_json=as_json)


@schemas.command(
    examples=["ordersaga schemas register schemas"],
    then="the services that wait for these schemas become ready by themselves.",
)
@click.argument("folder", type=_FOLDER, metavar="DIR")
@json_option
@address_option(REGISTRY)
def register(*, folder: Path, as_json: bool, registry: str) -> None:
    """Register every schema in DIR, as a deployment does. It may be repeated safely."""
    logs.configure("ordersaga", "ERROR", "console")
    with _opened(registry) as client:
        found = [_check(client, path) for path in _files(folder)]
        if all(one["state"] != "incompatible" for one in found):
            register_schemas(client, folder)
            client.clear_caches()  # type: ignore[no-untyped-call] # it has no annotations
            found = [_check(client, path) for path in _files(folder)]
    _report(found, as_json=as_json)


def _files(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*/*.avsc"))
    if not found:
        raise Failed(f"{folder}: it holds no <topic>/<record>.avsc; in this repository the folder is schemas/")
    return found


def _check(client: SchemaRegistryClient, path: Path) -> dict[str, Any]:
    """Compare one file with the registry."""
    try:
        content = json.loads(path.read_text())
        subject = subject_of(path.parent.name, f"{content['namespace']}.{content['name']}")
    except (ValueError, KeyError, TypeError) as error:
        raise Failed(f"{path}: not an Avro record with a namespace and a name ({error!r})") from error
    schema = Schema(json.dumps(content, separators=(",", ":")), "AVRO")
    try:
        known = ask(RegisteredSchema, client.lookup_schema, subject, schema)
    except SchemaRegistryError as error:
        if error.http_status_code != _NOT_FOUND:
            raise
    else:
        return _state(subject, "registered", id=known.schema_id, version=known.version)
    try:
        versions = ask(list, client.get_versions, subject)
    except SchemaRegistryError as error:
        if error.http_status_code != _NOT_FOUND:
            raise
        return _state(subject, "new", reason="the first version")
    clashes = [one for one in versions if not ask(bool, client.test_compatibility, subject, schema, one)]
    if not clashes:
        return _state(subject, "new", reason=f"compatible with version {', '.join(map(str, versions))}")
    earlier = json.loads(ask(RegisteredSchema, client.get_version, subject, clashes[-1]).schema.schema_str or "{}")
    why = "; ".join(_differences(earlier, content)) or "it is not FULL_TRANSITIVE compatible"
    return _state(subject, "incompatible", reason=f"with version {', '.join(map(str, clashes))}: {why}")


def _differences(earlier: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return why two versions of a record are incompatible, field by field; a registry may say only that they are."""
    before, after = ({field["name"]: field for field in one.get("fields", [])} for one in (earlier, now))
    found = [
        f"the new field {name} has no default" for name in after.keys() - before.keys() if "default" not in after[name]
    ]
    found += [
        f"the field {name}, which is gone, had no default"
        for name in before.keys() - after.keys()
        if "default" not in before[name]
    ]
    for name in before.keys() & after.keys():
        if before[name]["type"] != after[name]["type"]:
            types = [json.dumps(field[name]["type"]) for field in (before, after)]
            found.append(f"the field {name} was {types[0]} and is {types[1]}")
    return sorted(found)


def _state(subject: str, state: str, **more: object) -> dict[str, Any]:
    return {"subject": subject, "state": state, "id": None, "version": None, "reason": "", **more}


def _report(found: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print the states; end with 1 where a schema is incompatible."""
    if as_json:
        show.document({"schemas": found})
    else:
        columns = ("subject", "state", "id", "version", "reason")
        shown = (
            Column("subject", folds=True),
            "state",
            Column("id", 2),
            Column("version", 1),
            Column("reason", folds=True),
        )
        print_table(shown, ([one[name] if one[name] is not None else "" for name in columns] for one in found))
    if any(one["state"] == "incompatible" for one in found):
        raise click.exceptions.Exit(1)


@contextmanager
def _opened(registry: str) -> Iterator[SchemaRegistryClient]:
    try:
        with SchemaRegistryClient(registry_client(registry)) as client:
            yield client
    except Unavailable as error:
        raise Failed(f"{error}, at {registry}; {REGISTRY.how_to_set()}") from error
    except TransportError as error:
        raise Failed(f"the schema registry cannot be reached at {registry}; {REGISTRY.how_to_set()}") from error
    except DeploymentRefused as error:
        raise Failed(f"{error}, at {registry}") from error
    except SchemaRegistryError as error:
        raise Failed(f"the schema registry at {registry} refuses: {error.error_message}") from error
