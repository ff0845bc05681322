"""Two hundred nodes publish, and nothing that the broker acknowledged is lost or stored twice, whatever is killed."""

from pathlib import Path
from random import randrange

from tests.services import run_mosquitto
from tests.soak.conftest import EmptyDatabase
from tests.soak.measuring import tell
from tests.storm import BROKER_KILLS, BROKER_STOPS, KILLS, storm

NODES, BURST = 200, 10_000
#: Enough for all that may wait: a queue that is full forgets, which is a matter of the broker's settings.
SETTINGS = ("allow_anonymous true", "max_queued_messages 0", "max_queued_bytes 0")


def test_a_hundred_kills_and_twenty_stops_of_the_broker_lose_nothing(
    empty_database: EmptyDatabase, tmp_path: Path
) -> None:
    """The seed is printed: with it the same faults come again, as far as a machine's can."""
    seed = randrange(1_000_000)
    print(f"\nseed {seed}")
    with (
        empty_database() as url,
        run_mosquitto(tmp_path, *SETTINGS) as broker,
        storm(url, broker, nodes=NODES, burst=BURST, seed=seed, tell=tell) as one,
    ):
        one.blow({KILLS: 100, BROKER_STOPS: 20})
        figures = one.settle()
        print(f"{url.partition(':')[0]}: {figures}, {one.faults}")
        assert figures.acknowledged == figures.published >= 5 * BURST
        assert figures.stored == figures.records
        assert (figures.duplicate, figures.missing, figures.strange, figures.rejected) == (0, 0, 0, 0)


def test_what_a_killed_broker_forgets_is_counted(empty_database: EmptyDatabase, tmp_path: Path) -> None:
    """A mosquitto that is killed forgets what it acknowledged since it last wrote to its disk: that is not ours to judge,
    but that nothing is stored twice or made up is.
    """
    seed = randrange(1_000_000)
    print(f"\nseed {seed}")
    settings = (*SETTINGS, "autosave_interval 5")
    with (
        empty_database() as url,
        run_mosquitto(tmp_path, *settings) as broker,
        storm(url, broker, nodes=NODES, burst=BURST, seed=seed, tell=tell) as one,
    ):
        one.blow({BROKER_STOPS: 1})  # it has our session on its disk from now on
        one.blow({BROKER_KILLS: 10, KILLS: 10})
        figures = one.settle()
        print(f"{url.partition(':')[0]}, reported only: {figures}, {one.faults}")
        assert figures.acknowledged == figures.published
        assert (figures.duplicate, figures.strange, figures.rejected) == (0, 0, 0)
