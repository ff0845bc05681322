"""Nodes that take their time: `python -m benchmarks.slow_nodes HOST COUNT SECONDS` prints the port they listen on."""

import asyncio
import sys
import time
from collections import Counter
from ipaddress import IPv4Address

from benchmarks.samples import line

OK = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{}"
MISSING = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
STARTED = int(time.time()) - 3600


async def main(first: str, count: int, seconds: float) -> None:
    polls: Counter[str] = Counter()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        host = writer.get_extra_info("sockname")[0]
        if b"ffopenmppt.log " in request:
            polls[host] += 1
            if polls[host] > 1:
                await asyncio.sleep(seconds)
            log = "".join(line(host, minute, STARTED) + "\n" for minute in range(5 + polls[host]))
            writer.write(OK.format(len(log), log).encode())
        else:
            writer.write(MISSING.encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, first, 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    others = [str(IPv4Address(first) + number) for number in range(1, count)]
    if others:
        await asyncio.start_server(answer, others, port, backlog=64)
    print(port, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
