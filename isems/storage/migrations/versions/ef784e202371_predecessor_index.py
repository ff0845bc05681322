"""The predecessor's index for the newest measurement of a node."""

import sqlalchemy as sa
from alembic import op

revision = "ef784e202371"
down_revision = "256a79be1bd8"


def upgrade() -> None:
    """Create the index."""
    op.create_index("latest_by_node_id", "measurement", ["nodeId", sa.text("timestamp DESC")])
