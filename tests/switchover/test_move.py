"""The predecessor's database is upgraded: row by row what its nodes had sent, whatever happens meanwhile."""

import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import datetime
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import event, text

from isems.domain.clock import Moment, Uptime
from isems.domain.payload import Source
from isems.domain.rejection import Reason, Rejected
from isems.errors import ConfigError, SchemaOutdatedError, StorageError
from isems.storage import schema
from isems.storage.database import Database, read_version
from isems.storage.measurements import insert_measurements
from isems.storage.predecessor import (
    FIRST_ID,
    VERSIONS,
    create_tables,
    replace_measurement,
    select_neighbour,
    select_rows,
)
from isems.storage.rejected import StoredRejection, insert_rejected, select_rejected
from isems.switchover import room
from isems.switchover.move import Upgraded, Voice, upgrade
from tests.predecessor import (
    BERLIN,
    COLUMNS,
    HARDWARE,
    Sent,
    history,
    insert_old,
    instant,
    local_text,
    make_database,
    sent_at,
    set_zone,
)
from tests.upgrading import (
    AUTUMNS,
    ISEMS,
    backup_of,
    check,
    check_backup,
    check_file,
    check_history,
    finish,
    is_begun,
    kill_when,
    make_history,
    path_of,
    read_all,
    rows_moved,
)

NOW = instant(2026, 1, 1, 12)
Lines = list[str]


def moment(now: int = NOW, *, is_trusted: bool = True) -> Moment:
    return Moment(now, is_trusted, Uptime("boot", 1000))


def run(url: str, lines: Lines | None = None, timezone: ZoneInfo | None = None, **options: Any) -> Upgraded:
    database = Database(url)
    voice = Voice((lines if lines is not None else []).append, options.pop("show", lambda *_: None))
    try:
        return upgrade(database, options.pop("moment", moment()), voice, timezone, **options)
    finally:
        database.close()


def rejections(url: str) -> list[StoredRejection]:
    database = Database(url)
    with database.read() as connection:
        found = select_rejected(connection, 100_000)
    database.close()
    return found


def node_sent(*instants: int, node: str = "Dach", zone: ZoneInfo = BERLIN) -> list[Sent]:
    random = Random(len(instants))
    return [sent_at(node, at, HARDWARE[0], random, zone) for at in instants]


def changed(row: tuple[Any, ...], **values: Any) -> tuple[Any, ...]:
    return tuple(values.get(name, value) for name, value in zip(COLUMNS, row, strict=True))


# -- killed and run again -------------------------------------------------------------------------


def test_100_000_rows_over_two_autumns_and_three_kills_arrive_one_by_one(database_url: str) -> None:
    """Defects 16 and 17: what the doubled hour left in the old database is at the right instants."""
    make_history(database_url, 100_000)
    assert kill_when(database_url, is_begun)
    assert kill_when(database_url, lambda database: rows_moved(database) >= 20_000)
    with closing(Database(database_url)) as database, pytest.raises(SchemaOutdatedError):
        database.make_ready()
    first_backup = identity(backup_of(database_url))
    assert kill_when(database_url, lambda database: rows_moved(database) >= 60_000)
    said = finish(database_url).splitlines()
    check_history(database_url, 100_000, said[-1])
    assert identity(backup_of(database_url)) == first_backup
    assert not any(line.startswith("Warning") for line in said)
    assert finish(database_url).endswith(" is up to date.\n")


def identity(path: Path) -> tuple[int, int] | None:
    """Which file this is, and as of when."""
    return (path.stat().st_ino, path.stat().st_mtime_ns) if path.exists() else None


class Interrupted(BaseException):
    """As a signal would."""


def test_interrupted_after_any_step_it_ends_the_same(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isems.switchover.move.BATCH", 50)
    sent = list(islice(history(10_000, AUTUMNS[:1]), 400))
    broken = [changed(sent[7].row, timestamp=None), changed(sent[9].row, nodeId="")]
    rows = [one.row for one in sent]
    make_database(database_url, [*rows[:100], *broken, *rows[100:]])

    seen = set()

    def interrupt(*step: object) -> None:
        if step not in seen:
            seen.add(step)
            raise Interrupted

    steps = 0
    while True:
        try:
            upgraded = run(database_url, show=interrupt, timezone=None if "sqlite" in database_url else BERLIN)
            break
        except Interrupted:
            steps += 1
    assert steps >= 402 // 50
    assert upgraded.moved is not None
    assert (upgraded.moved.moved, upgraded.moved.rejected) == (400, {"no_time": 1, "node_name": 1})
    check(database_url, sent)
    assert len(rejections(database_url)) == 2


def test_an_upgrade_that_ended_before_the_file_was_made_small_is_ended_by_the_next(sqlite_url: str) -> None:
    make_database(sqlite_url, [one.row for one in node_sent(*range(NOW - 6000, NOW, 60))])
    run(sqlite_url)
    database = Database(sqlite_url)
    database.execute_alone("PRAGMA journal_mode = DELETE", "PRAGMA auto_vacuum = NONE", "VACUUM")
    database.close()
    assert run(sqlite_url) == Upgraded(schema.HEAD, schema.HEAD)
    with closing(sqlite3.connect(path_of(sqlite_url))) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)


# -- versions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_of_the_predecessor_is_moved(database_url: str, version: str) -> None:
    sent = node_sent(*range(NOW - 6000, NOW, 60))
    make_database(database_url, [one.row for one in sent], version)
    zone = None if "sqlite" in database_url else BERLIN
    upgraded = run(database_url, timezone=zone)
    assert (upgraded.before, upgraded.after) == (version, schema.HEAD)
    if version == VERSIONS[0]:
        sent = [one._replace(measurement=msgspec.structs.replace(one.measurement, status=None)) for one in sent]
    check(database_url, sent)
    database = Database(database_url)
    with database.read() as connection:
        assert read_version(connection) == schema.HEAD
    database.close()
    assert run(database_url) == Upgraded(schema.HEAD, schema.HEAD)


def test_what_was_not_kept_is_completed_by_the_nodes_own_log(database_url: str) -> None:
    sent = node_sent(*range(NOW - 6000, NOW, 60))
    make_database(database_url, [changed(one.row, status=None, isPowerSaveMode=False) for one in sent])
    run(database_url, timezone=None if "sqlite" in database_url else BERLIN)
    logged = [msgspec.structs.replace(one.measurement, status=0x900, power_save_level=3) for one in sent]
    database = Database(database_url)
    with database.write() as connection:
        inserted = insert_measurements(connection, logged, NOW)
    database.close()
    assert (inserted.stored, inserted.completed, inserted.conflicts) == (0, 100, [])
    assert read_all(database_url) == logged


def test_somebodys_view_of_the_old_columns_is_no_hindrance(sqlite_url: str) -> None:
    sent = node_sent(*range(NOW - 6000, NOW, 60))
    make_database(sqlite_url, [one.row for one in sent])
    with closing(sqlite3.connect(path_of(sqlite_url))) as connection:
        connection.execute("CREATE VIEW volts AS SELECT nodeId, batteryVoltage FROM measurement")
    run(sqlite_url)
    check(sqlite_url, sent)


# -- rows that cannot be moved ----------------------------------------------------------------------


BROKEN = [
    ({"timestamp": None}, Reason.NO_TIME),
    ({"timestamp": "2025-03-30 02:30:00.000000"}, Reason.TIME_SKIPPED),
    ({"timestamp": "1970-01-01 01:00:00.000000"}, Reason.CLOCK_UNSET),
    ({"timestamp": "2038-01-01 00:00:00.000000"}, Reason.CLOCK_AHEAD),
    ({"nodeId": ""}, Reason.NODE_NAME),
    ({"nodeId": None}, Reason.NODE_NAME),
    ({"nodeId": "x" * 10_000}, Reason.NODE_NAME),
    ({"status": -1}, Reason.VALUE_UNREADABLE),
]
#: SQLite takes anything in any column.
BROKEN_ON_SQLITE = [
    ({"timestamp": "yesterday"}, Reason.TIME_UNREADABLE),
    ({"timestamp": "2025-13-01 00:00:00.000000"}, Reason.TIME_UNREADABLE),
    ({"timestamp": "2025-10-26 02:99:00.000000"}, Reason.TIME_UNREADABLE),
    ({"timestamp": 1_761_436_800}, Reason.TIME_UNREADABLE),
    ({"timestamp": "9999-12-31 23:59:59.000000"}, Reason.CLOCK_AHEAD),
    ({"timestamp": "0001-01-01 00:00:00.000000"}, Reason.TIME_UNREADABLE),
    ({"nodeId": "a\0b"}, Reason.NODE_NAME),
    ({"nodeId": b"\xff\xfe"}, Reason.NODE_NAME),
    ({"batteryVoltage": "viel"}, Reason.VALUE_UNREADABLE),
    ({"batteryVoltage": b"\x01"}, Reason.VALUE_UNREADABLE),
    ({"status": 1.5}, Reason.VALUE_UNREADABLE),
    ({"isPowerSaveMode": 7}, Reason.VALUE_UNREADABLE),
    ({"openMPPTFirmwareVersion": b"\xff"}, Reason.VALUE_UNREADABLE),
]


def test_what_cannot_be_moved_is_kept_with_its_reason_and_whole(database_url: str) -> None:
    """Defects 10 and 19: what was stored and could not be true."""
    is_sqlite = "sqlite" in database_url
    broken = BROKEN + (BROKEN_ON_SQLITE if is_sqlite else [])
    good = node_sent(*range(NOW - 6000, NOW, 60))
    bad = [changed(one.row, **values) for one, (values, _) in zip(node_sent(*range(len(broken))), broken, strict=True)]
    bad = [row if "timestamp" in values else changed(row, timestamp=local_text(NOW - 9000 - number))
           for number, (row, (values, _)) in enumerate(zip(bad, broken, strict=True))]  # fmt: skip
    make_database(database_url, [*(one.row for one in good[:50]), *bad, *(one.row for one in good[50:])])
    upgraded = run(database_url, timezone=None if is_sqlite else BERLIN)
    check(database_url, good)
    kept = {json.loads(one.raw)["id"]: one for one in rejections(database_url)}
    assert len(kept) == len(broken)
    for number, ((values, reason), row) in enumerate(zip(broken, bad, strict=True)):
        one = kept[51 + number]
        assert one.reason == reason, values
        told = json.loads(one.raw)
        assert told["latitude"] == row[COLUMNS.index("latitude")]
        assert told.get("nodeId") == row[0] or isinstance(row[0], bytes)
        assert (one.source, one.times) == ("upgrade", 1)
    assert upgraded.moved is not None
    assert sum(upgraded.moved.rejected.values()) == len(broken)


def test_text_that_is_no_utf_8_is_kept_too(sqlite_url: str) -> None:
    good = node_sent(*range(NOW - 6000, NOW, 60))
    make_database(sqlite_url, [one.row for one in good])
    with closing(sqlite3.connect(path_of(sqlite_url))) as connection:
        connection.execute(
            "INSERT INTO measurement (nodeId, timestamp) VALUES (CAST(x'c328' AS TEXT), '2025-12-01 00:00:00')"
        )
        connection.commit()
    run(sqlite_url)
    check(sqlite_url, good)
    assert [one.reason for one in rejections(sqlite_url)] == ["node_name"]


def test_a_number_that_is_none_is_unknown_and_the_row_is_kept(database_url: str) -> None:
    """Defect 18: latitude inf and nan."""
    (sent,) = node_sent(NOW - 60)
    make_database(database_url, [changed(sent.row, latitude=float("inf"), batteryVoltage=float("nan"))])
    run(database_url, timezone=None if "sqlite" in database_url else BERLIN)
    (stored,) = read_all(database_url)
    assert (stored.configuration.latitude, stored.battery_volts) == (None, None)
    assert stored.battery_celsius == sent.measurement.battery_celsius


def test_fractions_of_a_second_make_duplicates_or_conflicts(database_url: str) -> None:
    first, second = node_sent(NOW - 60, NOW - 60)
    same = changed(first.row, timestamp=first.row[1][:-6] + "250000")
    other = changed(second.row, timestamp=first.row[1][:-6] + "500000")
    make_database(database_url, [first.row, same, other])
    upgraded = run(database_url, timezone=None if "sqlite" in database_url else BERLIN)
    check(database_url, [first])
    assert upgraded.moved is not None
    assert (upgraded.moved.moved, upgraded.moved.duplicate, upgraded.moved.rejected) == (1, 1, {"conflict": 1})


def test_what_was_rejected_by_the_upgrade_is_outside_the_limits(sqlite_url: str) -> None:
    rows = [changed(one.row, timestamp=None) for one in node_sent(*range(1100))]
    make_database(sqlite_url, rows)
    run(sqlite_url)
    database = Database(sqlite_url)
    with database.write() as connection:
        insert_rejected(connection, *other_rejection(), NOW, max_per_origin=1, max_in_all=1)
    database.close()
    assert sum(one.source == "upgrade" for one in rejections(sqlite_url)) == 1100


def other_rejection() -> tuple[Any, ...]:
    return Source.POLL, "10.0.0.1", [Rejected(b"junk", Reason.FIELD_COUNT, "1 field", "Dach")]


def test_a_clock_that_nobody_vouches_for_rejects_nothing_of_this_month(sqlite_url: str) -> None:
    sent = node_sent(NOW + 86_400)
    make_database(sqlite_url, [one.row for one in sent])
    run(sqlite_url, moment=moment(is_trusted=False))
    check(sqlite_url, sent)


# -- time zones -----------------------------------------------------------------------------------


def test_on_sqlite_it_is_berlin_whatever_the_settings_say(sqlite_url: str) -> None:
    sent = node_sent(NOW - 60)
    make_database(sqlite_url, [one.row for one in sent])
    environment = os.environ | {"DATABASE_URL": sqlite_url, "ISEMS_TIMEZONE": "Asia/Tokyo", "TZ": "America/Lima"}
    subprocess.run(ISEMS, env=environment, capture_output=True, timeout=60, check=True)
    check(sqlite_url, sent)


def test_on_sqlite_another_zone_is_wrong_usage(sqlite_url: str) -> None:
    make_database(sqlite_url)
    with pytest.raises(ConfigError, match=r"--timezone is 'UTC', expected on PostgreSQL only"):
        run(sqlite_url, timezone=ZoneInfo("UTC"))


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/New_York"])
def test_on_postgresql_the_servers_zone_counts(postgresql_url: str, name: str) -> None:
    """Defect 25: with the session in UTC the predecessor stored UTC."""
    zone = ZoneInfo(name)
    sent = node_sent(*range(AUTUMNS[1], AUTUMNS[1] + 30_000, 60), zone=zone)
    seen: set[str] = set()
    sent = [one for one in sent if not (one.row[1] in seen or seen.add(one.row[1]))]  # type: ignore[func-returns-value]
    set_zone(postgresql_url, name)
    make_database(postgresql_url, [one.row for one in sent])
    lines: Lines = []
    run(postgresql_url, lines)
    assert lines == [f"Times are read as those of {name}; --timezone names another zone."]
    check(postgresql_url, sent)


def test_on_postgresql_a_zone_can_be_named_and_one_that_does_not_fit_is_told(postgresql_url: str) -> None:
    sent = node_sent(*range(instant(2025, 3, 29, 20), instant(2025, 3, 30, 6), 300))
    set_zone(postgresql_url, "UTC")
    make_database(postgresql_url, [one.row for one in sent])
    lines: Lines = []
    run(postgresql_url, lines, timezone=BERLIN)
    assert len(lines) == 1
    check(postgresql_url, sent)


@pytest.mark.parametrize(
    ("written", "read", "begin", "warning"),
    [
        ("UTC", "Europe/Berlin", instant(2025, 3, 29, 20), r"12 rows lie in hours that clocks of Europe/Berlin skip"),
        ("Europe/Berlin", "UTC", instant(2025, 3, 29, 20), r"no row lies in the hours that clocks of Europe/Berlin s"),
        ("Europe/Berlin", "UTC", instant(2025, 10, 25, 20), r"Europe/Berlin has twice, 1 times step back"),
    ],
)
def test_rows_that_speak_against_the_zone_are_told(
    postgresql_url: str, written: str, read: str, begin: int, warning: str
) -> None:
    sent = node_sent(*range(begin, begin + 36_000, 300), zone=ZoneInfo(written))
    shifted = [changed(one.row, timestamp=one.row[1][:-6] + f"{number:06d}") for number, one in enumerate(sent)]
    make_database(postgresql_url, shifted)
    lines: Lines = []
    run(postgresql_url, lines, timezone=ZoneInfo(read))
    assert any(re.search(f"^Warning: .*{warning}", line) for line in lines), lines


def test_a_server_zone_without_a_name_must_be_named(postgresql_url: str) -> None:
    make_database(postgresql_url)
    set_zone(postgresql_url, "<+03>-03")
    with pytest.raises(ConfigError, match=r"give it by --timezone"):
        run(postgresql_url)


# -- backup and disk ------------------------------------------------------------------------------


def test_an_older_backup_is_never_replaced(sqlite_url: str) -> None:
    sent = node_sent(*range(NOW - 6000, NOW, 60))
    make_database(sqlite_url, [one.row for one in sent])
    older = Path(f"{path_of(sqlite_url)}.before-upgrade")
    older.write_bytes(b"of another life")
    lines: Lines = []
    run(sqlite_url, lines)
    assert older.read_bytes() == b"of another life"
    assert f"Backup: {older}-2" in lines
    check_backup(Path(f"{older}-2"), 100)


def test_a_backup_that_was_put_back_is_upgraded_again_with_a_backup_of_its_own(sqlite_url: str) -> None:
    sent = node_sent(*range(NOW - 6000, NOW, 60))
    make_database(sqlite_url, [one.row for one in sent])
    run(sqlite_url)
    path = path_of(sqlite_url)
    path.write_bytes(Path(f"{path}.before-upgrade").read_bytes())
    lines: Lines = []
    run(sqlite_url, lines)
    assert f"Backup: {path}.before-upgrade-2" in lines
    check(sqlite_url, sent)


def test_two_upgrades_at_once_make_one_backup_and_move_each_row_once(sqlite_url: str) -> None:
    sent = list(islice(history(24_000, AUTUMNS), 12_000))
    make_database(sqlite_url, [one.row for one in sent])
    environment = os.environ | {"DATABASE_URL": sqlite_url}
    upgrades = [subprocess.Popen(ISEMS, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [upgrading.communicate(timeout=60)[0].splitlines()[-1] for upgrading in upgrades]
    assert [upgrading.returncode for upgrading in upgrades] == [0, 0]
    assert any(": 12000 rows moved, 0 rejected" in line for line in said)
    check(sqlite_url, sent)
    path = path_of(sqlite_url)
    assert {file.name for file in path.parent.iterdir()} == {path.name, f"{path.name}.before-upgrade"}
    check_backup(Path(f"{path}.before-upgrade"), 12_000)


def test_a_file_that_cannot_be_copied_whole_is_not_upgraded(sqlite_url: str) -> None:
    make_database(sqlite_url, [one.row for one in node_sent(*range(NOW - 6000, NOW, 60))])
    path, damaged = path_of(sqlite_url), bytearray(path_of(sqlite_url).read_bytes())
    page = next(
        at for at in range(0, len(damaged), 4096) if damaged[at] == 0x0D and b"ATmega8" in damaged[at : at + 4096]
    )
    damaged[page + 8 : page + 20] = b"\xff" * 12  # where the page says that its rows are
    path.write_bytes(damaged)
    with pytest.raises(StorageError, match=r"the backup .*before-upgrade cannot be made: it was read back with errors"):
        run(sqlite_url)
    assert (
        path.name
        in {file.name for file in path.parent.iterdir()}
        <= {path.name, f"{path.name}-wal", f"{path.name}-shm"}
    )
    with closing(Database(sqlite_url)) as database, pytest.raises(SchemaOutdatedError):
        database.make_ready()


def test_what_an_old_file_in_wal_mode_has_not_yet_taken_in_is_copied_and_moved_too(sqlite_url: str) -> None:
    sent = node_sent(*range(NOW - 6000, NOW, 60))
    make_database(sqlite_url, [one.row for one in sent[:50]])
    with closing(Database(sqlite_url)) as beside:
        beside.switch_to_wal()
        with beside.write_any_version() as connection:
            insert_old(connection, [one.row for one in sent[50:]])
        run(sqlite_url)
    check(sqlite_url, sent)
    check_backup(backup_of(sqlite_url), 100)
    check_file(sqlite_url)


def test_without_room_nothing_is_begun(sqlite_url: str) -> None:
    make_database(sqlite_url, [one.row for one in node_sent(*range(NOW - 6000, NOW, 60))])
    before = path_of(sqlite_url).read_bytes()
    with pytest.raises(StorageError, match=r"the upgrade of 100 rows needs 6\d MB, 50 MB are free in /.*: nothing was"):
        run(sqlite_url, free_bytes=lambda _: 50_000_000)
    assert path_of(sqlite_url).read_bytes() == before
    assert [file.name for file in path_of(sqlite_url).parent.iterdir()] == [path_of(sqlite_url).name]


def test_the_room_that_it_takes_is_told_before(sqlite_url: str) -> None:
    make_database(sqlite_url, [one.row for one in node_sent(*range(NOW - 6000, NOW, 60))])
    lines: Lines = []
    run(sqlite_url, lines, free_bytes=lambda _: 5_000_000_000)
    assert re.fullmatch(r"The upgrade of 100 rows needs 6\d MB, 5000 MB are free\.", lines[0])


def test_the_exchange_writes_little_however_large_the_old_table_is(sqlite_url: str) -> None:
    """Debian's SQLite writes over what is deleted: the journal took as much disk again as the old table."""
    make_database(sqlite_url, [one.row for one in islice(history(100_000, AUTUMNS), 10_000)])
    size = path_of(sqlite_url).stat().st_size
    with closing(Database(sqlite_url)) as database:
        database.switch_to_wal()
        with database.write_any_version() as connection:
            create_tables(connection)
            replace_measurement(connection)
        assert Path(f"{path_of(sqlite_url)}-wal").stat().st_size < size / 5


def test_rows_that_will_be_kept_whole_take_more_room_and_that_is_told(sqlite_url: str) -> None:
    """It takes twenty times as much as a moved one: where clocks had not been set, the room told was not enough."""
    sent = enumerate(node_sent(*range(1000)))
    make_database(sqlite_url, [changed(one.row, timestamp=f"1970-01-01 01:00:00.{at:06}") for at, one in sent])
    lines: Lines = []
    size = path_of(sqlite_url).stat().st_size
    run(sqlite_url, lines)
    told = re.match(r"The upgrade of 1000 rows needs ([0-9]+) MB", lines[0])
    assert told is not None
    assert int(told[1]) * 1_000_000 > room.SPARE_BYTES + size + room.COPIES * path_of(sqlite_url).stat().st_size


# -- old writers ----------------------------------------------------------------------------------


WRITER = """
import sys
from random import Random
from sqlalchemy import create_engine
from tests.predecessor import HARDWARE, insert_old, sent_at
url, begin = sys.argv[1], int(sys.argv[2])
engine, random = create_engine(url), Random(5)
written = 0
try:
    while True:
        rows = [sent_at("Schreiber", begin + 60 * (written + i), HARDWARE[0], random).row for i in range(5)]
        with engine.begin() as connection:
            insert_old(connection, rows)
        written += 5
        print(written, flush=True)
except Exception as error:
    print(type(error).__name__, str(error).splitlines()[0], flush=True)
    sys.exit(3)
"""


def test_a_writer_that_goes_on_loses_no_row_and_fails_loudly_in_the_end(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isems.switchover.move.BATCH", 500)
    sent = list(islice(history(100_000, AUTUMNS[1:]), 6000))
    make_database(database_url, [one.row for one in sent])
    begin = instant(2024, 1, 1, 0)
    command = [sys.executable, "-c", WRITER, database_url, str(begin)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "5\n"
        upgraded = run(database_url, timezone=None if "sqlite" in database_url else BERLIN)
        *_, last, complaint = ["5", *writer.stdout.read().splitlines()]
    assert writer.returncode == 3
    assert "no column named nodeId" in complaint or 'column "nodeId" of relation "measurement" does not' in complaint
    written = int(last)
    assert written > 5
    assert upgraded.moved is not None
    assert upgraded.moved.moved == 6000 + written
    random = Random(5)
    extra = [sent_at("Schreiber", begin + 60 * number, HARDWARE[0], random) for number in range(written)]
    check(database_url, [*sent, *extra])


def test_postgresql_rows_committed_out_of_order_are_not_passed_over(postgresql_url: str) -> None:
    """An id is given out before its row is committed: a later one may be there first."""
    sent = node_sent(*range(NOW - 6000, NOW, 60))
    (late,) = node_sent(NOW - 9000)
    make_database(postgresql_url, [one.row for one in sent[:50]])
    slow, quick = Database(postgresql_url), Database(postgresql_url)
    connection = slow.engine.connect()
    insert_old(connection, [late.row])  # takes the next id, and time
    with quick.engine.begin() as other:
        insert_old(other, [one.row for one in sent[50:]])
    command = [*ISEMS, "--timezone", "Europe/Berlin"]
    with subprocess.Popen(
        command, env=os.environ | {"DATABASE_URL": postgresql_url}, stdout=subprocess.PIPE
    ) as upgrading:
        wait_for_lock(quick)
        connection.commit()
        connection.close()
        assert upgrading.wait(30) == 0
    slow.close()
    quick.close()
    check(postgresql_url, [*sent, late])


def test_postgresql_sorts_nothing_to_find_the_next_rows_or_a_nodes_neighbours(postgresql_url: str) -> None:
    """It sorted all that was left of the table for each batch, and a node's whole history for each doubled hour."""
    make_database(postgresql_url, [one.row for one in islice(history(20_000, AUTUMNS), 5000)])
    plans: Lines = []
    with closing(Database(postgresql_url)) as database, database.read_any_version() as connection:

        @event.listens_for(connection, "before_cursor_execute")
        def explain(_connection: object, cursor: Any, statement: str, values: Any, *_: object) -> None:
            if statement.startswith("SELECT") and "FROM measurement" in statement:
                plans.append("\n".join(line for (line,) in cursor.execute(f"EXPLAIN {statement}", values)))

        assert len(select_rows(connection, ["id"], FIRST_ID, 2**62, 100)) == 100
        for before in (True, False):
            assert select_neighbour(connection, "Knoten 2/Süd", datetime(2024, 10, 27, 2), before=before)  # noqa: DTZ001
    assert len(plans) == 3
    assert not any("Sort" in plan for plan in plans), plans


def wait_for_lock(database: Database) -> None:
    for _ in range(1000):
        with database.engine.connect() as connection:
            waiting = connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar()
        if waiting:
            return
        time.sleep(0.01)
    raise AssertionError("nobody waits for the writer")


def test_progress_is_shown_on_a_terminal_with_rows_and_time_left(sqlite_url: str) -> None:
    make_database(sqlite_url, [one.row for one in islice(history(100_000, AUTUMNS), 41_000)])
    main, terminal = pty.openpty()
    environment = os.environ | {"DATABASE_URL": sqlite_url, "TERM": "xterm"}
    with (
        closing(Database(sqlite_url)) as database,
        subprocess.Popen(ISEMS, env=environment, stdout=subprocess.PIPE, stderr=terminal, text=True) as upgrading,
    ):
        os.close(terminal)
        while rows_moved(database) < 10_000:
            time.sleep(0.002)
        with database.write_any_version():
            time.sleep(1.1)  # no time left is told in the first second
        said, _ = upgrading.communicate(timeout=60)
    assert upgrading.returncode == 0
    shown = os.read(main, 100_000).decode()
    os.close(main)
    assert re.search(r"Copying .*Moving .* [1234]0000/41000  00:00:[0-9]{2}.*Moving .* 41000/41000", shown, re.DOTALL)
    assert said.count("\n") == 3


def test_after_an_interruption_progress_is_of_the_rows_that_are_left(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the rows of before, which took no time, would make the time left too short."""
    monkeypatch.setattr("isems.switchover.move.BATCH", 40)
    make_database(database_url, [one.row for one in node_sent(*range(NOW - 6000, NOW, 60))])
    zone = None if "sqlite" in database_url else BERLIN

    def interrupt(label: str, done: int, total: int) -> None:
        if (label, done, total) == ("Moving", 40, 100):
            raise Interrupted

    with pytest.raises(Interrupted):
        run(database_url, timezone=zone, show=interrupt)
    lines: Lines = []
    shown: list[tuple[object, ...]] = []
    run(database_url, lines, timezone=zone, show=lambda *step: shown.append(step))
    assert "40 of 100 rows were moved before an interruption." in lines
    assert shown == [("Moving", 40, 60), ("Moving", 60, 60)]


def test_rows_that_vanished_meanwhile_stop_the_exchange(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isems.switchover.move.BATCH", 40)
    sent = node_sent(*range(NOW - 6000, NOW, 60))
    make_database(sqlite_url, [one.row for one in sent])

    def delete_some(label: str, done: int, _: int) -> None:
        if label == "Moving" and done >= 40:
            with closing(sqlite3.connect(path_of(sqlite_url))) as connection:
                connection.execute("DELETE FROM measurement WHERE id = 7")
                connection.commit()

    with pytest.raises(StorageError, match=r"changed meanwhile \(99 rows, 100 were read\).*run it again"):
        run(sqlite_url, show=delete_some)
    run(sqlite_url)
    check(sqlite_url, [*sent[:6], *sent[7:]])
