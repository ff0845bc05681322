"""Three collectors and two API processes of one PostgreSQL, with a real broker; one collector is killed."""

from collections.abc import Callable
from pathlib import Path

from isems.storage.database import Database
from tests.end_to_end.test_serve import measurements, started
from tests.published import messages, records_of, start_of, stored, wait_until
from tests.services import publish, run_mosquitto
from tests.several import (
    INTERVAL,
    Readers,
    holders,
    kill_while_polling,
    running_collectors,
    running_mesh,
    wait_until_gone,
)


def all_seen(database: Database, wanted: set[str]) -> Callable[[], bool]:
    """Give what tells whether each of them has polled some node meanwhile: who comes first takes it, so at a given
    moment one may have none.
    """
    seen: set[str] = set()

    def is_true() -> bool:
        seen.update(holders(database))
        return wanted <= seen

    return is_true


def test_a_killed_collector_loses_nothing_and_no_node_is_polled_by_two_at_once(
    postgresql_url: str, tmp_path: Path
) -> None:
    sent = [messages(start_of(60) - day * 86_400, 60) for day in range(3)]
    database = Database(postgresql_url)
    api = {"DATABASE_URL": postgresql_url, "ISEMS_PORT": "0"}
    with (
        run_mosquitto(tmp_path) as broker,
        running_mesh(count=12, answer_seconds=0.4) as mesh,
        started("serve", **api) as one,
        started("serve", **api) as other,
        running_collectors(postgresql_url, broker, mesh.addresses) as collectors,
    ):
        ports = [int(served.wait_for(r"serving on \S+:(\d+)")[1]) for served in (one, other)]
        collectors.start("1", "2", "3")
        with Readers(ports) as readers:
            publish(broker.port, sent[0])
            dead = kill_while_polling(database, collectors, "3")
            publish(broker.port, sent[1])  # a third of it is dealt to the dead one
            assert wait_until_gone(database, dead) <= 2 * INTERVAL
            collectors.start("3")
            publish(broker.port, sent[2])
            wait_until(all_seen(database, {collectors.holder_of(name) for name in ("1", "2", "3")}))
            mesh.is_growing = False
            published = set[tuple[str, int]]().union(*map(records_of, sent))
            wait_until(lambda: len(stored(database)) >= len(mesh.records | published))
            collectors.end()
        assert sorted(stored(database)) == sorted(mesh.records | published)
        assert mesh.most_at_once == 1
        assert min(mesh.polls.values()) >= 2
        assert readers.errors == []
        assert all(readers.answers[port] for port in ports)
        newest = [{(m["nodeId"], m["timestamp"]) for m in measurements(port)} for port in ports]
        assert newest[0] == newest[1]
        assert len(newest[0]) == 12 + 5
    database.close()
