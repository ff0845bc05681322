"""Two instants that all tests of the simulator use."""

from datetime import UTC, datetime

DAY = 86400
SUMMER = int(datetime(2026, 6, 20, 10, 7, 3, tzinfo=UTC).timestamp())
WINTER = int(datetime(2025, 12, 12, 10, 7, 3, tzinfo=UTC).timestamp())
