"""What is known of nodes beside their measurements, and samples that wait for their node's next payload."""

import sqlalchemy as sa
from alembic import op

revision = "c4a91e07d3b2"
down_revision = "8b3d90c4e65f"

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables; nothing is known yet."""
    op.create_table(
        "node_state",
        sa.Column("node_id", sa.Integer, sa.ForeignKey("node.id"), primary_key=True, autoincrement=False),
        sa.Column("has_samples", sa.Boolean, nullable=False),
        sa.Column("clock_state", sa.Text),
        sa.Column("clock_state_at", sa.BigInteger),
        sa.Column("clock_offset_seconds", sa.BigInteger),
        sa.Column("clock_stepped_at", sa.BigInteger),
        sa.Column("conflicts", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "node_address",
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("node_id", sa.Integer, sa.ForeignKey("node.id"), nullable=False),
    )
    op.create_table(
        "backlog",
        sa.Column("id", ID, primary_key=True),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("ticks", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_backlog_expires_at", "backlog", ["expires_at"])
    op.create_index("backlog_by_node", "backlog", ["node", "id"])
