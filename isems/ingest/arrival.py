"""A payload and what was read from it, before anything is judged."""

from typing import NamedTuple

import msgspec

from isems.domain.clock import Receipt, is_fresh
from isems.domain.measurement import Measurement
from isems.domain.payload import Payload
from isems.domain.rejection import Reason, Rejected
from isems.errors import FormatError
from isems.formats import Parsed, parse_payload


class Arrival(NamedTuple):
    """A payload and what was read from it."""

    payload: Payload
    parsed: Parsed


def read_payload(payload: Payload) -> Arrival:
    """Parse; a payload in no known format becomes one rejected piece."""
    if payload.problem is not None:
        return Arrival(payload, Parsed([], [], [Rejected(payload.data, Reason.TOPIC, payload.problem)]))
    try:
        parsed = parse_payload(payload)
    except FormatError as error:
        piece = Rejected(payload.data, Reason.NO_FORMAT, str(error), payload.node_hint)
        return Arrival(payload, Parsed([], [], [piece]))
    allowed = payload.allowed_nodes if payload.node_hint is None else frozenset((payload.node_hint,))
    return Arrival(payload, _without_foreign(parsed, allowed))


def _without_foreign(parsed: Parsed, allowed: frozenset[str] | None) -> Parsed:
    """Reject records of other nodes than those that may use this way in: else any node could write into the history
    of any other, whatever its broker or its push token allows it.
    """
    if allowed is None or all(measurement.node in allowed for measurement in parsed.measurements):
        return parsed
    who = next(iter(allowed)) if len(allowed) == 1 else None
    own = Parsed([], [], list(parsed.rejected))
    for measurement, raw in zip(parsed.measurements, parsed.raws, strict=True):
        if measurement.node in allowed:
            own.measurements.append(measurement)
            own.raws.append(raw)
        else:
            speakers = f"{len(allowed)} other nodes" if who is None else repr(who)
            detail = f"a record of {measurement.node!r} came where only {speakers} may speak"
            own.rejected.append(Rejected(raw_of(raw), Reason.NODE_FOREIGN, detail, who))
    return own


class Sent(msgspec.Struct, frozen=True, gc=False):
    """What one node sent, in the order in which it came."""

    measurements: list[Measurement]
    raws: list[str]


class Grouped(NamedTuple):
    """An arrival, its records by node, and whether it came without a wait."""

    payload: Payload
    parsed: Parsed
    by_node: dict[str, Sent]
    is_live: bool

    @property
    def is_sample(self) -> bool:
        """Whether it is a sample that tells no time (`domain.sample`); such a payload holds nothing else."""
        measurements = self.parsed.measurements
        return len(measurements) == 1 and measurements[0].measured_at is None


def group(arrival: Arrival) -> Grouped:
    """Sort an arrival's records by node.

    What a broker may have queued is live after all where the node's own time shows it.
    """
    payload, parsed = arrival
    is_live = payload.is_live or (payload.is_queued and is_fresh(parsed.measurements, payload.received_at))
    return Grouped(payload, parsed, _group_by_node(parsed), is_live)


def _group_by_node(parsed: Parsed) -> dict[str, Sent]:
    names = dict.fromkeys(measurement.node for measurement in parsed.measurements)
    if len(names) == 1:
        return dict.fromkeys(names, Sent(parsed.measurements, parsed.raws))
    if len(names) == len(parsed.measurements):
        return {one.node: Sent([one], [raw]) for one, raw in zip(parsed.measurements, parsed.raws, strict=True)}
    groups = {name: Sent([], []) for name in names}
    for measurement, raw in zip(parsed.measurements, parsed.raws, strict=True):
        sent = groups[measurement.node]
        sent.measurements.append(measurement)
        sent.raws.append(raw)
    return groups


def receipt_of(arrival: Grouped, *, is_trusted: bool) -> Receipt:
    """Give what is known of an arrival, with whether our own clock is trusted."""
    return Receipt(
        received_at=arrival.payload.received_at,
        is_live=arrival.is_live,
        sender_time=arrival.payload.sender_time,
        is_trusted=is_trusted,
        has_waited=arrival.payload.has_waited,
    )


def raw_of(text: str) -> bytes:
    """Give the bytes that a record was read from."""
    return text.encode("utf-8", "surrogatepass")
