"""The running work by MQTT: one process for each database receives, stores in groups, and acknowledges."""

import logging
import math
import secrets
import threading
import time
from collections.abc import Sequence

from isems.config import Config
from isems.domain.payload import Payload
from isems.errors import IsemsError
from isems.ingest import IngestResult, WaitingInput, ingest_all
from isems.sources.mqtt import RECEIVE_MAXIMUM, MqttSource, parse_broker
from isems.sources.own_clock import read_moment
from isems.storage.database import Database
from isems.storage.group_writer import GroupWriter
from isems.storage.inbox import settle_database
from isems.storage.locks import hold_lock
from isems.storage.states import read_state, save_state

log = logging.getLogger(__name__)

LOCK = "subscriber"
#: Under this name `source_state` keeps our client id, which the broker knows our session by.
CLIENT_ID = "mqtt_client_id"
#: A group is written when this share of what the broker sends without an acknowledgement waits.
WINDOW_SHARE = 4
#: Between two attempts after trouble with the database.
RETRY_SECONDS = 10
#: How often input that waits is judged again, as long as messages come: they are what decides.
JUDGE_SECONDS = 60


class Subscriber:
    """Receives from the broker of the settings into a database, which should be durable."""

    def __init__(self, config: Config, database: Database) -> None:
        self.config = config
        self.database = database
        self.broker = parse_broker(config.mqtt_server or "")
        self._waiting = WaitingInput(database)
        self._judged_at = -math.inf

    def run(self, stop: threading.Event) -> None:
        """Receive until `stop` is set; waits while another process does it for the same database."""
        with hold_lock(self.database, LOCK, stop, self._tell_waiting) as is_held:
            if is_held:
                self._receive(stop)

    def keep_running(self, stop: threading.Event) -> None:
        """Receive until `stop` is set, beginning anew after trouble with the database."""
        while not stop.is_set():
            try:
                self.run(stop)
            except IsemsError as error:
                log.error("nothing is received by MQTT: %s; it will be tried again", error)
            except Exception:
                log.exception("nothing is received by MQTT by a fault in this program; it will be tried again")
            stop.wait(RETRY_SECONDS)

    def _receive(self, stop: threading.Event) -> None:
        writer: GroupWriter[Payload, IngestResult] = GroupWriter(
            self._write,
            lambda: settle_database(self.database),
            interval_seconds=self.config.commit_interval,
            limit=RECEIVE_MAXIMUM // WINDOW_SHARE,
        )
        try:
            MqttSource(
                self.broker,
                find_client_id(self.database),
                self.config.mqtt_prefixes,
                store=writer.put,
                flush=writer.flush,
                window=lambda messages: writer.set_limit(messages // WINDOW_SHARE),
            ).run(stop)
        finally:
            writer.close()

    def _write(self, payloads: Sequence[Payload]) -> list[IngestResult | Exception]:
        moment = read_moment(is_trusted_by_operator=self.config.is_clock_trusted)
        if time.monotonic() - self._judged_at >= JUDGE_SECONDS:
            self._judged_at = time.monotonic()
            self._waiting.judge(moment)
        return ingest_all(self.database, payloads, moment)

    def _tell_waiting(self) -> None:
        log.warning("another process receives by MQTT for %s: waiting until it ends", self.database.place)


def find_client_id(database: Database) -> str:
    """Give the client id of this database; it is made once, so that two collectors never evict each other."""
    with database.write() as connection:
        known: str | None = read_state(connection, CLIENT_ID)
        if known is None:
            known = f"isems-{secrets.token_hex(6)}"
            save_state(connection, CLIENT_ID, known)
        return known
