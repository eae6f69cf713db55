"""The chart's README, made of the comments in its values.yaml, and the services in its schema: part of ``make gen``.

A comment that begins with ``# --`` belongs to the value below it, and goes on in the comment lines that follow.
"""

import json
import sys
from collections.abc import Iterator
from typing import NamedTuple

import yaml

from tools.paths import ROOT

CHART = ROOT / "helm" / "order-saga"
README = CHART / "README.md"
SCHEMA = CHART / "values.schema.json"
_HEAD = """\
# The chart `order-saga`

<!-- Made of values.yaml by `make gen`. -->

Kafka in KRaft mode, a schema registry, PostgreSQL and the services, each of the first three replaceable by one
that exists. [`docs/kubernetes.md`](../../docs/kubernetes.md) is the guide, and
[`docs/chart-values.md`](../../docs/chart-values.md) says how it fits into a cluster that others run; this is the list
of its values.

    helm install demo helm/order-saga --wait --timeout 10m

`values/` holds values for other situations than minikube: `production.yaml` and `ci.yaml`. A value that is not in this
list is refused, and so is one of another type.

| value | as it comes | what it is |
|---|---|---|
"""


class Value(NamedTuple):
    """One value of the chart."""

    path: str
    default: object
    meaning: str


def values(text: str) -> Iterator[Value]:
    """Yield the values that ``text``, a values.yaml, gives a comment to.

    Raises:
        ValueError: a comment stands above nothing.
    """
    document = yaml.safe_load(text)
    keys: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            comment = [stripped.removeprefix("# -- ")]
        elif stripped.startswith("#") and comment:
            comment.append(stripped.removeprefix("# "))
        elif ":" in stripped:
            depth = (len(line) - len(line.lstrip())) // 2
            keys[depth:] = [stripped.split(":")[0]]
            if comment:
                default = document
                for key in keys:
                    default = default[key]
                yield Value(".".join(keys), default, " ".join(comment))
            comment = []
        elif comment:
            msg = f"values.yaml: the comment {comment[0]!r} stands above nothing"
            raise ValueError(msg)


def readme() -> str:
    """Return what the README has to be."""
    rows = [
        f"| `{one.path}` | `{json.dumps(one.default, ensure_ascii=False)}` | {one.meaning.replace('|', '/')} |\n"
        for one in values((CHART / "values.yaml").read_text())
    ]
    return _HEAD + "".join(rows)


def schema() -> str:
    """Return what the schema has to be: as it is, with the services of values.yaml, each of which must be there."""
    found = json.loads(SCHEMA.read_text())
    services = yaml.safe_load((CHART / "values.yaml").read_text())["services"]
    found["properties"]["services"]["properties"] = {name: {"$ref": "#/$defs/service"} for name in services}
    found["properties"]["services"]["required"] = list(services)
    return json.dumps(found, indent=2) + "\n"


if __name__ == "__main__":
    README.write_text(readme())
    SCHEMA.write_text(schema())
    sys.exit(0)
