"""Lists of clips as rows: CSV, TSV, JSON, JSON lines and Parquet, read one row at a time."""

from __future__ import annotations

import csv
import functools
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mov_ai.data.formats.finding import decode, read_text
from mov_ai.data.formats.report import Report
from mov_ai.errors import UsageError
from mov_ai.graph.files import parse_json

SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".parquet")
#: Longest field of a CSV file: longer ones come from a quote that is never closed.
MAX_FIELD = 2**24
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A list of clips.

    Attributes:
        path: its file.
        columns: names as written, in order.
    """

    path: Path
    columns: tuple[str, ...]

    @property
    def names(self) -> set[str]:
        """The columns' plain names: "Aesthetic Score" and "aesthetic_score" are one."""
        return {plain_name(column) for column in self.columns}

    def rows(self, report: Report) -> Iterator[tuple[str, Row]]:
        """(where, {plain name of a column: value}) of each row; rows that cannot be read are reported.

        Raises:
            UsageError: if the file as a whole cannot be read on.
        """
        for where, values in _RAW[self.path.suffix.lower()](self.path, report):
            yield where, {plain_name(name): value for name, value in values.items()}


@functools.cache
def plain_name(column: str) -> str:
    """A column's name in lower case, with underscores for blanks and hyphens."""
    return re.sub(r"[\s\-]+", "_", column.strip().lower())


def open_table(path: Path) -> Table | None:
    """A list, of which only the beginning is read; None if the file holds something else than a list of rows.

    Raises:
        UsageError: if it cannot be read, or is not UTF-8.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return Table(path, tuple(_parquet(path).schema_arrow.names))
    if suffix in (".csv", ".tsv"):
        with _csv_lines(path) as lines:
            return Table(path, tuple(next(csv.reader(lines, delimiter=lines.delimiter), ())))
    first = next(iter(_RAW[suffix](path, Report())), None)
    return Table(path, tuple(first[1])) if first is not None else None


def number(value: Any) -> Any:
    """A number if text holds one, else the value itself."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        as_float = float(value)
        return int(as_float) if as_float.is_integer() and "." not in value and "e" not in value.lower() else as_float
    return value


class _csv_lines:
    """Lines of a CSV file, decoded one by one; knows its delimiter."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.number = 0
        self.delimiter = ","

    def __enter__(self) -> _csv_lines:
        try:
            self._file = self._path.open("rb")
            header = self._file.readline()
            self._file.seek(0)
        except OSError as error:
            raise UsageError(f"{self._path}: cannot be read ({error.strerror}); check the file") from None
        csv.field_size_limit(MAX_FIELD)
        if b"," not in header:
            self.delimiter = next((mark for mark in "\t;|" if mark.encode() in header), ",")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[str]:
        for line in self._file:
            self.number += 1
            yield decode(line, f"{self._path}: line {self.number}")


def _csv_rows(path: Path, report: Report) -> Iterator[tuple[str, Row]]:
    with _csv_lines(path) as lines:
        reader = csv.reader(lines, delimiter=lines.delimiter)
        try:
            header = next(reader, [])
            for fields in reader:
                where = f"{path.name} line {lines.number}"
                if len(fields) == len(header):
                    yield where, dict(zip(header, fields, strict=True))
                elif any(fields):
                    report.add(where, f"rows that have not the header's {len(header)} columns")
        except csv.Error as error:
            raise UsageError(f"{path}: line {lines.number}: {error}; expected CSV with closed quotes") from None


def _json_rows(path: Path, report: Report) -> Iterator[tuple[str, Row]]:
    value = parse_json(read_text(path), str(path))
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        value = value["data"]
    if isinstance(value, dict):
        # A mapping of videos to captions, or of videos to what is said of them.
        rows = [
            {"file_name": name, **entry} if isinstance(entry, dict) else {"file_name": name, "caption": entry}
            for name, entry in value.items()
        ]
        value = rows if all(map(_is_text, value.values())) or all(isinstance(e, dict) for e in value.values()) else []
    for i, entry in enumerate(value if isinstance(value, list) else []):
        if isinstance(entry, dict):
            yield f"{path.name} entry {i}", entry
        else:
            report.add(f"{path.name} entry {i}", "entries that are no objects")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(text, str) for text in value))


def _json_line_rows(path: Path, report: Report) -> Iterator[tuple[str, Row]]:
    with _csv_lines(path) as lines:
        for line in lines:
            where = f"{path.name} line {lines.number}"
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                entry = None
            if isinstance(entry, dict):
                yield where, entry
            else:
                report.add(where, "lines that are no JSON object")


def _parquet(path: Path) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError(
            f"{path}: reading Parquet needs pyarrow; install it with `pip install mov_ai[parquet]`"
        ) from None
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise UsageError(f"{path}: is no Parquet file ({str(error).splitlines()[0]}); fetch it again") from None


def _parquet_rows(path: Path, report: Report) -> Iterator[tuple[str, Row]]:
    file = _parquet(path)
    count = itertools.count()
    for batch in file.iter_batches(batch_size=4096):
        yield from ((f"{path.name} row {next(count)}", row) for row in batch.to_pylist())


_RAW = {
    ".csv": _csv_rows,
    ".tsv": _csv_rows,
    ".json": _json_rows,
    ".jsonl": _json_line_rows,
    ".parquet": _parquet_rows,
}
