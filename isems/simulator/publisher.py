"""The boards of a mesh as MQTT clients of a broker on this computer.

One connection for each message and no library: a board connects under its own id, publishes, waits for the
acknowledgement, and forgets the connection without closing it, so that the broker ends it when the same id comes again.
All boards share one event loop; a thread each, as MQTT libraries have, would not do for a mesh of thousands.
"""

import asyncio
import logging
import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import NamedTuple

from isems.errors import ConfigError
from isems.simulator.clock import SimulatedClock
from isems.simulator.faults import Fault
from isems.simulator.memory import NodeMemory
from isems.simulator.messages import Message, client_id, messages, next_push

log = logging.getLogger(__name__)

PORT = 1883
KEEPALIVE_SECONDS = 120
#: How long a broker may take for one message, in real seconds; then it is dropped.
ANSWER_SECONDS = 10.0
#: Messages that are under way at the same time.
AT_ONCE = 64
_CONNECT, _PUBLISH, _PUBLISH_AGAIN = 0x10, 0x32, 0x3A  # the latter two at QoS 1, not retained
#: MQTT 3.1.1, a clean session, no will, no login.
_PROTOCOL = b"\x00\x04MQTT\x04\x02"
_ACCEPTED, _ACKNOWLEDGED = b"\x20\x02\x00\x00", b"\x40\x02\x00\x01"
_PLACE = re.compile(r"(?P<host>[^:\[\]]+|\[[^\[\]]+\])(:(?P<port>[0-9]{1,5}))?", re.ASCII)


class Place(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int


def parse_place(text: str) -> Place:
    """Read ``host[:port]`` of a broker; ConfigError where that is not on this computer."""
    found = _PLACE.fullmatch(text)
    host = found["host"].strip("[]") if found else ""
    port = int(found["port"] or PORT) if found else 0
    try:
        is_loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback or not 0 < port < 65_536:
        raise ConfigError(
            f"--mqtt is {text!r}, expected host or host:port of a broker on this computer, such as 127.0.0.1:{PORT}"
        )
    return Place(host, port)


class Publisher:
    """Publishes what the boards of a mesh have to say, as long as `run` runs."""

    def __init__(
        self,
        memories: Sequence[NodeMemory],
        broker: Place,
        clock: SimulatedClock,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """`memories` are those that also answer who polls; nodes that do not publish may be among them."""
        self.memories = [one for one in memories if one.spec.publishes and one.fault is not Fault.DEAD]
        self.broker = broker
        self._clock = clock
        self._answer_seconds = answer_seconds
        self._turns = asyncio.Semaphore(AT_ONCE)
        #: The connections that the boards have forgotten, until the broker ends them.
        self._forgotten: dict[bytes, asyncio.StreamWriter] = {}
        self._trouble = ""

    async def run(self) -> None:
        """Publish until cancelled."""
        try:
            async with asyncio.TaskGroup() as boards:
                for memory in self.memories:
                    boards.create_task(self._live(memory))
                    # Each works out its season first: who polls meanwhile is to be answered.
                    await asyncio.sleep(0)
        finally:
            for writer in self._forgotten.values():
                writer.transport.abort()

    async def _live(self, memory: NodeMemory) -> None:
        at = next_push(memory.timeline, int(self._clock()))
        while at is not None:
            while (seconds := self._clock.seconds_until(at)) > 0:
                await asyncio.sleep(seconds)
            memory.advance(at)
            for message in messages(memory, at):
                await self._try_to_send(memory, message)
            at = next_push(memory.timeline, at)

    async def _try_to_send(self, memory: NodeMemory, message: Message) -> None:
        """Send, or drop the message as boards do: the next one has other records."""
        try:
            async with self._turns, asyncio.timeout(self._answer_seconds):
                await self._send(memory, message)
        except (asyncio.IncompleteReadError, ConnectionResetError, BrokenPipeError):
            # Another board with the same client id came in between.
            log.debug("%s: dropped: the broker hung up", message.topic)
        except TimeoutError:
            self._tell(f"no answer within {self._answer_seconds:g} s")
        except OSError as error:
            self._tell(error.strerror or str(error))
        else:
            self._tell("")

    def _tell(self, trouble: str) -> None:
        """Log how the broker is when that changes."""
        if trouble != self._trouble:
            self._trouble = trouble
            news = f"does not take what boards publish: {trouble}" if trouble else "takes what boards publish again"
            log.warning("the broker at %s:%d %s", *self.broker, news)

    async def _send(self, memory: NodeMemory, message: Message) -> None:
        own_id = client_id(memory.spec)
        reader, writer = await asyncio.open_connection(*self.broker)
        try:
            await _ask(reader, writer, _connect(own_id), _ACCEPTED)
            await _ask(reader, writer, _publish(_PUBLISH, message), _ACKNOWLEDGED)
            if memory.fault is Fault.DUPLICATE:
                await _ask(reader, writer, _publish(_PUBLISH_AGAIN, message), _ACKNOWLEDGED)
        except BaseException:
            writer.transport.abort()
            raise
        if own_id in self._forgotten:
            self._forgotten[own_id].transport.abort()
        self._forgotten[own_id] = writer


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, packet: bytes, expected: bytes) -> None:
    writer.write(packet)
    answer = await reader.readexactly(len(expected))
    if answer != expected:
        raise ConnectionError(f"it answered {answer.hex()}")


def _connect(own_id: bytes) -> bytes:
    return _packet(_CONNECT, _PROTOCOL + KEEPALIVE_SECONDS.to_bytes(2) + _text(own_id))


def _publish(kind: int, message: Message) -> bytes:
    return _packet(kind, _text(message.topic.encode()) + b"\x00\x01" + message.payload)


def _text(text: bytes) -> bytes:
    return len(text).to_bytes(2) + text


def _packet(kind: int, rest: bytes) -> bytes:
    """A packet: its length is written in groups of seven bits, the lowest first."""
    length, left = bytearray(), len(rest)
    while left > 0x7F:
        length.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([kind, *length, left]) + rest
