"""The layout of this collector: one row for each node and second, scaled integers.

The tables as they were then, whatever `storage.schema` says today. Where the predecessor's table holds rows, they are
moved by `isems.switchover`, which leads to the newest version at once.
"""

import sqlalchemy as sa
from alembic import op

from isems.errors import StorageError

revision = "5f0c1d8e7a21"
down_revision = "ef784e202371"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Replace the predecessor's table, if it is empty."""
    if held := op.get_bind().execute(sa.text("SELECT count(*) FROM measurement")).scalar_one():
        raise StorageError(
            f"this database holds {held} measurements of the predecessor, which were not moved: nothing was changed"
        )
    op.drop_table("measurement")
    create_nodes()
    create_input()


def create_nodes() -> None:
    op.create_table(
        "configuration",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("node_id", sa.Integer, nullable=False),
        sa.Column("isems_revision", sa.Text),
        sa.Column("firmware", sa.Text),
        sa.Column("low_voltage_disconnect_volts", sa.Float(53)),
        sa.Column("rated_battery_amp_hours", sa.Float(53)),
        sa.Column("rated_panel_watts", sa.Float(53)),
        sa.Column("latitude", sa.Float(53)),
        sa.Column("longitude", sa.Float(53)),
        sa.Column("dialect", sa.Text, nullable=False),
        sa.Column("is_placeholder", sa.Boolean, nullable=False),
    )
    op.create_index("ix_configuration_node_id", "configuration", ["node_id"])
    op.create_table(
        "measurement",
        sa.Column("node_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("measured_at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("configuration_id", sa.Integer, nullable=False),
        sa.Column("shutdown_ticks", sa.Integer),
        sa.Column("power_save_level", sa.Integer),
        sa.Column("panel_open_circuit_millivolts", sa.Integer),
        sa.Column("panel_mpp_millivolts", sa.Integer),
        sa.Column("battery_millivolts", sa.Integer),
        sa.Column("state_of_charge_percent", sa.Integer),
        sa.Column("state_of_health_percent", sa.Integer),
        sa.Column("battery_centicelsius", sa.Integer),
        sa.Column("charge_end_millivolts", sa.Integer),
        sa.Column("status", sa.Integer),
        sa.Column("time_repaired", sa.Boolean, nullable=False),
        sa.Column("exact", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "node",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("configuration_id", sa.Integer),
        sa.Column("first_seen_at", sa.BigInteger, nullable=False),
        sa.Column("delivered_at", sa.BigInteger),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "clock_run",
        sa.Column("id", ID, primary_key=True),
        sa.Column("node_id", sa.Integer, sa.ForeignKey("node.id"), nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("offset_seconds", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("node_id", "offset_seconds", name="clock_run_offset"),
        sa.CheckConstraint("first_at <= last_at", name="clock_run_order"),
    )
    op.create_index("ix_clock_run_node_id", "clock_run", ["node_id"])


def create_input() -> None:
    op.create_table(
        "poll_target",
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("path", sa.Text),
        sa.Column("etag", sa.Text),
        sa.Column("last_modified", sa.Text),
        sa.Column("first_line", sa.LargeBinary),
        sa.Column("last_line", sa.LargeBinary),
        sa.Column("has_archive", sa.Boolean, nullable=False),
        sa.Column("archive_etag", sa.Text),
        sa.Column("polled_at", sa.BigInteger),
        sa.Column("answered_at", sa.BigInteger),
        sa.Column("error", sa.Text),
    )
    op.create_table(
        "rejected",
        sa.Column("id", ID, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("node", sa.Text),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("times", sa.BigInteger, nullable=False),
        sa.Column("first_at", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("is_permanent", sa.Boolean, nullable=False),
    )
    op.create_index("rejected_by_age", "rejected", ["is_permanent", "last_at"])
    op.create_index("rejected_by_origin", "rejected", ["is_permanent", "origin", "last_at"])
    op.create_table(
        "rejected_dropped",
        sa.Column("reason", sa.Text, primary_key=True),
        sa.Column("times", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "source_state",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "undecided",
        sa.Column("id", ID, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("log_key", sa.LargeBinary, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("format_hint", sa.Text),
        sa.Column("node_hint", sa.Text),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("sender_time", sa.BigInteger),
        sa.Column("is_live", sa.Boolean, nullable=False),
        sa.Column("boot", sa.Text, nullable=False),
        sa.Column("uptime", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("source", "address", "log_key", name="undecided_log"),
    )
