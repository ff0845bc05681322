"""Who may poll an address, and when it is due: collectors on several machines share the work."""

import sqlalchemy as sa
from alembic import op

revision = "3e6f81a2d0c7"
down_revision = "7d2e90b4c815"

KEPT = "address, path, etag, last_modified, first_line, last_line, has_archive, archive_etag, polled_at, answered_at, error"


def upgrade() -> None:
    """Make the table anew: SQLite writes an added column down in another way than a new table's."""
    op.execute("CREATE TEMPORARY TABLE known_target AS SELECT * FROM poll_target")
    op.drop_table("poll_target")
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
        sa.Column("wait_seconds", sa.Integer),
        sa.Column("holder", sa.Text),
        sa.Column("held_until", sa.BigInteger),
        sa.Column("due_at", sa.BigInteger),
    )
    op.execute(f"INSERT INTO poll_target ({KEPT}) SELECT {KEPT} FROM known_target")
    op.execute("DROP TABLE known_target")
