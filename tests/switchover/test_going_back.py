"""The way back that docs/switching.md tells, gone as it is told."""

import re
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, text

from isems.domain.clock import Moment, Uptime
from isems.storage.database import Database
from isems.switchover.move import Voice, upgrade
from tests.predecessor import COLUMNS, OldRow, history, insert_old, instant, make_database

PAGE = Path(__file__).resolve().parents[2] / "docs" / "switching.md"
MOMENT = Moment(instant(2026, 1, 1, 12), is_trusted=True, uptime=Uptime("boot", 1000))


def upgraded(url: str) -> int:
    """Upgrade; give how many rows were moved."""
    database = Database(url)
    done = upgrade(database, MOMENT, Voice(lambda _: None, lambda *_: None))
    database.close()
    assert done.moved is not None
    return done.moved.moved


def old_state(url: str) -> tuple[Any, ...]:
    """The tables, the keys and indexes, the rows, the version."""
    database = Database(url)
    with database.write_any_version() as connection:
        look = inspect(connection)
        tables = sorted(look.get_table_names())
        names = [look.get_pk_constraint("measurement"), look.get_indexes("measurement")]
        columns = ", ".join(f'"{name}"' for name in COLUMNS)
        rows = [tuple(row) for row in connection.execute(text(f"SELECT id, {columns} FROM measurement ORDER BY id"))]
        (version,) = connection.execute(text("SELECT version_num FROM alembic_version")).one()
    database.close()
    return tables, names, rows, version


def add_as_the_predecessor_does(url: str) -> None:
    database = Database(url)
    with database.write_any_version() as connection:
        insert_old(connection, [next(history(1, [instant(2025, 12, 1, 0)])).row])
    database.close()


def rows() -> list[OldRow]:
    return [one.row for one in islice(history(1000, [instant(2025, 10, 25, 20)]), 500)]


def test_on_sqlite_the_backup_is_the_predecessors_database_and_can_be_upgraded_again(sqlite_url: str) -> None:
    make_database(sqlite_url, rows())
    before = old_state(sqlite_url)
    assert upgraded(sqlite_url) == 500
    path = sqlite_url.removeprefix("sqlite:///")
    shutil.copy(f"{path}.before-upgrade", path)
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    assert old_state(sqlite_url) == before
    add_as_the_predecessor_does(sqlite_url)
    assert upgraded(sqlite_url) == 501
    assert Path(f"{path}.before-upgrade-2").exists()


def test_on_postgresql_the_old_table_takes_its_place_again_and_nothing_of_ours_is_left(postgresql_url: str) -> None:
    make_database(postgresql_url, rows())
    before = old_state(postgresql_url)
    assert upgraded(postgresql_url) == 500
    found = re.search(r"```sql\nBEGIN;\n(.*?)COMMIT;\n```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    database = Database(postgresql_url)
    with database.write_any_version() as connection:
        for statement in found[1].splitlines():
            connection.exec_driver_sql(statement)
    database.close()
    assert old_state(postgresql_url) == before
    add_as_the_predecessor_does(postgresql_url)
    assert upgraded(postgresql_url) == 501
