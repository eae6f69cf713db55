"""Statements made from tables: their text has every parameter by its name and with its type, and loses no value."""

import uuid
from dataclasses import dataclass

import pytest
from sqlalchemy import UUID, BigInteger, Column, MetaData, Table, Text, bindparam, select
from sqlalchemy.dialects.postgresql import JSONB

from sagakit.postgres.sql import columns, columns_of, insert_rows, lock_those, readable, text_of, unnest, where

NOTES = Table(
    "notes", MetaData(), Column("note_id", BigInteger), Column("text", Text), Column("said", JSONB), Column("key", UUID)
)


@dataclass
class Note:
    text: str | None
    note_id: int


def words(statement: str) -> str:
    return " ".join(statement.split())


def test_a_statement_is_text_with_parameters_that_are_cast() -> None:
    found = text_of(select(NOTES.c.text).where(NOTES.c.note_id < bindparam("before")).limit(bindparam("limit")))
    assert words(found) == "SELECT notes.text FROM notes WHERE notes.note_id < %(before)s::BIGINT LIMIT %(limit)s"


def test_a_value_in_a_statement_is_refused_as_the_text_would_lose_it() -> None:
    with pytest.raises(ValueError, match="'x'"):
        text_of(select(NOTES.c.text).where(NOTES.c.text == "x"))


def test_columns_are_those_of_a_class_in_the_order_of_its_fields() -> None:
    assert columns_of(NOTES, Note) == [NOTES.c.text, NOTES.c.note_id]


def test_a_field_that_has_no_column_is_named() -> None:
    class Longer(Note):
        author: str

    with pytest.raises(ValueError, match=r"Longer\.author has no column in notes"):
        columns_of(NOTES, Longer)


def test_documents_and_uuids_are_read_as_text() -> None:
    found = words(text_of(select(*readable(NOTES.c))))
    assert "notes.text, CAST(notes.said AS TEXT) AS said, CAST(notes.key AS TEXT) AS key" in found


def test_rows_are_locked_in_the_order_of_their_key() -> None:
    found = words(text_of(lock_those([NOTES.c.text], NOTES.c.note_id)))
    assert found.endswith("= ANY (%(ids)s::BIGINT[]) ORDER BY notes.note_id FOR NO KEY UPDATE")


def test_rows_are_inserted_from_an_array_for_each_column() -> None:
    found = words(text_of(insert_rows(NOTES, [NOTES.c.note_id, NOTES.c.key])))
    assert "INSERT INTO notes (note_id, key)" in found
    assert "unnest(%(note_id)s::BIGINT[], %(key)s::UUID[])" in found


def test_arrays_of_two_kinds_of_rows_can_be_told_apart() -> None:
    assert "%(of_text)s" in text_of(select(*unnest("rows", [NOTES.c.text], "of_").c))


def test_the_parameters_are_written_as_the_statement_reads_them() -> None:
    given = columns([Note('say "hi"', 1), Note(None, 2)], ["note_id", "text"])
    assert given == {"note_id": "{1,2}", "text": '{"say \\"hi\\"",NULL}'}
    assert columns([Note(str(uuid.UUID(int=0)), 1)], ["text"]) == {"text": '{"00000000-0000-0000-0000-000000000000"}'}


def test_a_condition_stands_only_where_it_has_a_value() -> None:
    assert where({"a < %(a)s": 1, "b = %(b)s": None, "c": True}) == "WHERE a < %(a)s AND c"
    assert where({"b = %(b)s": None}) == ""
