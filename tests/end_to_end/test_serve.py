"""`isems serve` as it runs for years: a process, real HTTP on both sides, and how it ends."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from isems.storage.database import Database
from isems.storage.newest import count_measurements
from tests.services import MOSQUITTO, find_mosquitto, require_service

ROOT = Path(__file__).resolve().parent.parent.parent
#: Longer than anything here takes on a busy machine.
PATIENCE = 40


class Running:
    """A process with what it has said so far."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.said: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self._news:
                self.said.append(line.rstrip())
                self._news.notify_all()

    @property
    def text(self) -> str:
        return "\n".join(self.said)

    def wait_for(self, pattern: str) -> "re.Match[str]":
        """Wait until it said something."""
        with self._news:
            self._news.wait_for(lambda: re.search(pattern, self.text), timeout=PATIENCE)
        found = re.search(pattern, self.text)
        assert found, f"{pattern!r} was not said:\n{self.text}"
        return found

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; give the exit code and the seconds it took."""
        start = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        seconds = time.monotonic() - start
        self._reader.join(5)
        return code, seconds


@contextmanager
def started(*arguments: str, cwd: Path = ROOT, **environment: str) -> Iterator[Running]:
    process = subprocess.Popen(
        [sys.executable, "-m", "isems", *arguments],
        cwd=cwd,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Running(process)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(PATIENCE)
        running._reader.join(5)
        assert process.stdout
        process.stdout.close()


def free_port() -> int:
    """A port that is free together with the next one, where a demonstration has its nodes."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            try:
                other.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def get(port: int, path: str, language: str = "en") -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept-Language": language})
    with urllib.request.urlopen(request, timeout=5) as response:
        text: str = response.read().decode()
    return text


def measurements(port: int, path: str = "/measurements/latest?all=true") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(get(port, path))["measurements"]
    return found


def wait_until(is_done: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_done():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def processes(*wanted: str) -> list[int]:
    """The processes whose command line holds all these texts."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
        except OSError:  # ended while we looked
            continue
        if all(text in command for text in wanted):
            found.append(int(folder.name))
    return found


def simulators(port: int) -> list[int]:
    """The processes that simulate nodes on a port."""
    return processes("\0simulate\0", f"\0{port}\0")


def brokers(checkout: Path) -> list[int]:
    """The mosquittos of a demonstration."""
    return processes("mosquitto\0-c\0", str(checkout))


def resident_megabytes(process: "subprocess.Popen[str]") -> float:
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


# -- with nodes -----------------------------------------------------------------------------------


def test_it_polls_stores_and_serves_within_seconds_and_ends_in_order(sqlite_url: str) -> None:
    with ExitStack() as stack:
        node_port = free_port()
        mesh = stack.enter_context(
            started("simulate", "--nodes", "3", "--days", "0", "--host", "127.91.7.1", "--port", str(node_port))
        )
        mesh.wait_for("^ready$|\nready$")
        addresses = [line for line in mesh.said if line.startswith("127.91.7.")]
        assert len(addresses) == 3
        service = stack.enter_context(
            started("serve", DATABASE_URL=sqlite_url, ISEMS_PORT="0", ISEMS_ROUTER_IPS=f" {', '.join(addresses)},")
        )
        port = int(service.wait_for(r"serving on http://127\.0\.0\.1:(\d+)")[1])
        wait_until(lambda: len(measurements(port)) == 3)
        for one in measurements(port):
            history = measurements(port, f"/measurements/{urllib.request.quote(one['nodeId'])}/latest")  # type: ignore[attr-defined]
            assert history[0] == one
        assert json.loads(get(port, "/readyz"))["ready"] is True
        status = json.loads(get(port, "/v1/status"))
        assert (status["nodes"]["known"], status["is_simulation"]) == (3, False)

        # A phone that keeps its connection open must not keep the service up.
        idle = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(100).startswith(b"HTTP/1.1 200")
        code, seconds = service.end()
        assert (code, service.said[-1].endswith("INFO stopped")) == (0, True), service.text
        assert seconds < 5
        assert mesh.end()[0] == 0
        assert "Traceback" not in service.text + mesh.text
    assert not list(Path(sqlite_url.removeprefix("sqlite:///")).parent.glob("*-wal"))


def test_idle_it_takes_less_than_80_megabytes(sqlite_url: str) -> None:
    with started("serve", DATABASE_URL=sqlite_url, ISEMS_PORT="0") as service:
        port = int(service.wait_for(r"serving on http://\S+:(\d+)")[1])
        get(port, "/measurements/latest")
        assert resident_megabytes(service.process) < 80
        code, seconds = service.end(signal.SIGINT)
        assert (code, seconds < 5) == (0, True)
        assert "Traceback" not in service.text


def test_a_port_that_is_taken_is_a_matter_of_configuration(sqlite_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with started("serve", DATABASE_URL=sqlite_url, ISEMS_PORT=str(port)) as service:
            assert service.process.wait(PATIENCE) == 2
            service.wait_for(rf"\AError: ISEMS_HOST, ISEMS_PORT is '127\.0\.0\.1', {port}, expected [^\n]*\Z")


def test_every_address_of_a_name_is_served(sqlite_url: str) -> None:
    with started("serve", DATABASE_URL=sqlite_url, ISEMS_HOST="localhost", ISEMS_PORT=str(free_port())) as service:
        port = int(service.wait_for(r"serving on http://\S+:(\d+)")[1])
        assert get(port, "/healthz") == "ok\n"
        assert service.end()[0] == 0


def test_a_body_of_any_size_is_not_taken_in(sqlite_url: str) -> None:
    with started("serve", DATABASE_URL=sqlite_url, ISEMS_PORT="0") as service:
        port = int(service.wait_for(r"serving on http://\S+:(\d+)")[1])
        request = urllib.request.Request(f"http://127.0.0.1:{port}/measurements/latest", data=b"x" * 100_000)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=5)
        assert refused.value.code == 413
        refused.value.close()


def is_served(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_simulated_boards_publish_on_this_computer_only() -> None:
    with started("simulate", "--nodes", "4", "--mqtt", "10.0.0.1:1883") as mesh:
        assert mesh.process.wait(PATIENCE) == 2
        mesh.wait_for(r"\AError: --mqtt is '10\.0\.0\.1:1883', expected [^\n]*\Z")


# -- with nothing configured ----------------------------------------------------------------------


def copy_checkout(folder: Path, history_days: int) -> Path:
    """A checkout of its own, with a shorter past: its databases are its own, too."""
    shutil.copytree(ROOT / "isems", folder / "isems")
    shutil.copy(ROOT / "app.py", folder)
    replace_constant(folder / "isems" / "demo.py", "HISTORY_DAYS", str(history_days))
    return folder


def replace_constant(module: Path, name: str, value: str) -> None:
    text, count = re.subn(rf"^{name} = .+$", f"{name} = {value}", module.read_text(), flags=re.M)
    assert count == 1
    module.write_text(text)


def end_brokers(checkout: Path) -> None:
    """See that none is left; one that is shall not stay on the developer's computer."""
    try:
        wait_until(lambda: not brokers(checkout))
    finally:
        for pid in brokers(checkout):
            os.kill(pid, signal.SIGKILL)


@contextmanager
def demonstration(checkout: Path, **environment: str) -> Iterator[tuple[Running, int]]:
    port = free_port()
    # What a killed service leaves behind shall not stay on the developer's computer.
    environment |= {"ISEMS_PORT": str(port), "TMPDIR": str(checkout)}
    with started("serve", "--demo=auto", cwd=checkout, **environment) as service:
        wait_until(lambda: service.process.poll() is not None or is_served(port))
        try:
            yield service, port
        finally:
            if service.process.poll() is None:
                service.end()
            end_brokers(checkout)


def test_with_nothing_configured_it_shows_a_simulated_mesh_and_says_so(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path, history_days=1)
    real = tmp_path / "real.db"
    with demonstration(checkout, DATABASE_URL=f"sqlite:///{real}", ISEMS_LOG_LEVEL="ERROR") as (service, port):
        service.wait_for("SIMULATED nodes are shown")
        assert str(checkout / "isems-demo.db") in service.text
        assert json.loads(get(port, "/v1/status"))["is_simulation"] is True
        wait_until(lambda: len(measurements(port)) == 12)
        assert not real.exists()
        assert len(simulators(port + 1)) == 1
        code, seconds = service.end()
        assert (code, seconds < 8) == (0, True)
        assert "Traceback" not in service.text
        assert simulators(port + 1) == []
    assert not real.exists()


def test_a_configured_node_ends_the_demonstration(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path, history_days=1)
    with demonstration(checkout, ISEMS_ROUTER_IPS="127.91.7.99:9") as (service, port):
        assert json.loads(get(port, "/v1/status"))["is_simulation"] is False
        assert "SIMULATED" not in service.text
    assert (checkout / "isems.db").exists()
    assert not (checkout / "isems-demo.db").exists()


def has_polled_since(checkout: Path, start: int) -> Callable[[], bool]:
    """Give the question whether every simulated node was polled since an instant."""

    def ask() -> bool:
        with closing(sqlite3.connect(checkout / "isems-demo.db")) as connection:
            counted = connection.execute("SELECT count(*) FROM poll_target WHERE polled_at >= ?", (start,))
            return int(counted.fetchone()[0]) >= 11  # one only publishes where there is a broker

    return ask


def test_a_second_start_continues_the_same_nodes_without_a_conflict(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path, history_days=1)
    counts = []
    for _ in range(2):
        has_polled_all = has_polled_since(checkout, int(time.time()))
        with demonstration(checkout) as (service, _):
            found = service.wait_for(r"history of the simulated nodes: (\d+) stored, (\d+) duplicate, (\d+) rejected")
            wait_until(has_polled_all)
            counts.append([int(number) for number in found.groups()])
            assert service.end()[0] == 0
    (first, second), database = counts, Database(f"sqlite:///{checkout / 'isems-demo.db'}")
    with database.read() as connection:
        rejected = connection.exec_driver_sql("SELECT reason, detail FROM rejected").fetchall()
        stored = count_measurements(connection)
    database.close()
    assert [list(row) for row in rejected] == []
    assert first[1:] == [0, 0]
    assert second[2] == 0
    # The past day has moved by the seconds between the starts: only what happened since is new.
    assert second[1] > 0.9 * first[0]
    assert second[0] < 0.1 * first[0]
    assert stored >= first[0] + second[0]


@pytest.mark.parametrize(("moment", "number"), [("serving on", signal.SIGINT), ("history of 1 of 12", signal.SIGTERM)])
def test_it_ends_promptly_while_its_past_is_still_being_made(tmp_path: Path, moment: str, number: int) -> None:
    checkout = copy_checkout(tmp_path, history_days=8)
    with demonstration(checkout) as (service, port):
        service.wait_for(moment)
        code, seconds = service.end(number)
        assert code == 0, service.text
        assert seconds < 3, service.text
        assert "history of 12 of 12" not in service.text
        assert "Traceback" not in service.text
        assert simulators(port + 1) == []


@pytest.mark.parametrize("moment", ["serving on", r"polling 1[12] addresses"])
def test_the_simulated_nodes_are_gone_even_if_the_service_was_killed(tmp_path: Path, moment: str) -> None:
    checkout = copy_checkout(tmp_path, history_days=1)
    with demonstration(checkout) as (service, port):
        service.wait_for(moment)
        wait_until(lambda: simulators(port + 1))
        assert len(brokers(checkout)) == (find_mosquitto() is not None)
        assert service.end(signal.SIGKILL)[0] == -signal.SIGKILL
        wait_until(lambda: not simulators(port + 1) and not brokers(checkout))


def newest(checkout: Path, node: str) -> int:
    with closing(sqlite3.connect(checkout / "isems-demo.db")) as connection:
        statement = "SELECT max(measured_at) FROM every_measurement m JOIN node n ON n.id = m.node_id WHERE n.name = ?"
        return int(connection.execute(statement, (node,)).fetchone()[0] or 0)


def test_with_a_mosquitto_at_hand_the_simulated_boards_publish_to_one_of_their_own(tmp_path: Path) -> None:
    require_service(MOSQUITTO)
    checkout = copy_checkout(tmp_path, history_days=1)
    replace_constant(checkout / "isems" / "simulator" / "messages.py", "PUSH_PERIOD", "5")
    # What the user configured is not contacted, nor its prefixes used.
    with ExitStack() as stack:
        other = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        other.settimeout(0.01)
        configured = {"MQTT_SERVER": f"127.0.0.1:{other.getsockname()[1]}", "ISEMS_MQTT_PREFIXES": "elsewhere/"}
        port = free_port()
        environment = {"ISEMS_PORT": str(port), "TMPDIR": str(checkout)} | configured
        service = stack.enter_context(started("serve", "--demo=always", cwd=checkout, **environment))
        service.wait_for("polling 11 addresses")
        service.wait_for(rf"127\.82\.0\.1:{port + 1}: receiving by MQTT 5")
        # This board is not polled.
        before = newest(checkout, "Wagenplatz Süd")
        wait_until(lambda: newest(checkout, "Wagenplatz Süd") > before)
        wait_until(lambda: "Balkon-Neukoelln" in {one["nodeId"] for one in measurements(port)})
        # One that is polled and publishes is one node.
        assert len(measurements(port)) == 12
        assert len(brokers(checkout)) == 1
        assert service.end()[0] == 0
        assert "Traceback" not in service.text
        assert "already connected" not in service.text
        assert brokers(checkout) == simulators(port + 1) == []
        with pytest.raises(TimeoutError):
            other.accept()
    with closing(sqlite3.connect(checkout / "isems-demo.db")) as connection:
        rejected = connection.execute("SELECT DISTINCT reason, address FROM rejected").fetchall()
    assert rejected == []


@pytest.mark.parametrize("victim", ["mosquitto", "simulate"])
def test_the_broker_of_a_demonstration_ends_with_it_whatever_died_before(tmp_path: Path, victim: str) -> None:
    require_service(MOSQUITTO)
    checkout = copy_checkout(tmp_path, history_days=1)
    with demonstration(checkout) as (service, port):
        service.wait_for("receiving by MQTT")
        pids = brokers(checkout) if victim == "mosquitto" else simulators(port + 1)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert get(port, "/healthz") == "ok\n"
        assert service.end()[0] == 0
        assert brokers(checkout) == simulators(port + 1) == []
        assert "Traceback" not in service.text


def test_without_a_mosquitto_the_demonstration_runs_and_says_what_is_missing(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path, history_days=1)
    replace_constant(checkout / "isems" / "demo.py", "BROKER_FOLDERS", "()")
    with demonstration(checkout, PATH=str(tmp_path)) as (service, port):
        service.wait_for("INFO MQTT is not shown, as there is no mosquitto here; on Debian: apt install mosquitto")
        service.wait_for("polling 12 addresses")
        wait_until(lambda: len(measurements(port)) == 12)
        assert brokers(checkout) == []
        assert service.end()[0] == 0
    assert service.text.count("MQTT") == 1


def test_a_mosquitto_that_does_not_start_is_told_and_the_demonstration_runs(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path, history_days=1)
    (tmp_path / "mosquitto").write_text("#!/bin/sh\necho I will not >&2\nexit 3\n")
    (tmp_path / "mosquitto").chmod(0o755)
    with demonstration(checkout, PATH=f"{tmp_path}:{os.environ['PATH']}") as (service, port):
        service.wait_for("I will not")
        service.wait_for("WARNING MQTT is not shown, as mosquitto does not start; its own words stand above")
        service.wait_for("polling 12 addresses")
        assert get(port, "/healthz") == "ok\n"
        assert service.end()[0] == 0


def test_a_mesh_that_cannot_start_is_told_and_ends_the_service(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path, history_days=1)
    port = free_port()
    taken = socket.create_server(("127.83.0.1", port + 1))
    with taken, started("serve", "--demo=auto", cwd=checkout, ISEMS_PORT=str(port)) as service:
        assert service.process.wait(PATIENCE) == 1
        service.wait_for(r"Error: cannot listen on 127\.83\.0\.1")
        service.wait_for("Error: the simulated mesh did not start")
        assert "Traceback" not in service.text
