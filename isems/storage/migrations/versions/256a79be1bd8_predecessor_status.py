"""The predecessor learnt of the status code."""

import sqlalchemy as sa
from alembic import op

revision = "256a79be1bd8"
down_revision = "ae0a32b43c39"


def upgrade() -> None:
    """Add the column; older rows have no status."""
    op.add_column("measurement", sa.Column("status", sa.Integer))
