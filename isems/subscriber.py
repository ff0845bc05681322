"""The running work by MQTT: one process for each replica receives, stores in groups, and acknowledges."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import msgspec

from isems.config import Broker, Config
from isems.domain.clock import Moment
from isems.domain.payload import Payload
from isems.errors import ConfigError, IsemsError, SourceError, StorageError
from isems.ingest import IngestResult, WaitingInput, ingest_all
from isems.sources.mqtt import RECEIVE_MAXIMUM, MqttSource, Session
from isems.sources.mqtt_retirement import end_session
from isems.sources.mqtt_tls import make_tls_context
from isems.sources.own_clock import read_moment
from isems.sources.topics import filters_of
from isems.storage.database import Database
from isems.storage.group_writer import GroupWriter
from isems.storage.inbox import settle_database
from isems.storage.locks import HeldLock, hold_lock, try_lock
from isems.storage.replicas import (
    BrokerState,
    find_client_id,
    forget_replica,
    has_subscribed,
    lock_of,
    remember_filters,
    save_broker_state,
    select_broker_states,
    select_replicas,
)

log = logging.getLogger(__name__)

#: A group is written when this share of what the broker sends without an acknowledgement waits.
WINDOW_SHARE = 4
#: Between two attempts after trouble with the database.
RETRY_SECONDS = 10
#: How often a new state is looked for, and whether we still hold the lock.
LOOK_SECONDS, LOCK_SECONDS = 1.0, 5.0
#: How often the time of the newest message is noted.
MESSAGE_SECONDS = 60
#: How long what came may wait to be written when a session is to be ended.
RETIREMENT_INTERVAL = 0.2
LOST_LOCK = "the lock in the database was lost with its connection"
STOPPED = "not running: it was stopped"


def check_broker(config: Config) -> Broker:
    """Give the broker of the settings. Raises ConfigError where there is none, or a file for TLS is wrong."""
    if config.broker is None:
        raise ConfigError("MQTT_SERVER is not set, expected the address of the broker")
    if config.broker.is_tls:
        make_tls_context(config.broker)
    return config.broker


#: How often input that waits is judged again.
JUDGE_SECONDS = 60


class Subscriber:
    """Receives from the broker of the settings into a database, which should be durable."""

    def __init__(self, config: Config, database: Database) -> None:
        self.config = config
        self.database = database
        self.broker = check_broker(config)
        self.replica = config.mqtt_replica

    def run(self, stop: threading.Event) -> None:
        """Receive until `stop` is set; waits while another process does it for the same replica.

        Raises StorageError where the database cannot be used in the beginning; later trouble is waited out.
        """
        was_held = False
        while not stop.is_set():
            try:
                with hold_lock(self.database, lock_of(self.replica), stop, self._tell_waiting) as lock:
                    if lock is not None:
                        was_held = True
                        self._receive(lock, stop)
            except StorageError as error:
                if not was_held:
                    raise
                log.error("nothing is received by MQTT: %s; it will be tried again", error)
                stop.wait(RETRY_SECONDS)

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

    def _receive(self, lock: HeldLock, stop: threading.Event) -> None:
        session = open_session(self.database, self.config, self.replica)
        watch = _Watch(self.database, self.replica, self.broker.place, lock, partial(moment_of, self.config))

        def store(payload: Payload) -> "Future[IngestResult]":
            watch.hear(payload.received_at)
            return writer.put(payload)

        with (
            watching(watch, stop) as end,
            opened_writer(self.database, self.write, self.config.commit_interval) as writer,
        ):
            MqttSource(
                self.broker,
                session,
                store=store,
                flush=writer.flush,
                window=lambda messages: writer.set_limit(messages // WINDOW_SHARE),
                told=watch.tell,
                forgotten=watch.note_forgotten,
            ).run(end)

    def write(self, payloads: Sequence[Payload]) -> list[IngestResult | Exception]:
        """Store payloads in one transaction; gives each one's result, or the error that kept it out."""
        return ingest_all(self.database, payloads, moment_of(self.config))

    def _tell_waiting(self) -> None:
        group = self.config.mqtt_share
        log.warning(
            "another process receives by MQTT%s for %s: waiting until it ends%s",
            f" as replica {self.replica} of the group {group}" if group else "",
            self.database.place,
            "; to share the work, give each an ISEMS_MQTT_REPLICA of its own" if group else "",
        )


def open_session(database: Database, config: Config, replica: str) -> Session:
    """Give what the broker knows a replica by, and note what it is about to subscribe to."""
    with database.write() as connection:
        is_known = has_subscribed(connection, replica)
        return Session(
            client_id=find_client_id(connection, replica),
            prefixes=config.mqtt_prefixes,
            group=config.mqtt_share,
            is_known=is_known,
            former_filters=remember_filters(connection, replica, filters_of(config.mqtt_prefixes, config.mqtt_share)),
        )


def moment_of(config: Config) -> Moment:
    """Read our own clock, and whether it is to be trusted by these settings."""
    return read_moment(is_trusted_by_operator=config.is_clock_trusted)


@contextmanager
def opened_writer(
    database: Database, write: Callable[[Sequence[Payload]], list[IngestResult | Exception]], interval_seconds: float
) -> Iterator[GroupWriter[Payload, IngestResult]]:
    """Give what stores payloads in groups; at the end all is stored."""
    writer: GroupWriter[Payload, IngestResult] = GroupWriter(
        write,
        lambda: settle_database(database),
        interval_seconds=interval_seconds,
        limit=RECEIVE_MAXIMUM // WINDOW_SHARE,
    )
    try:
        yield writer
    finally:
        writer.close()


class _Watch:
    """What goes on beside receiving, in a thread of its own because it may have to wait for the database: keeps our
    state there for whoever asks, and looks whether we still hold the lock.
    """

    def __init__(
        self, database: Database, replica: str, place: str, lock: HeldLock, read_moment: Callable[[], Moment]
    ) -> None:
        self.database = database
        self.replica = replica
        self.lock = lock
        self.read_moment = read_moment
        self._waiting = WaitingInput(database)
        with database.read() as connection:
            before = select_broker_states(connection).get(replica)
        self._heard_at = None if before is None else before.last_message_at
        self._state = BrokerState(
            broker=place,
            is_well=False,
            sentence="connecting",
            since=int(time.time()),
            session_lost_at=None if before is None else before.session_lost_at,
        )
        self._saved: BrokerState | None = None

    def tell(self, is_well: bool, sentence: str) -> None:
        """Take a new state; any thread may."""
        now = int(time.time())
        self._state = msgspec.structs.replace(self._state, is_well=is_well, sentence=sentence, since=now)

    def note_forgotten(self) -> None:
        """Note that the broker has lost our session; that stays true when all is well again."""
        self._state = msgspec.structs.replace(self._state, session_lost_at=int(time.time()))

    def hear(self, received_at: int) -> None:
        """Note that a message came."""
        self._heard_at = received_at

    def run(self, stop: threading.Event, end: threading.Event) -> None:
        """Watch until `stop` or `end` is set, or the lock is lost; then set `end`."""
        looked_at, judged_at = time.monotonic(), -math.inf
        try:
            self._save()
            while not (stop.wait(LOOK_SECONDS) or end.is_set()):
                if time.monotonic() - judged_at >= JUDGE_SECONDS:
                    judged_at = time.monotonic()
                    self._judge_waiting()
                if time.monotonic() - looked_at >= LOCK_SECONDS:
                    looked_at = time.monotonic()
                    if not self.lock.is_held():
                        log.warning("%s: nothing is received by MQTT until it is held again", LOST_LOCK)
                        return
                self._save()
        finally:
            end.set()

    def _judge_waiting(self) -> None:
        """Judge again what waits for our clock, or for nodes that stay silent."""
        try:
            self._waiting.judge(self.read_moment())
        except StorageError as error:
            log.warning("input that waits could not be judged: %s", error)
        except Exception:
            log.exception("input that waits could not be judged by a fault in this program")

    def finish(self) -> None:
        """Note that receiving has ended."""
        self.tell(is_well=False, sentence=STOPPED)
        self._state = msgspec.structs.replace(self._state, is_ended=True)
        self._save()

    def _save(self) -> None:
        """Write the state where that is news, and ours to write."""
        state = msgspec.structs.replace(self._state, last_message_at=self._heard_at)
        if not _is_news(state, self._saved) or not self.lock.is_held():
            return
        try:
            with self.database.write() as connection:
                save_broker_state(connection, self.replica, state)
        except StorageError as error:
            log.debug("the state could not be noted, it will be later: %s", error)
        else:
            self._saved = state


def _is_news(state: BrokerState, saved: BrokerState | None) -> bool:
    """Tell whether it is worth a write: a message alone only once in a while, for the SD card's sake."""
    if saved is None or _said(state) != _said(saved):
        return True
    return (state.last_message_at or 0) - (saved.last_message_at or 0) >= MESSAGE_SECONDS


def _said(state: BrokerState) -> tuple[str, int, int | None]:
    return state.sentence, state.since, state.session_lost_at


@contextmanager
def watching(watch: _Watch, stop: threading.Event) -> Iterator[threading.Event]:
    """Watch while the context lasts; gives what is set when receiving is to end."""
    end = threading.Event()
    with ThreadPoolExecutor(1, thread_name_prefix="isems-mqtt-watch") as thread:
        watched = thread.submit(watch.run, stop, end)
        try:
            yield end
        finally:
            end.set()
    watched.result()
    watch.finish()


# -- retiring -------------------------------------------------------------------------------------


class Retired(msgspec.Struct):
    """What became of a replica's session: how many messages waited in it, and what was stored of them."""

    had_session: bool = False
    messages: int = 0
    result: IngestResult = msgspec.field(default_factory=IngestResult)


def retire(config: Config, database: Database, replica: str, stop: threading.Event) -> Retired:
    """Store what waits in the broker for a replica, end its session, and forget it.

    Raises ConfigError for one that is not known, SourceError where it is running or the broker is of no use; then it
    may be tried again.
    """
    broker = check_broker(config)
    with try_lock(database, lock_of(replica)) as lock:
        if lock is None:
            raise SourceError(f"replica {replica} is receiving: stop that process first")
        place = _check_known(database, replica)
        retired = Retired()
        with opened_writer(database, Subscriber(config, database).write, RETIREMENT_INTERVAL) as writer:

            def count(done: "Future[IngestResult]") -> None:
                if done.exception() is None:
                    retired.messages += 1
                    retired.result.add(done.result())

            def store(payload: Payload) -> "Future[IngestResult]":
                stored = writer.put(payload)
                stored.add_done_callback(count)
                return stored

            session = open_session(database, config, replica)
            retired.had_session = end_session(MqttSource(broker, session, store=store, flush=writer.flush), stop)
        if not retired.had_session and place not in (None, broker.place):
            raise SourceError(
                f"{broker.place} has no session of replica {replica}, which received from {place}: is MQTT_SERVER right?"
            )
        with database.write() as connection:
            forget_replica(connection, replica)
        return retired


def _check_known(database: Database, replica: str) -> str | None:
    """Give the broker that a replica received from, as far as known."""
    with database.read() as connection:
        known = select_replicas(connection)
        state = select_broker_states(connection).get(replica)
    if replica not in known:
        raise ConfigError(
            f"the replica is {replica!r}, expected one that receives into this database: {', '.join(known) or 'none does'}"
        )
    return None if state is None else state.broker
