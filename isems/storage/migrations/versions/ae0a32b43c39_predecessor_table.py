"""The predecessor's one table, its columns named as its API's keys."""

import sqlalchemy as sa
from alembic import op

revision = "ae0a32b43c39"
down_revision = None

FLOATS = (
    "timeToShutdown",
    "openCircuitVoltage",
    "mppVoltage",
    "batteryVoltage",
    "batteryChargeEstimate",
    "batteryHealthEstimate",
    "batteryTemperature",
    "lowVoltageDisconnectVoltage",
    "temperatureCorrectedVoltage",
    "rateBatteryCapacity",
    "ratedSolarModuleCapacity",
    "latitude",
    "longitude",
)


def upgrade() -> None:
    """Create the table as the predecessor's first release did."""
    op.create_table(
        "measurement",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("nodeId", sa.String),
        sa.Column("isemsRevision", sa.String),
        sa.Column("timestamp", sa.DateTime),
        sa.Column("openMPPTFirmwareVersion", sa.String),
        sa.Column("isPowerSaveMode", sa.Boolean),
        *(sa.Column(name, sa.Float) for name in FLOATS),
        sa.UniqueConstraint("nodeId", "timestamp", name="node_timestamp"),
    )
