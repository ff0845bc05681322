"""An inbox for what comes a few rows at a time, and a view of all measurements, wherever they are."""

import sqlalchemy as sa
from alembic import op

revision = "8b3d90c4e65f"
down_revision = "5f0c1d8e7a21"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
COLUMNS = (
    "node_id, measured_at, configuration_id, shutdown_ticks, power_save_level, panel_open_circuit_millivolts,"
    " panel_mpp_millivolts, battery_millivolts, state_of_charge_percent, state_of_health_percent,"
    " battery_centicelsius, charge_end_millivolts, status, time_repaired, exact"
)


def upgrade() -> None:
    """Create both; the measurements stay where they are."""
    op.create_table(
        "inbox",
        sa.Column("id", ID, primary_key=True),
        sa.Column("node_id", sa.Integer, nullable=False),
        sa.Column("measured_at", sa.BigInteger, nullable=False),
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
    )
    op.execute(
        f"CREATE VIEW every_measurement AS SELECT {COLUMNS} FROM measurement UNION ALL SELECT {COLUMNS} FROM inbox"
    )
