"""The tables (docs/architecture.md tells why they look like this).

A fresh database is made from here; an older one is brought here by the migrations, and a test compares the two.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from isems.storage.text import PlainText

#: The newest migration; `storage.database` compares it with the database's own.
HEAD = "3e6f81a2d0c7"

metadata = MetaData()

#: SQLite knows one kind of integer, and only a plain INTEGER key is the row's own.
_Id = BigInteger().with_variant(Integer, "sqlite")

#: As Alembic makes it.
alembic_version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

node = Table(
    "node",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    #: The newest configuration that is no placeholder.
    Column("configuration_id", Integer),
    Column("first_seen_at", BigInteger, nullable=False),
    #: Receipt of the newest new record that came live; written at most once an hour.
    Column("delivered_at", BigInteger),
    sqlite_autoincrement=True,  # or the number of a deleted node would be given to the next
)

#: What is known of some nodes beside their measurements; of most there is nothing to say.
node_state = Table(
    "node_state",
    metadata,
    Column("node_id", Integer, ForeignKey("node.id"), primary_key=True, autoincrement=False),
    #: It sent samples that carry no time (`data.json`).
    Column("has_samples", Boolean, nullable=False),
    #: As its last live delivery showed it (domain.clock.ClockState), since when, and how much was to be added to it then.
    Column("clock_state", Text),
    Column("clock_state_at", BigInteger),
    Column("clock_offset_seconds", BigInteger),
    #: When its clock was last seen to have gone back by itself.
    Column("clock_stepped_at", BigInteger),
    #: Distinct records that met another one of the same second.
    Column("conflicts", BigInteger, nullable=False),
)

#: Which node answers at a polled address.
node_address = Table(
    "node_address",
    metadata,
    Column("address", PlainText, primary_key=True),
    Column("node_id", Integer, ForeignKey("node.id"), nullable=False),
)

configuration = Table(
    "configuration",
    metadata,
    Column("id", Integer, primary_key=True),
    #: All values as one text, because UNIQUE takes two unknowns for different.
    Column("key", Text, nullable=False, unique=True),
    #: The node that brought it first; counts towards that node's limit.
    Column("node_id", Integer, nullable=False, index=True),
    Column("isems_revision", Text),
    Column("firmware", Text),
    Column("low_voltage_disconnect_volts", Float(53)),
    Column("rated_battery_amp_hours", Float(53)),
    Column("rated_panel_watts", Float(53)),
    Column("latitude", Float(53)),
    Column("longitude", Float(53)),
    Column("dialect", Text, nullable=False),
    #: A silent controller's zeros or JSON without firmware: never becomes a node's configuration.
    Column("is_placeholder", Boolean, nullable=False),
)


def _measured(*, is_key: bool) -> list[Column[Any]]:
    """Make the columns of a measurement; a table needs its own."""
    return [
        Column("node_id", Integer, primary_key=is_key, autoincrement=False, nullable=False),
        Column("measured_at", BigInteger, primary_key=is_key, autoincrement=False, nullable=False),
        Column("configuration_id", Integer, nullable=False),
        Column("shutdown_ticks", Integer),
        Column("power_save_level", Integer),
        Column("panel_open_circuit_millivolts", Integer),
        Column("panel_mpp_millivolts", Integer),
        Column("battery_millivolts", Integer),
        Column("state_of_charge_percent", Integer),
        Column("state_of_health_percent", Integer),
        Column("battery_centicelsius", Integer),
        Column("charge_end_millivolts", Integer),
        Column("status", Integer),
        Column("time_repaired", Boolean, nullable=False),
        #: JSON of what the columns before it cannot hold exactly; nearly always NULL.
        Column("exact", Text),
    ]


measurement = Table("measurement", metadata, *_measured(is_key=True), sqlite_with_rowid=False)

#: What is not sorted into `measurement` yet, in the order in which it came (storage.inbox).
inbox = Table("inbox", metadata, Column("id", _Id, primary_key=True), *_measured(is_key=False))

_COLUMNS = ", ".join(column.name for column in measurement.columns)
#: Both together, for whoever reads: a record is in one of the two.
CREATE_EVERY_MEASUREMENT = (
    f"CREATE VIEW every_measurement AS SELECT {_COLUMNS} FROM measurement UNION ALL SELECT {_COLUMNS} FROM inbox"
)

#: The columns of `measurement` that roll-ups sum up.
SUMMED = (
    "shutdown_ticks",
    "power_save_level",
    "panel_open_circuit_millivolts",
    "panel_mpp_millivolts",
    "battery_millivolts",
    "state_of_charge_percent",
    "state_of_health_percent",
    "battery_centicelsius",
    "charge_end_millivolts",
)


def _summed() -> Iterator[Column[Any]]:
    """Make the columns of a roll-up: what a node's records of a span of time are together. Trusted values only."""
    #: All records, whatever is known of their values.
    yield Column("count", Integer, nullable=False)
    #: Every flag that any of them had; NULL where none told its status.
    yield Column("status", Integer)
    #: The newest that is no placeholder.
    yield Column("configuration_id", Integer)
    for name in SUMMED:
        #: The records in which it is known and trusted; the others are NULL where that is none.
        yield Column(f"{name}_count", Integer, nullable=False)
        yield Column(f"{name}_min", Integer)
        yield Column(f"{name}_max", Integer)
        yield Column(f"{name}_sum", BigInteger)
        yield Column(f"{name}_last", Integer)


#: By the hours of UTC (storage.rollups). An hour that the kept raw data begin in has two rows, before and after that.
hourly = Table(
    "hourly",
    metadata,
    Column("node_id", Integer, primary_key=True, autoincrement=False),
    Column("starts_at", BigInteger, primary_key=True, autoincrement=False),
    *_summed(),
    sqlite_with_rowid=False,
)

#: By local days.
daily = Table(
    "daily",
    metadata,
    Column("node_id", Integer, primary_key=True, autoincrement=False),
    Column("starts_at", BigInteger, primary_key=True, autoincrement=False),
    Column("ends_at", BigInteger, nullable=False),
    #: Whose days: below `rolled_up.kept_since` not always the one that is set now.
    Column("zone", Text, nullable=False),
    *_summed(),
    sqlite_with_rowid=False,
)

#: How far each node's history is rolled up.
rolled_up = Table(
    "rolled_up",
    metadata,
    Column("node_id", Integer, ForeignKey("node.id"), primary_key=True, autoincrement=False),
    #: Hours that begin before this are in `hourly`, but for stale ones.
    Column("hours_until", BigInteger, nullable=False),
    #: Days that begin before this are in `daily`, but for those with a stale hour.
    Column("days_until", BigInteger, nullable=False),
    #: Whose days they are, from `kept_since` on.
    Column("zone", Text, nullable=False),
    #: What is older was pruned: of that there are roll-ups only. NULL: nothing was.
    Column("kept_since", BigInteger),
)

#: Hours in `hourly` whose records changed since.
stale_hour = Table(
    "stale_hour",
    metadata,
    Column("node_id", Integer, primary_key=True, autoincrement=False),
    Column("starts_at", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

rejected = Table(
    "rejected",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("address", PlainText, nullable=False),
    Column("node", PlainText),
    #: The node, else the address: whom the limit counts for.
    Column("origin", PlainText, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", PlainText, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("times", BigInteger, nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    #: Kept outside the limits: what an upgrade could not carry over.
    Column("is_permanent", Boolean, nullable=False),
    Index("rejected_by_origin", "is_permanent", "origin", "last_at"),
    Index("rejected_by_age", "is_permanent", "last_at"),
)

rejected_dropped = Table(
    "rejected_dropped",
    metadata,
    Column("reason", Text, primary_key=True),
    Column("times", BigInteger, nullable=False),
)

undecided = Table(
    "undecided",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("source", Text, nullable=False),
    Column("address", PlainText, nullable=False),
    #: A log that grew replaces its shorter self; other payloads are each their own.
    Column("log_key", LargeBinary, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("format_hint", PlainText),
    Column("node_hint", PlainText),
    Column("received_at", BigInteger, nullable=False),
    Column("sender_time", BigInteger),
    Column("is_live", Boolean, nullable=False),
    #: Our boot and its uptime at receipt: tell the true time of receipt once our clock is right.
    Column("boot", Text, nullable=False),
    Column("uptime", BigInteger, nullable=False),
    UniqueConstraint("source", "address", "log_key", name="undecided_log"),
)

#: Samples without a time that have waited in a broker: the node's next payload tells when they were taken.
backlog = Table(
    "backlog",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("node", Text, nullable=False),
    #: The node's shutdown counter, in ticks of 15 s.
    Column("ticks", BigInteger, nullable=False),
    #: The boot that they are of has ended by then.
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("source", Text, nullable=False),
    Column("address", PlainText, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("backlog_by_node", "node", "id"),
)

clock_run = Table(
    "clock_run",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("node_id", Integer, ForeignKey("node.id"), nullable=False, index=True),
    #: Times as sent.
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("offset_seconds", BigInteger, nullable=False),
    UniqueConstraint("node_id", "offset_seconds", name="clock_run_offset"),
    CheckConstraint("first_at <= last_at", name="clock_run_order"),
)

poll_target = Table(
    "poll_target",
    metadata,
    Column("address", PlainText, primary_key=True),
    Column("path", PlainText),
    Column("etag", PlainText),
    Column("last_modified", PlainText),
    Column("first_line", LargeBinary),
    Column("last_line", LargeBinary),
    Column("has_archive", Boolean, nullable=False),
    Column("archive_etag", PlainText),
    Column("polled_at", BigInteger),
    Column("answered_at", BigInteger),
    Column("error", PlainText),
    Column("wait_seconds", Integer),
    #: Who polls it, or polled it last; until when nobody else may; and not before when (storage.poll_leases).
    Column("holder", PlainText),
    Column("held_until", BigInteger),
    Column("due_at", BigInteger),
)

source_state = Table(
    "source_state",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
