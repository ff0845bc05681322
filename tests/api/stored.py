"""Records for the tests of what is served: stored the way all records are, from a line."""

from collections.abc import Iterable

from isems.domain.clock import Moment, Uptime
from isems.domain.payload import Payload, Source
from isems.ingest import IngestResult, ingest
from isems.storage.database import Database

#: 10 January 2026, 12:00 UTC.
NOON = 1_768_046_400


def line(node: str = "Dach", time: int = NOON, **fields: str) -> str:
    """A router's record; `fields` replace single values."""
    values = {
        "firmware": "ATmega8_A_1",
        "shutdown": "1440",
        "power_save": "0",
        "open_circuit": "19.5",
        "mpp": "15.25",
        "battery": "13.047",
        "charge": "87",
        "health": "100",
        "celsius": "21",
        "disconnect": "11.9",
        "charge_end": "14.073",
        "amp_hours": "17",
        "watts": "50",
        "latitude": "52.507309",
        "longitude": "13.458635",
        "status": "900",
    }
    assert fields.keys() <= values.keys()
    return ";".join([node, "1", str(time), *(values | fields).values()])


def store(database: Database, lines: Iterable[str], *, now: int = NOON + 60, is_live: bool = False) -> IngestResult:
    """Store lines that came at `now`."""
    payload = Payload(
        data="\n".join(lines).encode(),
        source=Source.POLL if is_live else Source.IMPORT,
        address="test",
        received_at=now,
        is_live=is_live,
    )
    return ingest(database, payload, Moment(now, True, Uptime("boot", 1000)))
