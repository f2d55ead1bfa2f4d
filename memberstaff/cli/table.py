"""Reading CSV files as people write them: any common separator, headers in any spelling, UTF-8."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from memberstaff.cli.console import CommandError
from memberstaff.inputs import fold

SEPARATORS = ",;\t"
LARGEST = 32_000_000
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row's cells by column, without the empty ones; `line` is its line in the file."""

    line: int
    cells: Mapping[str, str]


def read(file: Path, columns: Mapping[str, str], *, required: set[str]) -> list[Row]:
    """The rows of a file. `columns` maps folded headers to column names. Raises CommandError for an invalid file."""
    try:
        if file.stat().st_size > LARGEST:
            raise CommandError(f"{file} has more than {LARGEST:,} bytes; split it.")
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise CommandError(f"{file} is not UTF-8 (line {line}); save it as “CSV UTF-8”.") from None
    first = text.partition("\n")[0]
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        header = [columns.get(_plain(cell)) for cell in next(reader, [])]
        if missing := required - set(header):
            names = ", ".join(sorted(set(columns.values())))
            raise CommandError(
                f"{file} has no column {' or '.join(sorted(missing))}. Its first line must name its columns: {names}."
            )
        if len(named := [name for name in header if name]) != len(set(named)):
            raise CommandError(f"{file} has the same column twice.")
        rows = []
        for cells in reader:
            found = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if name and cell.strip()}
            if found:
                rows.append(Row(reader.line_num, found))
        return rows
    except csv.Error as error:
        raise CommandError(f"{file}, line {reader.line_num}: {error}.") from None


def _plain(header: str) -> str:
    return fold(header.replace("_", " ").replace("-", " "))
