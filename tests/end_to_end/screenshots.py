"""The pictures in README.md: `make screenshots` writes them, from a simulated mesh at an instant that never changes."""

import base64
import math
import struct
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from flask import Response
from playwright.sync_api import Page
from werkzeug.http import http_date

from isems.api.app import create_app
from isems.api.context import DEMO
from isems.api.server import web_server
from isems.config import Config
from isems.simulator import NodeSpec, make_mesh, records
from isems.storage.database import Database
from tests.api.stored import line, store
from tests.dashboard_mesh import DAY, HOUR
from tests.end_to_end.browsing import DESKTOP, PHONE, ROOT, run_browser, visit
from tests.services import CHROMIUM

#: An evening of November: the weakest node of the mesh will be dark before midnight.
NOW = int(datetime(2026, 11, 10, 18, 58, tzinfo=UTC).timestamp())
WEAKEST = 2
#: How long ago the node of that number was heard last.
QUIET_SECONDS = {3: 2 * DAY + 10 * HOUR, 7: 20 * 60, 10: 3 * HOUR}
SILENT_CONTROLLER = 4
FOLDER = ROOT / "docs"
#: Where a part of the window is drawn anew, a pixel at its edge may be a shade off; the whole is the same each time.
WHOLE = "--disable-partial-raster"
COLOURS = 256
#: Of 255 steps in each of red, green and blue.
NEAR = 8
#: The red, green, blue and opacity of each pixel.
PIXELS_OF = """async (png) => {
    const image = await createImageBitmap(await (await fetch("data:image/png;base64," + png)).blob());
    const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
    canvas.drawImage(image, 0, 0);
    const { data } = canvas.getImageData(0, 0, image.width, image.height);
    let text = "";
    for (let at = 0; at < data.length; at += 9999) text += String.fromCharCode(...data.subarray(at, at + 9999));
    return [image.width, btoa(text)];
}"""

Colour = tuple[int, int, int]


def main() -> int:
    """Write the pictures. Gives the exit code."""
    program = CHROMIUM.find()
    if program is None:
        print(CHROMIUM.missing, file=sys.stderr)
        return 2
    weakest = quote(make_mesh(WEAKEST + 1)[WEAKEST].name)
    with (
        tempfile.TemporaryDirectory() as folder,
        served_mesh(Path(folder)) as address,
        run_browser(program, WHOLE) as browser,
    ):
        with visit(browser, PHONE, locale="en-GB", device_scale_factor=2) as visited:
            take(visited.page, f"{address}#/", ".card .spark path", FOLDER / "fleet.png")
        with visit(browser, DESKTOP, locale="en-GB") as visited:
            take(visited.page, f"{address}#/nodes/{weakest}", ".lanes canvas", FOLDER / "node.png")
    return 0


def take(page: Page, address: str, awaited: str, path: Path) -> None:
    """Show a page by our clock, wait until all of it is there, and write what is seen."""
    page.clock.set_fixed_time(NOW)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    for one in (awaited, ".row .spark path"):
        page.locator(one).first.wait_for(state="attached")
    path.write_bytes(pack(page, page.screenshot()))
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


def pack(page: Page, png: bytes) -> bytes:
    """Give a picture in few colours: a third of the size, and nobody sees the difference."""
    page.goto("about:blank")  # where no policy forbids data:
    width, text = page.evaluate(PIXELS_OF, base64.b64encode(png).decode())
    data = base64.b64decode(text)
    pixels: list[Colour] = list(zip(data[::4], data[1::4], data[2::4], strict=True))
    palette, index = choose_colours(pixels)
    rows = b"".join(
        b"\0" + bytes(index[pixel] for pixel in pixels[start : start + width]) for start in range(0, len(pixels), width)
    )
    header = struct.pack(">IIBBBBB", width, len(pixels) // width, 8, 3, 0, 0, 0)
    chunks = {b"IHDR": header, b"PLTE": bytes(sum(palette, ())), b"IDAT": zlib.compress(rows, 9), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(write_chunk(kind, body) for kind, body in chunks.items())


def choose_colours(pixels: list[Colour]) -> tuple[list[Colour], dict[Colour, int]]:
    """Give the most frequent colours that are not too near to a more frequent one, and which of them stands for each."""
    palette: list[Colour] = []
    index: dict[Colour, int] = {}
    for colour, _ in Counter(pixels).most_common():
        best = min(range(len(palette)), key=lambda one: math.dist(colour, palette[one]), default=None)
        if best is None or (len(palette) < COLOURS and math.dist(colour, palette[best]) > NEAR):
            best = len(palette)
            palette.append(colour)
        index[colour] = best
    return palette, index


def write_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@contextmanager
def served_mesh(folder: Path) -> Iterator[str]:
    """Serve the demonstration mesh as it is at NOW, with some of its nodes in trouble. Gives the dashboard's address."""
    config = Config(database_url=f"sqlite:///{folder / 'isems.db'}", port=0)
    database = Database(config.database_url)
    for spec in make_mesh(12):
        store(database, told(spec), now=NOW)
    app = create_app(config, database, clock=lambda: NOW)
    app.extensions[DEMO] = True

    @app.after_request
    def stamp(response: Response) -> Response:
        response.headers["Date"] = http_date(NOW)  # the dashboard tells ages by it
        return response

    with web_server(app, config) as port:
        yield f"http://127.0.0.1:{port}/"
    database.close()


def told(spec: NodeSpec) -> Iterator[str]:
    """Give the lines of a node: a month of the one that is looked at, as much as the fleet shows of the others."""
    since = NOW - (31 if spec.index == WEAKEST else 6) * DAY
    until = NOW - QUIET_SECONDS.get(spec.index, 0)
    if spec.index == SILENT_CONTROLLER:
        until -= 4 * 60
        yield from (line(spec.name, until + 60 * n, battery="0", status="0B2") for n in range(4))
    yield from (text for _, text in records(spec, since, until))


if __name__ == "__main__":
    sys.exit(main())
