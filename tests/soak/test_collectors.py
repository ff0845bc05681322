"""Collectors of one PostgreSQL are killed one after the other; nothing is lost, no node is asked by two at once."""

import subprocess
import sys
import time
from itertools import cycle, islice
from pathlib import Path

from isems.storage.database import Database
from tests.published import SECONDS, messages, records_of, start_of, stored, wait_until
from tests.services import PostgresServer, publish, run_mosquitto
from tests.several import (
    INTERVAL,
    Collectors,
    kill_while_polling,
    running_collectors,
    running_mesh,
    wait_until_gone,
)
from tests.soak.measuring import tell

KILLS = 9
MESSAGES = 500


def retire(collectors: Collectors, replica: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "isems", "retire-replica", replica],
        env=collectors.environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_collectors_that_are_killed_in_turn_lose_nothing_and_one_is_retired(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    published = set[tuple[str, int]]()
    with (
        postgres_server.empty_database() as url,
        run_mosquitto(tmp_path, "allow_anonymous true", "max_queued_messages 0") as broker,
        running_mesh(count=60, answer_seconds=0.5) as mesh,
        running_collectors(url, broker, mesh.addresses) as collectors,
    ):
        database = Database(url)
        collectors.start("1", "2", "3")
        longest = 0.0
        for number, replica in enumerate(islice(cycle("123"), KILLS)):
            dead = kill_while_polling(database, collectors, replica)
            sent = messages(start_of(MESSAGES) - number * 86_400, MESSAGES)
            published |= records_of(sent)
            publish(broker.port, sent)
            seconds = wait_until_gone(database, dead)
            longest = max(longest, seconds)
            tell(f"kill {number + 1} of {KILLS}: taken over after {seconds:.1f} s")
            collectors.start(replica)
        collectors.kill("3")
        last = messages(start_of(MESSAGES) - KILLS * 86_400, MESSAGES)
        published |= records_of(last)
        publish(broker.port, last)
        print(f"\n{retire(collectors, '3')}{sum(mesh.polls.values())} polls, the longest takeover {longest:.1f} s")
        mesh.is_growing = False
        time.sleep(INTERVAL)
        wait_until(lambda: len(stored(database)) >= len(mesh.records | published))
        collectors.end()
        assert sorted(stored(database)) == sorted(mesh.records | published)
        assert mesh.most_at_once == 1
        assert longest <= 2 * INTERVAL
        database.close()
