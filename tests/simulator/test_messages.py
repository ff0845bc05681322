"""What boards publish, against what the real programs published."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import pytest

from isems.simulator import Fault, NodeSpec, Program, make_mesh, records
from isems.simulator.answers import answer
from isems.simulator.memory import NodeMemory
from isems.simulator.messages import client_id, messages, next_push, sample
from tests.simulator.grammar import pattern
from tests.simulator.instants import DAY, SUMMER, WINTER
from tests.test_firmware_data import read_records

MESH = make_mesh(12)
BOARD, BOARD53, OLD_BOARD = MESH[3], MESH[6], MESH[8]
BOTH = ("csvlog", "data.json")


def recorded(name: str, last: str) -> list[tuple[int, str]]:
    """Instants and payloads of a recorded board's messages of one kind."""
    found = read_records(f"esp32/{name}.mqtt.jsonl")
    return [(int(str(one["t"])), str(one["payload"])) for one in found if str(one["topic"]).endswith(f"/{last}")]


def published(spec: NodeSpec, start: int, seconds: int, fault: Fault | None = None) -> list[tuple[int, str, str]]:
    """Instants, topics and payloads of a simulated board's messages."""
    memory, made = NodeMemory(spec, fault), []
    at = next_push(memory.timeline, start)
    while at is not None and at < start + seconds:
        memory.advance(at)
        made += [(at, one.topic, one.payload.decode()) for one in messages(memory, at)]
        at = next_push(memory.timeline, at)
    return made


def shared_lines(payloads: Sequence[str]) -> Counter[int]:
    return Counter(len(set(one.split("\n")) & set(other.split("\n"))) for one, other in pairwise(payloads))


def without_volts(text: str) -> str:
    """Without the battery voltage, which the real program may have measured anew after the record."""
    return re.sub(r'("batteryVoltage":)[^,}]+', r"\1?", text)


@pytest.mark.parametrize(("name", "spec"), [("Balkon-Neukoelln", BOARD), ("Dachluke-floattime", BOARD53)])
def test_a_sample_is_made_of_a_record_as_the_real_programs_make_it(name: str, spec: NodeSpec) -> None:
    newest = {at: payload.split("\n")[-1] for at, payload in recorded(name, "csvlog")}
    real = recorded(name, "data.json")
    assert len(real) > 100
    for at, text in real:
        assert without_volts(sample(spec, newest[at])) == without_volts(text)
    assert sum(sample(spec, newest[at]) == text for at, text in real) > 0.9 * len(real)


def test_an_old_boards_sample_has_the_recorded_members_in_their_order_and_form() -> None:
    real = [text for _, text in recorded("ESP32-Meshnode-Default", "data.json")]
    made = published(OLD_BOARD, SUMMER, DAY)
    assert {topic for _, topic, _ in made} == {f"isems/testdrive/foobar/{OLD_BOARD.name}/data.json"}
    forms = re.compile(
        "{"
        + ",".join(rf'"{name}":(-?[0-9.]+|"[0-9A-F]{{3}}")' for name in json.loads(real[0]))
        + "}"
    )  # fmt: skip
    assert all(forms.fullmatch(text) for text in real)
    assert [text for _, _, text in made if not forms.fullmatch(text)] == []
    assert all(type(json.loads(text)["status"]) is str for _, _, text in made)


@pytest.mark.parametrize("start", [SUMMER, WINTER])
@pytest.mark.parametrize("spec", [BOARD, BOARD53], ids=lambda spec: spec.program)
def test_a_csv_message_is_five_lines_of_the_boards_grammar(spec: NodeSpec, start: int) -> None:
    made = [(at, text) for at, topic, text in published(spec, start, DAY) if topic == f"/isems/{spec.name}/csvlog"]
    assert len(made) > 1300
    for at, text in made:
        lines = text.split("\n")
        assert len(lines) == 5
        assert all(pattern(spec.program).fullmatch(line) for line in lines)
        assert at - int(lines[-1].split(";")[2]) in (0, 5, 10)  # as recorded


def test_messages_share_a_line_two_times_of_three_as_recorded_ones_do() -> None:
    real = shared_lines([text for _, text in recorded("Balkon-Neukoelln", "csvlog")])
    made = shared_lines([text for _, topic, text in published(BOARD, SUMMER, 2 * DAY) if topic.endswith("csvlog")])
    for counted in (real, made):
        assert set(counted) == {0, 1}
        assert counted[1] / counted.total() == pytest.approx(2 / 3, abs=0.01)


def test_messages_are_65_seconds_apart_but_over_a_reboot() -> None:
    for steps in (
        Counter(
            after - before for (before, _), (after, _) in pairwise(recorded("ESP32-Meshnode-Default", "data.json"))
        ),
        Counter(after - before for (before, *_), (after, *_) in pairwise(published(OLD_BOARD, SUMMER, 2 * DAY))),
    ):
        assert steps.pop(65) > 2600
        assert steps.total() <= 4
        assert all(65 < step < 2 * 65 + 10 for step in steps)
    (session, *_) = (one for _, one in NodeMemory(BOARD).timeline.sessions(SUMMER, SUMMER + DAY) if one.boot > SUMMER)
    assert next_push(NodeMemory(BOARD).timeline, session.boot) == session.boot + 5 + 65


@pytest.mark.parametrize("spec", [BOARD, BOARD53], ids=lambda spec: spec.program)
def test_a_record_is_the_same_polled_published_and_in_the_history(spec: NodeSpec) -> None:
    history = {line for _, line in records(spec, SUMMER - 3600, SUMMER + DAY)}
    polled = NodeMemory(spec)
    for at, topic, text in published(spec, SUMMER, DAY):
        if topic.endswith("csvlog"):
            polled.advance(at)
            assert answer(polled, b"GET /csv.log HTTP/1.1\r\n\r\n", at)[1].decode() == text
            assert set(text.split("\n")) <= history


def test_only_esp32_boards_publish_and_old_ones_only_samples() -> None:
    published_by = {spec.program: spec.publishes for spec in make_mesh(120)}
    assert published_by[Program.ROUTER] == published_by[Program.AVR_BOARD] == ()
    assert published_by[Program.OLD_BOARD] == ("data.json",)
    assert {topic for _, topic, _ in published(BOARD, SUMMER, 300)} == {
        "/isems/Balkon-Neukoelln/csvlog",
        "isems/testdrive/foobar/Balkon-Neukoelln/data.json",
    }


@pytest.mark.parametrize("name", ["Balkon-Neukoelln", "FF-ESP-Unconfigured", "odd-values", "ESP32-Meshnode-Default"])
def test_client_ids_and_topics_are_as_recorded(name: str) -> None:
    for one in list(read_records(f"esp32/{name}.mqtt.jsonl"))[:2]:
        topic = str(one["topic"])
        node = re.sub(r"^/?isems/(testdrive/foobar/)?|/(csvlog|data\.json)$", "", topic)
        spec = msgspec.structs.replace(BOARD, name=node, publishes=BOTH)
        assert client_id(spec).decode() == one["clientid"]
        assert topic in {made for _, made, _ in published(spec, SUMMER, 300)}


def test_faults_of_the_clock_and_of_the_power_are_seen_by_mqtt_too() -> None:
    for at, topic, text in published(BOARD, SUMMER, 600, Fault.CLOCK_UNSET):
        session = NodeMemory(BOARD).timeline.session(at)
        assert session is not None
        if topic.endswith("csvlog"):
            assert 0 <= at - session.boot - int(text.split("\n")[-1].split(";")[2]) < 15
    steps = [after - before for (before, *_), (after, *_) in pairwise(published(OLD_BOARD, SUMMER, 7200, Fault.REBOOT))]
    assert set(steps) > {65}
    assert max(steps) <= 65 + 10 + 70
