"""Compare two versions of an Avro record as FULL compatibility has it: each can be read by whoever knows the other.

The registry applies the same rules (and, transitively, to every version) when a schema is registered. Applied here, an
incompatible change is refused before it gets that far. The rules for types are those of Apache's avro package.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from tools import git


def problems(root: Path, schemas: Path) -> Iterator[str]:
    """Yield a line for every way in which a record does not fit a version of it that was committed before."""
    for path in sorted(schemas.rglob("*.avsc")):
        now = path.read_bytes()
        for earlier, commit in git.versions(root, path).items():
            for problem in incompatibilities(earlier.decode(), now.decode()):
                yield f"{path.relative_to(schemas).as_posix()}: {problem} (compared with commit {commit})"


def incompatibilities(earlier: str, now: str) -> list[str]:
    """Return why the two versions are not compatible in both directions, field by field; empty where they are."""
    if json.loads(earlier) == json.loads(now):
        return []
    old, new = _record(earlier), _record(now)
    if old.fullname != new.fullname:
        return [f"the record was called {old.fullname}, now {new.fullname}"]
    found = [*_missing(new, old, "is new and has no default"), *_missing(old, new, "is gone and had no default")]
    before = {field.name: field.type for field in old.fields}
    for field in new.fields:
        if field.name in before:
            found += [f"field {field.name}: {why}" for why in _changed(before[field.name], field.type)]
    if not found and not (_reads(new, old) and _reads(old, new)):
        found.append("the record as a whole is not compatible")
    return found


def _missing(reader: avro.schema.RecordSchema, writer: avro.schema.RecordSchema, why: str) -> Iterator[str]:
    written = {field.name for field in writer.fields}
    for field in reader.fields:
        if field.name not in written and not field.has_default:
            yield f"field {field.name}: it {why}"


def _changed(old: avro.schema.Schema, new: avro.schema.Schema) -> Iterator[str]:
    if _reads(new, old) and _reads(old, new):
        if _logical(old) != _logical(new):  # Avro lets it pass; but the number would be taken for something else
            yield f"its logical type was {_logical(old)}, now {_logical(new)}"
        return
    side = "old data under the new schema" if not _reads(new, old) else "new data under the old schema"
    yield f"its type was {old}, now {new}; {side} cannot be read"


def _reads(reader: avro.schema.Schema, writer: avro.schema.Schema) -> bool:
    result = ReaderWriterCompatibilityChecker().get_compatibility(reader, writer)
    return result.compatibility is SchemaCompatibilityType.compatible


def _logical(schema: avro.schema.Schema) -> str:
    if isinstance(schema, avro.schema.UnionSchema):
        return " or ".join(sorted(_logical(branch) for branch in schema.schemas))
    return str(schema.other_props.get("logicalType", schema.type))


def _record(text: str) -> avro.schema.RecordSchema:
    schema = avro.schema.parse(text)
    if not isinstance(schema, avro.schema.RecordSchema):
        raise TypeError(f"not a record: {text[:80]}")
    return schema
