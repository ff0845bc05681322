"""Which local time the predecessor's times are, and whether the rows themselves agree."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from isems.domain.local_time import changes
from isems.errors import ConfigError
from isems.storage.database import Database
from isems.storage.predecessor import count_between, count_steps_back, read_session_zone

#: The predecessor turned every time into this one before it stored it.
BERLIN = ZoneInfo("Europe/Berlin")
FIRST_YEAR = 2017
HOUR = timedelta(hours=1)


def find_zone(database: Database, wanted: ZoneInfo | None) -> ZoneInfo:
    """Give the zone of the stored times: on SQLite what the predecessor wrote, on PostgreSQL what the server made of it.

    Raises ConfigError where the server's zone has no name that is known here.
    """
    if database.is_sqlite:
        if wanted is not None:
            raise ConfigError(f"--timezone is {wanted.key!r}, expected on PostgreSQL only: SQLite has {BERLIN.key}")
        return BERLIN
    if wanted is not None:
        return wanted
    with database.read_any_version() as connection:
        name = read_session_zone(connection)
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ConfigError(
            f"the server's TimeZone is {name!r}, expected one with a name: give it by --timezone"
        ) from None


def doubts(database: Database, zone: ZoneInfo, last_year: int) -> list[str]:
    """Tell what in the rows speaks against the zone; empty where nothing does."""
    spring, autumn = _changes(zone, last_year)
    berlin_spring, berlin_autumn = _changes(BERLIN, last_year)
    beside = [side for begin, end in berlin_spring for side in ((begin - HOUR, begin), (end, end + HOUR))]
    with database.read_any_version() as connection:
        counts = count_between(connection, [*spring, *berlin_spring, *beside])
        turned = count_steps_back(connection, [hour for hour in berlin_autumn if hour not in autumn])
    skipped = sum(counts[: len(spring)])
    there = sum(counts[len(spring) : len(spring) + len(berlin_spring)])
    around = sum(counts[len(spring) + len(berlin_spring) :])
    found = []
    if skipped:
        found.append(f"{skipped} rows lie in hours that clocks of {zone.key} skip: the zone may be another one")
    if spring != berlin_spring and around and not there:
        found.append(f"no row lies in the hours that clocks of {BERLIN.key} skip, but {around} beside them do")
    if turned:
        found.append(f"in the hours that {BERLIN.key} has twice, {turned} times step back")
    return found


def _changes(zone: ZoneInfo, last_year: int) -> tuple[list[tuple[datetime, datetime]], list[tuple[datetime, datetime]]]:
    """Give the skipped and the doubled local times of a zone."""
    found = list(changes(zone, FIRST_YEAR, last_year))
    return (
        [(one.begin, one.end) for one in found if not one.is_doubled],
        [(one.begin, one.end) for one in found if one.is_doubled],
    )
