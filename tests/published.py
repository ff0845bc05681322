"""What boards publish by MQTT, and what is stored of it."""

import time
from collections.abc import Callable, Sequence

from sqlalchemy import text

from isems.storage.database import Database

SECONDS = 60


def volts_of(at: int) -> float:
    return 11 + at // 15 % 3000 / 1000


def line(node: str, at: int) -> str:
    """A record that can be told from the node's others."""
    return f"{node};1;{at};ESP_2.0;3600;0;0;0;{volts_of(at)};87;100;10.8;11.9;14.526;12;30;52.47388;13.39051;500"


def message(start: int, number: int, nodes: int = 5) -> tuple[str, bytes]:
    """As boards publish: five records, one of them shared with the node's message before."""
    node, turn = f"Balkon {number % nodes}", number // nodes
    lines = [line(node, start + 15 * (4 * turn + record)) for record in range(5)]
    return f"/isems/{node}/csvlog", "\n".join(lines).encode()


def messages(start: int, count: int, nodes: int = 5) -> list[tuple[str, bytes]]:
    return [message(start, number, nodes) for number in range(count)]


def records_of(sent: Sequence[tuple[str, bytes]]) -> set[tuple[str, int]]:
    lines = [one.split(";") for _, data in sent for one in data.decode().split("\n")]
    return {(fields[0], int(fields[2])) for fields in lines}


def stored(database: Database, table: str = "every_measurement") -> list[tuple[str, int]]:
    with database.read() as connection:
        statement = f"SELECT n.name, m.measured_at FROM {table} m JOIN node n ON n.id = m.node_id"
        return [(row[0], row[1]) for row in connection.execute(text(statement))]


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def start_of(count: int) -> int:
    return int(time.time()) - 3600 - 15 * count
