"""`flask db upgrade`: the predecessor's rows are moved while its programs go on, then the tables are exchanged."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from isems.domain.clock import TOLERANCE, Moment
from isems.domain.payload import Source
from isems.domain.rejection import Reason, Rejected
from isems.errors import StorageError
from isems.formats.predecessor_row import COLUMNS
from isems.storage import predecessor, schema
from isems.storage.backup import copy_database, free_name
from isems.storage.database import Database, read_version
from isems.storage.predecessor import Progress, read_progress, save_progress
from isems.storage.rejected import insert_permanently
from isems.storage.upgrade import upgrade_database
from isems.switchover.room import FreeBytes, find_room, free_of
from isems.switchover.rows import Judge, Judged, reject
from isems.switchover.zone import doubts, find_zone

#: Rows in one transaction: held in memory at once, and done in a fraction of the time that an old writer waits.
BATCH = 10_000
#: How far ahead of our clock a row may be where nobody vouches for that clock.
DISTRUST_SECONDS = 30 * 86_400


class Voice(msgspec.Struct, frozen=True):
    """How an upgrade makes itself heard."""

    #: A line for people.
    say: Callable[[str], None]
    #: What is being done, how much of it is done, and how much there is of it.
    show: Callable[[str, int, int], None]


class Upgraded(msgspec.Struct, frozen=True):
    """Versions before and after, and what was moved where the database was the predecessor's."""

    before: str | None
    after: str
    moved: Progress | None = None


def upgrade(
    database: Database,
    moment: Moment,
    voice: Voice,
    timezone: ZoneInfo | None = None,
    free_bytes: FreeBytes = free_of,
) -> Upgraded:
    """Create the database, or bring one of any older version up to this program's.

    Killed at any point, it can be run again and ends the same. Raises StorageError where it cannot be done.
    """
    with database.read_any_version() as connection:
        version = read_version(connection)
    moved = None
    if version in predecessor.VERSIONS:
        moved = _Move(database, moment, voice, find_zone(database, timezone), free_bytes).run()
    before, after = upgrade_database(database)
    return Upgraded(version if moved else before, after, moved)


class _Move:
    def __init__(
        self,
        database: Database,
        moment: Moment,
        voice: Voice,
        zone: ZoneInfo,
        free_bytes: FreeBytes,
    ) -> None:
        self.database = database
        self.now = moment.now
        self.latest = latest_of(moment)
        self.voice = voice
        self.free_bytes = free_bytes
        self.judge = Judge(zone)
        self.zone = zone
        self.count = 0
        #: Rows that were dealt with before an interruption.
        self.before = 0

    def run(self) -> Progress | None:
        """Move everything; None where another process was faster."""
        self._say_what_comes()
        progress = self._begin()
        if progress is None:
            return None
        self._back_up(progress)
        self.before = progress.done
        if self.before:
            self.voice.say(f"{self.before} of {self.count} rows were moved before an interruption.")
        while True:
            with self.database.write_any_version() as connection:
                if read_version(connection) not in predecessor.VERSIONS:
                    return None
                self._make_tables(connection)
                settled = predecessor.select_settled_id(connection)
            if self._move_until(settled) <= BATCH:  # what is left is little enough to keep the writers waiting
                return self._exchange()

    def _say_what_comes(self) -> None:
        with self.database.read_any_version() as connection:
            self.count = predecessor.count_rows(connection)
            progress = read_progress(connection)
        if self.database.is_sqlite:
            self._check_room(progress)
            return
        self.voice.say(f"Times are read as those of {self.zone.key}; --timezone names another zone.")
        for doubt in doubts(self.database, self.zone, datetime.fromtimestamp(self.now, UTC).year):
            self.voice.say(f"Warning: {doubt}.")

    def _check_room(self, progress: Progress | None) -> None:
        """Tell how much disk it takes; raise StorageError where there is not enough."""
        room = find_room(self.database, self.count, progress, self.latest, self.free_bytes)
        if not room.is_enough:
            raise StorageError(f"the upgrade of {self.count} rows {room} in {room.folder}: nothing was changed")
        if self.count:
            self.voice.say(f"The upgrade of {self.count} rows {room}.")

    def _begin(self) -> Progress | None:
        """Note that a move begins, or give how far the last one came; None where nothing is to be moved any more."""
        if self.database.is_sqlite:
            self.database.switch_to_wal()  # readers, the backup among them, and writers do not wait for each other
        with self.database.write_any_version() as connection:
            if read_version(connection) not in predecessor.VERSIONS:
                return None
            progress = read_progress(connection)
            if progress is None or (progress.version, progress.zone) != (schema.HEAD, self.zone.key):
                backup = progress.backup if progress else self._plan_backup()
                progress = Progress(version=schema.HEAD, zone=self.zone.key, backup=backup)
                save_progress(connection, progress)
            return progress

    def _plan_backup(self) -> str | None:
        if not self.count or not self.database.is_sqlite:
            return None
        return str(free_name(path_of(self.database)))

    def _back_up(self, progress: Progress) -> None:
        if progress.backup is None:
            return
        self.voice.say(f"Backup: {progress.backup}")
        copy_database(
            path_of(self.database),
            Path(progress.backup),
            predecessor.progress_table.name,
            lambda done, pages: self.voice.show("Copying", done, pages),
        )

    def _make_tables(self, connection: Connection) -> None:
        if _read(connection).last_id == predecessor.FIRST_ID:
            predecessor.create_tables(connection)

    def _move_until(self, settled: int) -> int:
        """Move all rows up to an id, a batch a transaction; gives how many those were."""
        added = 0
        while True:
            with self.database.read_any_version() as connection:
                progress = read_progress(connection)
                if progress is None:
                    return added  # another process has exchanged the tables meanwhile
                judged = self._judge(connection, progress, settled)
            if judged is None:
                return added
            with self.database.write_any_version() as connection:
                if read_progress(connection) == progress:  # else another upgrade runs beside this one
                    progress = self._store(connection, progress, judged)
            added += len(judged.rows) + len(judged.rejected)
            # Of what is left: rows of before an interruption, done in no time, would make the time left too short.
            self.voice.show("Moving", progress.done - self.before, max(self.count, progress.done) - self.before)

    def _judge(self, connection: Connection, progress: Progress, settled: int) -> Judged | None:
        rows = predecessor.select_rows(connection, COLUMNS, progress.last_id, settled, BATCH)
        return self.judge.judge(connection, rows, self.latest) if rows else None

    def _store(self, connection: Connection, progress: Progress, judged: Judged) -> Progress:
        inserted = predecessor.insert_moved(connection, judged.measurements, self.now)
        refused = len(inserted.conflicts) + len(inserted.beyond_limit)
        conflict = "another row of this node and second is there and differs"
        rejected = [
            *judged.rejected,
            *(reject(judged.rows[index], Reason.CONFLICT, conflict) for index in inserted.conflicts),
            *(reject(judged.rows[index], Reason.NODE_LIMIT, "too many nodes") for index in inserted.beyond_limit),
        ]
        insert_permanently(connection, Source.UPGRADE, "measurement", rejected, self.now)
        progress = msgspec.structs.replace(
            progress,
            last_id=judged.last_id,
            moved=progress.moved + inserted.stored,
            duplicate=progress.duplicate + len(judged.measurements) - inserted.stored - refused,
            rejected=_add(progress.rejected, rejected),
            doubled=progress.doubled + judged.doubled,
            second=progress.second + judged.second,
        )
        save_progress(connection, progress)
        return progress

    def _exchange(self) -> Progress | None:
        """Take over the rows added last and put the new table in the old one's place, while nobody else can write."""
        with self.database.write_any_version() as connection:
            if read_version(connection) not in predecessor.VERSIONS:
                return None
            predecessor.lock_out_writers(connection)
            progress = _read(connection)
            while judged := self._judge(connection, progress, predecessor.select_settled_id(connection)):
                progress = self._store(connection, progress, judged)
            held = predecessor.count_rows(connection)
            if held == progress.done:
                predecessor.replace_measurement(connection)
                return progress
        self._begin_anew(progress)
        raise StorageError(
            f"the old table was changed meanwhile ({held} rows, {progress.done} were read): nothing was changed, "
            "run it again"
        )

    def _begin_anew(self, progress: Progress) -> None:
        with self.database.write_any_version() as connection:
            fresh = Progress(version=progress.version, zone=progress.zone, backup=progress.backup)
            save_progress(connection, fresh)


def path_of(database: Database) -> Path:
    """Give the file of a SQLite database."""
    return Path(str(database.url.database))


def latest_of(moment: Moment) -> int:
    """Give the instant after which no row can be true."""
    return moment.now + (TOLERANCE if moment.is_trusted else DISTRUST_SECONDS)


def _read(connection: Connection) -> Progress:
    progress = read_progress(connection)
    if progress is None:
        raise StorageError("the note of how far the upgrade came is gone: run it again")
    return progress


def _add(counts: dict[str, int], rejected: Sequence[Rejected]) -> dict[str, int]:
    counts = dict(counts)
    for one in rejected:
        counts[one.reason.value] = counts.get(one.reason.value, 0) + 1
    return counts
