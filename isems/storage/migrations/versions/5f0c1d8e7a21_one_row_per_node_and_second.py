"""The layout of this collector: one row for each node and second, scaled integers."""

import sqlalchemy as sa
from alembic import op

from isems.errors import StorageError
from isems.storage import predecessor, schema

revision = "5f0c1d8e7a21"
down_revision = "ef784e202371"


def upgrade() -> None:
    """Replace the predecessor's table: by its rows where they were moved (see `isems.switchover`), else if empty."""
    connection = op.get_bind()
    if sa.inspect(connection).has_table(predecessor.NEW):
        predecessor.replace_measurement(connection)
        return
    if held := predecessor.count_rows(connection):
        raise StorageError(
            f"this database holds {held} measurements of the predecessor, which were not moved: nothing was changed"
        )
    op.drop_table("measurement")
    schema.metadata.create_all(connection)
