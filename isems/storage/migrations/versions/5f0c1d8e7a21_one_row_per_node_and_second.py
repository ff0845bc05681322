"""The layout of this collector: one row for each node and second, scaled integers."""

import sqlalchemy as sa
from alembic import op

from isems.errors import StorageError
from isems.storage import schema

revision = "5f0c1d8e7a21"
down_revision = "ef784e202371"


def upgrade() -> None:
    """Replace the predecessor's empty table; one that holds measurements is left as it is."""
    connection = op.get_bind()
    held = connection.execute(sa.text("SELECT count(*) FROM measurement")).scalar()
    if held:
        raise StorageError(
            f"this database holds {held} measurements of the predecessor, which this version cannot take over yet: "
            "nothing was changed, keep the old program until a version can"
        )
    op.drop_table("measurement")
    schema.metadata.create_all(connection)
