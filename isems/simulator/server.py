"""Every node of a mesh as a real HTTP server on a loopback address of its own."""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable, Sequence
from ipaddress import AddressValueError, IPv4Address
from types import TracebackType

import msgspec

from isems.errors import ConfigError
from isems.simulator.answers import answer
from isems.simulator.faults import Fault, check_faults, garbage
from isems.simulator.memory import NodeMemory
from isems.simulator.nodes import NodeSpec, Program

log = logging.getLogger(__name__)

#: No request of a node client is larger; a board reads one TCP segment.
_REQUEST_BYTES, _SEGMENT_BYTES = 8192, 1460


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how much; seconds are real ones, whatever the simulated clock does."""

    #: Connections a node serves at a time; further ones are cut.
    connections: int = 16
    #: A connection that has not sent its request by then is closed.
    idle_seconds: float = 10.0
    #: No answer takes longer, however slowly it is read or trickles.
    answer_seconds: float = 120.0
    #: What the faults `slow` and `trickle` do.
    slow_seconds: float = 20.0
    trickle_bytes: int = 3
    trickle_seconds: float = 1.0


def addresses(mesh: Sequence[NodeSpec], base_host: str = "127.83.0.1", port: int = 8083) -> list[str]:
    """Give ``host:port`` of every node, in the mesh's order, counting up from `base_host`."""
    return [f"{host}:{port}" for host in _hosts(len(mesh), base_host)]


def _hosts(count: int, base_host: str) -> list[str]:
    try:
        base = IPv4Address(base_host)
        hosts = [base + number for number in range(count)]
    except (AddressValueError, ValueError):
        raise ConfigError(f"address {base_host!r} is no IPv4 address to count {count} nodes from") from None
    if not all(host.is_loopback for host in hosts):
        raise ConfigError(f"addresses from {base_host} on are not all loopback addresses (127.0.0.0/8)")
    return [str(host) for host in hosts]


async def serve_mesh(
    mesh: Sequence[NodeSpec],
    *,
    base_host: str = "127.83.0.1",
    port: int = 8083,
    clock: Callable[[], float],
    faults: dict[str, Fault] | None = None,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
) -> "Mesh":
    """Start a server for every node and give the running mesh; close it with `Mesh.close` or ``async with``.

    `clock` gives (simulated) epoch seconds; `faults` maps node names to what is wrong with them.
    ConfigError when an address cannot be listened on or a fault does not fit.
    """
    check_faults(mesh, faults or {})
    running = Mesh(addresses(mesh, base_host, port))
    for spec, host in zip(mesh, _hosts(len(mesh), base_host), strict=True):
        node = _NodeServer(NodeMemory(spec, (faults or {}).get(spec.name)), clock, limits)
        try:
            await running.start(node, host, port)
        except OSError as error:
            await running.close()
            raise ConfigError(f"cannot listen on {host}:{port} for {spec.name}: {error.strerror or error}") from error
    return running


class Mesh:
    """A running mesh."""

    def __init__(self, addresses: list[str]) -> None:
        """Made by `serve_mesh`."""
        self.addresses = addresses
        #: Of all nodes that are not dead, for who makes them publish, too.
        self.memories: list[NodeMemory] = []
        self._servers: list[asyncio.Server] = []
        self._nodes: list[_NodeServer] = []

    async def start(self, node: "_NodeServer", host: str, port: int) -> None:
        """Open one node's server; a dead one's address stays closed."""
        if node.fault is Fault.DEAD:
            return
        self._nodes.append(node)
        self.memories.append(node.memory)
        self._servers.append(await asyncio.start_server(node.serve, host, port, limit=_REQUEST_BYTES, backlog=32))

    async def close(self) -> None:
        """Stop listening and cut every open connection."""
        for server in self._servers:
            server.close()
        for node in self._nodes:
            await node.close()
        for server in self._servers:
            await server.wait_closed()
        self._servers, self._nodes = [], []

    async def __aenter__(self) -> "Mesh":
        """Give the mesh itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the mesh."""
        await self.close()


class _NodeServer:
    """One node's web server: its memory, its manner of reading requests, its faults."""

    def __init__(self, memory: NodeMemory, clock: Callable[[], float], limits: Limits) -> None:
        self.fault = memory.fault
        self.memory = memory
        self._clock = clock
        self._limits = limits
        self._open: set[asyncio.Task[None]] = set()

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection; a plain function, so that asyncio logs nothing when we cancel."""
        if len(self._open) >= self._limits.connections or self.memory.advance(int(self._clock())) is None:
            # Too many, or no power.
            _reset(writer)
            return
        task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def close(self) -> None:
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._limits.idle_seconds):
                request = await self._read_request(reader)
            async with asyncio.timeout(self._limits.slow_seconds + self._limits.answer_seconds):
                await self._reply(request, writer)
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.debug("%s: connection dropped: %r", self.memory.spec.name, error)
        finally:
            _reset(writer)

    async def _read_request(self, reader: asyncio.StreamReader) -> bytes:
        if self.memory.spec.program in (Program.OLD_BOARD, Program.AVR_BOARD):
            return await reader.read(_SEGMENT_BYTES)
        return await reader.readuntil(b"\r\n\r\n")

    async def _reply(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        if self.fault is Fault.SLOW:
            await asyncio.sleep(self._limits.slow_seconds)
        at = int(self._clock())
        if not request or self.memory.advance(at) is None:
            return
        head, body = answer(self.memory, request, at)
        if self.fault is Fault.GARBAGE:
            body = garbage(self.memory.spec, at)
            head = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" if head else b""
        if self.fault is Fault.TRICKLE:
            await self._trickle(head + body, writer)
        else:
            writer.write(head + body)
        await self._finish(writer)

    async def _trickle(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        step = self._limits.trickle_bytes
        for start in range(0, len(data), step):
            writer.write(data[start : start + step])
            await writer.drain()
            await asyncio.sleep(self._limits.trickle_seconds)

    async def _finish(self, writer: asyncio.StreamWriter) -> None:
        await writer.drain()
        writer.close()
        await writer.wait_closed()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Drop a connection so that the peer sees a reset, not an end; does nothing to one that was closed properly."""
    if not writer.is_closing():
        # Linger of zero seconds: discard what is unsent and reset, as a node does that loses its power.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
