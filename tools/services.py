"""The services' part of ``make lint``: every service has all its entries, and every message somebody who handles it.

A command that nobody consumes leaves its saga waiting for ever, on a stack that calls itself ready.
"""

import sys
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatch
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from ordersaga.messages import RECORDS

from sagakit.consumer.dispatch import Handler
from sagakit.records import Record
from sagakit.service.access import FILE
from sagakit.service.manifest import Manifest, found
from tools.access import current
from tools.chart_readme import CHART
from tools.paths import ROOT, SCHEMAS

Services = Mapping[str, Manifest]
CONSOLE = "console_svc"
"""The one folder of this name that takes no part in sagas: it has neither messages nor tables, and so no manifest."""
_GUIDE = "docs/how-to/add-a-service.md"


def main() -> int:
    """Run every check, print what each has to say, and return the process's exit status."""
    lines = list(problems())
    for line in lines:
        print(line, file=sys.stderr)
    print(f"services: {len(lines)} problem(s)" if lines else "services: all are complete")
    return 1 if lines else 0


def problems() -> Iterator[str]:
    """Yield everything that is wrong with the services of this repository."""
    try:
        services = found(ROOT)
    except (ValueError, ImportError, AttributeError) as error:
        yield f"a manifest cannot be read: {error}"
        return
    yield from incomplete_folders(ROOT)
    yield from shared_ports(services)
    yield from lonely_records(services, RECORDS)
    yield from unhandled_records(services)
    yield from wrong_groups(services, yaml.safe_load((SCHEMAS / "topics.yaml").read_text())["consumer_groups"])
    if not (SCHEMAS / FILE).is_file() or (SCHEMAS / FILE).read_text() != current():
        yield f"schemas/{FILE}: is not what the manifests say; run `make gen`"
    yield from missing_in_chart(services, yaml.safe_load((CHART / "values.yaml").read_text())["services"])
    yield from missing_in_compose(services, yaml.safe_load((ROOT / "compose.yaml").read_text())["services"])
    yield from missing_in_pyproject(services, tomllib.loads((ROOT / "pyproject.toml").read_text()))


def incomplete_folders(root: Path) -> Iterator[str]:
    """Yield what the folders of services in ``root`` lack."""
    for folder in sorted(path for path in root.glob("*_svc") if path.is_dir() and path.name != CONSOLE):
        for name, what in (
            ("__main__.py", "which starts the service"),
            ("manifest.py", "which says what the service is"),
            ("tables.py", "which says its tables once, two of them the kit's"),
            ("migrations", "which make these tables"),
        ):
            if not (folder / name).exists():
                yield f"{folder.name}/: has no {name}, {what}; {_GUIDE} shows it"


def shared_ports(services: Services) -> Iterator[str]:
    """Yield the ports that two of ``services`` have."""
    ports = Counter(port for one in services.values() for port in (one.grpc_port, one.metrics_port))
    for name, one in services.items():
        for port in (one.grpc_port, one.metrics_port):
            if ports[port] > 1:
                yield f"{name}/manifest.py: the port {port} is taken twice; give each service ports of its own"


def lonely_records(services: Services, records: Collection[type[Record]]) -> Iterator[str]:
    """Yield those of ``records`` that no service reads, or that none writes."""
    read = {record for one in services.values() for record in one.reads}
    written = {record for one in services.values() for record in one.writes}
    for record in sorted(records, key=lambda one: one.FULL_NAME):
        where = f"schemas/{record.TOPIC}/{record.__name__}.avsc"
        if record not in read:
            yield (
                f"{where}: no service consumes it, so whoever waits for its effect waits for ever; name it in `reads`"
                " of the manifest of the service that handles it, or in the saga's declaration if it is a reply"
            )
        if record not in written:
            yield (
                f"{where}: no service publishes it; name it in `writes` of the manifest of the service that does, or"
                " use it in the saga's declaration if it is a command; else remove it"
            )


def unhandled_records(services: Services) -> Iterator[str]:
    """Yield the record types that a service reads and its ``handlers.py`` does not take, or the other way round."""
    for name, one in services.items():
        if find_spec(f"{name}.handlers") is None:
            continue
        handlers = vars(import_module(f"{name}.handlers")).values()
        handled = {handler.record_type for handler in handlers if isinstance(handler, Handler)}
        for record in sorted(set(one.reads) - handled, key=str):
            yield f"{name}/handlers.py: the manifest reads {record.__name__}, and nothing handles it; write @handles(…)"
        for record in sorted(handled - set(one.reads), key=str):
            yield f"{name}/manifest.py: handlers.py handles {record.__name__}; name it in `reads`"


def wrong_groups(services: Services, groups: Collection[str]) -> Iterator[str]:
    """Yield how the consumer groups of topics.yaml are not ``services``."""
    where = "schemas/topics.yaml: consumer_groups"
    for group in sorted(set(groups) - set(services)):
        yield f"{where}: no service is called {group}; remove it, or give {group}/ a manifest"
    for name in sorted(set(services) - set(groups)):
        yield f"{where}: {name} is missing; add it, or the service waits at its start for its dead-letter topic"


def missing_in_chart(services: Services, values: Collection[str]) -> Iterator[str]:
    """Yield how the entries of values.yaml are not ``services``."""
    where = f"{CHART.relative_to(ROOT)}/values.yaml: services"
    named = {name.removesuffix("_svc"): name for name in services}
    for noun in sorted(named.keys() - set(values)):
        yield f"{where}: {named[noun]} is missing; add the line `{noun}: {{}}` and run `make gen`"
    for noun in sorted(set(values) - named.keys()):
        yield f"{where}: there is no {noun}_svc; remove {noun} and run `make gen`"


def missing_in_compose(services: Services, containers: Collection[str]) -> Iterator[str]:
    """Yield how the ``containers`` of compose.yaml are not ``services``."""
    named = {name.replace("_", "-"): name for name in services}
    there = {container for container in containers if container.endswith("-svc")}
    for container in sorted(named.keys() - there):
        how = "copy another service's two blocks, and name it in `databases`"
        yield f"compose.yaml: {named[container]} is missing; {how}"
    for container in sorted(there - named.keys()):
        yield f"compose.yaml: there is no {container.replace('-', '_')}; remove {container}"


def missing_in_pyproject(services: Services, pyproject: Mapping[str, Any]) -> Iterator[str]:
    """Yield which of ``services`` mypy does not check, and which are not installed."""
    tool = pyproject["tool"]
    for name in services:
        for where, patterns in (
            ("mypy.files", tool["mypy"]["files"]),
            ("setuptools.packages.find.include", tool["setuptools"]["packages"]["find"]["include"]),
        ):
            if not any(fnmatch(name, pattern) for pattern in patterns):
                yield f'pyproject.toml: tool.{where}: {name} is missing; let "*_svc" stand there'


if __name__ == "__main__":
    sys.exit(main())
