import { describe, expect, it } from "vitest";
import { FIELD_NAMES, type NodeDetail, type Series } from "../api/series";
import type { Configuration, Node } from "../api/types";
import { disconnectAt, disconnectLevels, listMarks, makePicture, nearest, placeOf, thinMarks } from "./picture";

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const BEGIN = Date.parse("2026-11-20T12:00:00Z");

const configuration = (changes: Partial<Configuration> = {}): Configuration => ({
  isems_revision: "1",
  firmware: "A",
  low_voltage_disconnect_volts: 11.9,
  rated_battery_amp_hours: 24,
  rated_panel_watts: 50,
  latitude: 52.5,
  longitude: 13.4,
  dialect: "router",
  ...changes,
});

const since = (days: number, changes: Partial<Configuration> = {}) => ({
  since: new Date(BEGIN + days * DAY).toISOString(),
  configuration: configuration(changes),
});

const node = (changes: Partial<Configuration> = {}) => ({ configuration: configuration(changes) }) as Node;
const detail = (changes: Partial<NodeDetail>) => ({ record_interval_seconds: 60, configurations: [], ...changes }) as NodeDetail;

function series(volts: (number | null)[], changes: Partial<Series> = {}): Series {
  const empty = () => Object.fromEntries(FIELD_NAMES.map((field) => [field, volts.map(() => null)])) as unknown as Series["mean"];
  const mean = { ...empty(), battery_volts: volts };
  const at = volts.map((_, index) => BEGIN + index * MINUTE);
  return { step: "raw", stepMs: 0, at, mean, low: mean, high: mean, happenings: [], keptSince: null, ...changes };
}

describe("the disconnect", () => {
  const levels = disconnectLevels(node(), detail({ configurations: [since(0, { low_voltage_disconnect_volts: 11.7 }), since(3)] }), {
    from: BEGIN - DAY,
    to: BEGIN + 9 * DAY,
  });

  it("steps where the node was set otherwise, and is not known before", () => {
    expect([-1, 1, 3, 20].map((days) => disconnectAt(levels, BEGIN + days * DAY))).toEqual([null, 11.7, 11.9, 11.9]);
  });

  it("is that of now where no history is known, and none where it was never told", () => {
    const span = { from: 0, to: 1 };
    expect(disconnectLevels(node(), null, span)).toEqual([{ from: 0, to: 1, value: 11.9 }]);
    expect(disconnectLevels(node({ low_voltage_disconnect_volts: 0 }), null, span)).toEqual([]);
  });
});

describe("marks", () => {
  it("are changes and what the measurements tell, but not the first configuration", () => {
    const marks = listMarks([{ at: BEGIN + DAY, kind: "reboot" }], detail({ configurations: [since(0), since(2)] }));
    expect(marks.map((one) => one.kind)).toEqual(["reboot", "configuration"]);
  });

  it("are no reboots where two devices share a name", () => {
    expect(listMarks([{ at: BEGIN, kind: "reboot" }], detail({ is_shared: true }))).toEqual([]);
  });

  it("upon each other become one, and a configuration is never hidden", () => {
    const marks = [0, 1, 2, 9].map((at) => ({ at, kind: at === 1 ? ("configuration" as const) : ("reboot" as const) }));
    expect(thinMarks(marks, 3)).toEqual([
      { at: 1, kind: "configuration" },
      { at: 9, kind: "reboot" },
    ]);
  });
});

describe("a picture", () => {
  const span = { from: BEGIN, to: BEGIN + 10 * MINUTE };

  it("has a gap until now and none in the future", () => {
    const { gaps } = makePicture(series([12, 12]), span, node(), detail({}), BEGIN + 6 * MINUTE);
    expect(gaps).toEqual([{ from: BEGIN + MINUTE, to: BEGIN + 6 * MINUTE }]);
  });

  it("has no line of a panel in the dark, and says which lanes have nothing", () => {
    const dark = series([12, 12]);
    dark.mean.panel_open_circuit_volts = [0, 0];
    const { lanes } = makePicture(dark, span, node(), detail({}), span.to);
    expect(lanes.map((lane) => [lane.name, lane.isEmpty])).toEqual([
      ["battery", false],
      ["panel", true],
      ["charge", true],
      ["temperature", true],
    ]);
  });

  it("of a constant battery is 0.2 V high at least, and of a near look has no disconnect that is far", () => {
    const { scale } = makePicture(series([13, 13]), span, node(), detail({}), span.to).lanes[0]?.spec ?? {};
    expect((scale?.to ?? 0) - (scale?.from ?? 0)).toBeGreaterThanOrEqual(0.2 - 1e-9);
    expect(scale?.from).toBeGreaterThan(12);
  });

  it("is not made flat by one value that cannot be", () => {
    const broken = series([12.6, 4e6, 12.8, -7]);
    broken.mean.panel_mpp_volts = [18, 18, 1e9, 18];
    const [battery, panel] = makePicture(broken, span, node(), detail({}), span.to).lanes;
    expect(battery?.spec.scale.from).toBeGreaterThan(11);
    expect(battery?.spec.scale.to).toBeLessThan(14);
    expect(panel?.spec.scale).toMatchObject({ from: 0, to: expect.toSatisfy((to: number) => to < 30) });
    expect(battery?.spec.lines[0]?.values).toContain(4e6); // it is drawn all the same: the line leaves the picture
  });

  it("of nothing at all can be made", () => {
    const { lanes, gaps } = makePicture(series([]), span, { configuration: null } as Node, null, span.to);
    expect(lanes.every((lane) => lane.isEmpty)).toBe(true);
    expect(gaps).toEqual([span]);
  });
});

it("A place of zeros is none", () => {
  expect(placeOf(node({ latitude: 0, longitude: 0 }))).toBeNull();
  expect(placeOf(node({ latitude: 0 }))).toEqual({ latitude: 0, longitude: 13.4 });
});

it("The nearest instant is found, and none in nothing", () => {
  expect([-5, 4, 6, 14, 99].map((instant) => nearest([0, 10, 20], instant))).toEqual([0, 0, 1, 1, 2]);
  expect(nearest([], 1)).toBe(-1);
});
