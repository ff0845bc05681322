"""Roll-ups by hour and day, and how far each node's history is rolled up; the collector fills them in."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "7d2e90b4c815"
down_revision = "c4a91e07d3b2"

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


def key_columns() -> Iterator[sa.Column[int]]:
    yield sa.Column("node_id", sa.Integer, primary_key=True, autoincrement=False)
    yield sa.Column("starts_at", sa.BigInteger, primary_key=True, autoincrement=False)


def summed_columns() -> Iterator[sa.Column[int]]:
    yield sa.Column("count", sa.Integer, nullable=False)
    yield sa.Column("status", sa.Integer)
    yield sa.Column("configuration_id", sa.Integer)
    for name in SUMMED:
        yield sa.Column(f"{name}_count", sa.Integer, nullable=False)
        yield sa.Column(f"{name}_min", sa.Integer)
        yield sa.Column(f"{name}_max", sa.Integer)
        yield sa.Column(f"{name}_sum", sa.BigInteger)
        yield sa.Column(f"{name}_last", sa.Integer)


def upgrade() -> None:
    """Create the tables, empty."""
    op.create_table("hourly", *key_columns(), *summed_columns(), sqlite_with_rowid=False)
    op.create_table(
        "daily",
        *key_columns(),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("zone", sa.Text, nullable=False),
        *summed_columns(),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rolled_up",
        sa.Column("node_id", sa.Integer, sa.ForeignKey("node.id"), primary_key=True, autoincrement=False),
        sa.Column("hours_until", sa.BigInteger, nullable=False),
        sa.Column("days_until", sa.BigInteger, nullable=False),
        sa.Column("zone", sa.Text, nullable=False),
        sa.Column("kept_since", sa.BigInteger),
    )
    op.create_table("stale_hour", *key_columns(), sqlite_with_rowid=False)
