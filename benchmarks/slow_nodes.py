"""Nodes that take their time: `python -m benchmarks.slow_nodes HOST COUNT SECONDS` prints the port they listen on."""

import asyncio
import sys
import time
from collections import Counter
from ipaddress import IPv4Address

from benchmarks.samples import line

OK = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{}"
MISSING = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
STARTED = int(time.time()) - 3600


class SlowNode(asyncio.Protocol):
    """One request; as little work as can be, because it shares the machine with what is measured."""

    def __init__(self, polls: Counter[str], seconds: float) -> None:
        self.polls = polls
        self.seconds = seconds

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if b"ffopenmppt.log " not in data:
            self.answer(MISSING)
            return
        host = self.transport.get_extra_info("sockname")[0]
        self.polls[host] += 1
        log = "".join(line(host, minute, STARTED) + "\n" for minute in range(5 + self.polls[host]))
        answer = OK.format(len(log), log).encode()
        # What they are asked first is answered at once.
        asyncio.get_running_loop().call_later(self.seconds if self.polls[host] > 1 else 0, self.answer, answer)

    def answer(self, data: bytes) -> None:
        self.transport.write(data)
        self.transport.close()


async def main(first: str, count: int, seconds: float) -> None:
    loop, polls = asyncio.get_running_loop(), Counter[str]()
    server = await loop.create_server(lambda: SlowNode(polls, seconds), first, 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    others = [str(IPv4Address(first) + number) for number in range(1, count)]
    if others:
        await loop.create_server(lambda: SlowNode(polls, seconds), others, port, backlog=64)
    print(port, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
