import { describe, expect, it } from "vitest";
import { readHistories, splitNodes } from "../api/resources";
import { gaps, linePath } from "./spark";
import { nights, sunElevation } from "./sun";

const STEP = 10;
const same = (value: number) => value;
const points = (...times: number[]) => times.map((at) => ({ at, volts: 12 }));

describe("a line", () => {
  it("goes through one or two missing points, and ends where more than that are missing", () => {
    expect(linePath(points(0, 10, 40), STEP, same, same)).toBe("M0.0 12.0h0L10.0 12.0L40.0 12.0");
    expect(linePath(points(0, 10, 41), STEP, same, same)).toBe("M0.0 12.0h0L10.0 12.0M41.0 12.0h0");
  });

  it("is hatched where it has ended, has not begun, and nowhere else", () => {
    expect(gaps(points(0, 10, 41), STEP, 0, 45)).toEqual([[10, 41]]);
    expect(gaps(points(50, 60), STEP, 0, 100)).toEqual([
      [0, 50],
      [60, 100],
    ]);
    expect(gaps([], STEP, 0, 100)).toEqual([[0, 100]]);
    expect(gaps(points(0, 30), STEP, 0, 40)).toEqual([]);
  });
});

describe("histories", () => {
  it("are asked for a hundred nodes at a time, with every name encoded", () => {
    const queries = splitNodes(Array.from({ length: 201 }, (_, number) => `N ${number}`));
    expect(queries.map((one) => one.split("&").length)).toEqual([100, 100, 1]);
    expect(splitNodes(["a,b&c=#"])).toEqual(["node=a%2Cb%26c%3D%23"]);
    expect(splitNodes([])).toEqual([]);
  });

  it("are asked for in request lines that proxies take", () => {
    const names = Array.from({ length: 100 }, (_, number) => "ä".repeat(120) + number);
    const queries = splitNodes(names);
    expect(Math.max(...queries.map((one) => one.length))).toBeLessThanOrEqual(4000);
    expect(queries.flatMap((one) => one.split("&"))).toHaveLength(100);
  });

  it("keep what is drawn", () => {
    const body = {
      field: "battery_volts",
      step: "30m",
      from: "2026-01-10T09:00:00Z",
      to: "2026-01-10T10:00:00Z",
      starts_at: ["2026-01-10T09:00:00Z", "2026-01-10T09:30:00Z"],
      nodes: [{ node: "a", count: [1, 0], min: [1, null], max: [1, null], mean: [12.3456, null], last: [1, null] }],
    };
    expect(readHistories(body, 5)).toEqual({ a: { from: Date.parse("2026-01-10T09:00:00Z"), stepMs: 5, volts: [12.35, null] } });
  });
});

describe("the sun", () => {
  // Berlin, 21 December 2025: sunrise 08:15, sunset 15:54 by its clocks.
  it("rises and sets in Berlin when almanacs say", () => {
    const noon = Date.parse("2025-12-21T11:00:00Z");
    const [[begin, end] = [0, 0]] = nights(52.52, 13.405, noon, noon + 86_400_000);
    expect(Math.abs(begin - Date.parse("2025-12-21T14:54:00Z"))).toBeLessThan(3 * 60_000);
    expect(Math.abs(end - Date.parse("2025-12-22T07:15:00Z"))).toBeLessThan(3 * 60_000);
  });

  it("neither sets in the Arctic summer nor rises in its winter", () => {
    const june = Date.parse("2026-06-21T00:00:00Z");
    const december = Date.parse("2026-12-21T00:00:00Z");
    expect(nights(69.65, 18.96, june, june + 86_400_000)).toEqual([]);
    expect(nights(69.65, 18.96, december, december + 86_400_000)).toEqual([[december, december + 86_400_000]]);
  });

  it("stands over the equator at noon of an equinox", () => {
    expect(sunElevation(0, 0, Date.parse("2026-03-20T12:07:00Z"))).toBeGreaterThan(89);
  });
});
