"""Parquet, which the package duckdb writes (the extra `parquet`): it reads the lines of NDJSON and streams, too."""

import gzip
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from isems.errors import ConfigError, StorageError
from isems.export.encoding import COLUMNS

#: What is not a number.
TYPES = {
    "node": "VARCHAR",
    "measured_at": "TIMESTAMPTZ",
    "status": "VARCHAR",
    "time_repaired": "BOOLEAN",
    "untrusted": "VARCHAR[]",
    "isems_revision": "VARCHAR",
    "firmware": "VARCHAR",
    "dialect": "VARCHAR",
}
#: It neither takes the whole machine nor fetches anything.
SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "200MB",
    "threads": 1,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def check_duckdb() -> None:
    """Raise ConfigError where the package is missing."""
    if find_spec("duckdb") is None:
        raise ConfigError(
            "--format is 'parquet', expected the package duckdb to be installed: pip install -r requirements-parquet.txt"
        )


def write_parquet(file: BinaryIO, lines: Iterable[bytes]) -> None:
    """Write lines of NDJSON as Parquet into a file with a name; beside it they lie compressed meanwhile."""
    import duckdb  # only whoever asks for it needs it

    rows = Path(f"{file.name}.rows")
    columns = ", ".join(f"{name}: '{TYPES.get(name, 'DOUBLE')}'" for name in COLUMNS)
    reading = f"read_json(?, format = 'newline_delimited', compression = 'gzip', columns = {{{columns}}})"
    try:
        with gzip.open(rows, "wb", compresslevel=1) as text:
            text.writelines(lines)
        with duckdb.connect(config=SETTINGS) as connection:
            connection.execute(
                f"COPY (FROM {reading}) TO ? (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)",
                [str(rows), file.name],
            )
    except duckdb.Error as error:
        raise StorageError(f"{file.name} cannot be written: {' '.join(str(error).split())}") from error
    finally:
        rows.unlink(missing_ok=True)
