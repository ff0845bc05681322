"""`/metrics`: the newest values of the nodes and how the collector itself fares, for Prometheus."""

import sys
import time
from collections.abc import Mapping, Sequence

from flask import Blueprint, Response
from sqlalchemy import Connection

from isems import __version__
from isems.api import context
from isems.api.answers import answer
from isems.api.exposition import CONTENT_TYPE, Metric, encode_metrics, label
from isems.api.health import select_broker_health
from isems.api.node_metrics import describe_nodes
from isems.config import Config
from isems.domain.measurement import Measurement
from isems.domain.polling import is_overdue
from isems.fleet import find_at, survey_nodes
from isems.storage import counters
from isems.storage.backlog import count_backlog
from isems.storage.database import database_of
from isems.storage.inbox import count_inbox
from isems.storage.newest import select_newest_of_each
from isems.storage.poll_targets import select_targets
from isems.storage.rejected import count_dropped
from isems.storage.replicas import FIRST
from isems.storage.schema import HEAD
from isems.storage.size import measure_size
from isems.storage.undecided import count_bytes

routes = Blueprint("metrics", __name__)

DAY = 86_400
#: A node's values are left out when its newest measurement is older than this, or than three polls where those are rarer.
STALE_SECONDS = 3600


@routes.get("/metrics")
def get_metrics() -> Response:
    """Give all metrics as text."""
    now = int(time.time())
    with context.database().read() as connection:
        metrics = [
            *_nodes(connection, context.config(), now),
            *_counted(counters.read_counts(connection)),
            *_waiting(connection),
            *_sources(connection, context.config(), now),
            *_store(connection),
        ]
    response = answer(encode_metrics(metrics))
    response.content_type = CONTENT_TYPE
    return response


def _nodes(connection: Connection, config: Config, now: int) -> list[Metric]:
    active_since = int(now - config.hide_inactive_after_days * DAY)
    newest = [stored.measurement for stored in select_newest_of_each(connection, active_since)]
    shown = newest[: config.metrics_max_nodes]
    known = Metric("isems_collector_nodes", "gauge", "Active nodes.", [("", len(newest))])
    left_out = Metric("isems_collector_nodes_left_out", "gauge", "Active nodes beyond ISEMS_METRICS_MAX_NODES.")
    left_out.add(len(newest) - len(shown))
    stale = max(STALE_SECONDS, 3 * config.poll_interval)
    return [*describe_nodes(shown, now - stale), _findings(connection, shown, config, now), known, left_out]


def _findings(connection: Connection, shown: Sequence[Measurement], config: Config, now: int) -> Metric:
    """Give what is found at nodes, also that they are silent."""
    found = Metric("isems_node_finding", "gauge", "1 for each thing that is found at a node, as in the API.")
    names = {measurement.node for measurement in shown}
    for known in survey_nodes(connection, now, names.__contains__):
        node = label(node=known.node.name)
        for one in find_at(known, config.poll_interval, now):
            found.add(1, f"{node},{label(key=one.key, severity=one.severity)}")
    return found


def _counted(counts: Mapping[str, float]) -> list[Metric]:
    """Give what all processes counted, known to the minute."""
    rows = Metric("isems_collector_rows_total", "counter", "Records by where they came from and what became of them.")
    rejected = Metric("isems_collector_rejected_total", "counter", "Rejected records, each time they came, by reason.")
    polls = Metric("isems_collector_polls_total", "counter", "Polls of single nodes.")
    seconds = Metric("isems_collector_poll_seconds_total", "counter", "How long polls took, together.")
    written = Metric("isems_collector_written_bytes_total", "counter", "What our processes had written to disks.")
    newest = Metric("isems_collector_newest_timestamp_seconds", "gauge", "When a new record came last.")
    for name, count in sorted(counts.items()):
        match name.split("/"):
            case ["rows", source, result]:
                rows.add(count, label(source=source, result=result))
            case ["rejected", reason]:
                rejected.add(count, label(reason=reason))
            case ["polls", result]:
                polls.add(count, label(result=result))
            case ["poll_seconds", result]:
                seconds.add(round(count, 3), label(result=result))
            case [counters.WRITTEN_BYTES]:
                written.add(count)
            case ["at", source]:
                newest.add(count, label(source=source))
    return [rows, rejected, polls, seconds, written, newest]


def _waiting(connection: Connection) -> list[Metric]:
    undecided = Metric("isems_collector_undecided_bytes", "gauge", "Input that waits for our clock to be right.")
    undecided.add(count_bytes(connection))
    backlog = Metric("isems_collector_backlog_samples", "gauge", "Samples that wait for their node's next message.")
    backlog.add(count_backlog(connection))
    inbox = Metric("isems_collector_inbox_rows", "gauge", "Stored rows that are not sorted in yet.")
    inbox.add(count_inbox(connection))
    dropped = Metric("isems_rejected_dropped_total", "counter", "Distinct rejected pieces no longer kept, by reason.")
    for reason, count in sorted(count_dropped(connection).items()):
        dropped.add(count, label(reason=reason))
    return [undecided, backlog, inbox, dropped]


def _sources(connection: Connection, config: Config, now: int) -> list[Metric]:
    addresses = Metric(
        "isems_collector_poll_addresses", "gauge", "Polled addresses by how the newest poll ended, or too late."
    )
    targets = select_targets(connection, config.router_ips).values()
    overdue = sum(is_overdue(target, now) for target in targets)
    failing = sum(target.error is not None and not is_overdue(target, now) for target in targets)
    if targets:
        addresses.add(failing, label(result="failed"))
        addresses.add(len(targets) - failing - overdue, label(result="answered"))
        addresses.add(overdue, label(result="overdue"))
    broker = Metric("isems_collector_mqtt_up", "gauge", "1 while a replica of the subscriber receives.")
    known = select_broker_health(connection)
    for replica, health in known.items():
        broker.add(int(health.is_well), label(replica=replica))
    if config.broker is not None and not known:  # nobody ever subscribed
        broker.add(0, label(replica=FIRST))
    return [addresses, broker]


def _store(connection: Connection) -> list[Metric]:
    size = measure_size(connection)
    store = Metric("isems_database_bytes", "gauge", "The database with its indexes and journal.")
    store.add(size.database_bytes)
    free = Metric("isems_database_disk_free_bytes", "gauge", "Free on the disk of a SQLite database.")
    free.add(size.disk_free_bytes)
    build = Metric("isems_build_info", "gauge", "Versions of what is running; the value is always 1.")
    python = ".".join(map(str, sys.version_info[:3]))
    build.add(1, label(version=__version__, schema=HEAD, python=python, database=database_of(connection).kind))
    return [store, free, build]
