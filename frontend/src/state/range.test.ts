import { describe, expect, it } from "vitest";
import { DAY_MS, clampSpan, limitsOf, moveSpan, pinchSpan, presetSpan, readChosen, roundSpan, writeChosen, zoomSpan } from "./range";

const NOW = Date.parse("2026-11-21T15:48:20Z");
const MINUTE_END = Date.parse("2026-11-21T15:49:00Z");
const LIMITS = { from: 0, to: 100 * DAY_MS };
const at = (days: number) => days * DAY_MS;

describe("a preset", () => {
  it("is as long as it says and ends with the running minute", () => {
    expect(presetSpan("7d", NOW, null)).toEqual({ from: MINUTE_END - 7 * DAY_MS, to: MINUTE_END });
  });

  it("of all begins with the first reading, yet is never shorter than a day", () => {
    const first = NOW - 900 * DAY_MS;
    expect(presetSpan("all", NOW, first).from).toBe(first);
    expect(presetSpan("all", NOW, NOW).from).toBe(MINUTE_END - DAY_MS);
    expect(presetSpan("all", NOW, null).from).toBe(MINUTE_END - DAY_MS);
  });

  it("lies within the limits, even a year of a node of yesterday", () => {
    const year = presetSpan("1y", NOW, NOW - DAY_MS);
    expect(clampSpan(year, limitsOf(NOW, NOW - DAY_MS))).toEqual(year);
  });
});

describe("zooming and moving", () => {
  it("keep the instant under the finger where it is", () => {
    const zoomed = zoomSpan({ from: at(10), to: at(20) }, 0.5, at(18), LIMITS);
    expect(zoomed).toEqual({ from: at(14), to: at(19) });
    expect((at(18) - zoomed.from) / (zoomed.to - zoomed.from)).toBeCloseTo(0.8);
  });

  it("stop at the limits without a change of length", () => {
    expect(moveSpan({ from: at(1), to: at(11) }, -1, LIMITS)).toEqual({ from: 0, to: at(10) });
    expect(moveSpan({ from: at(85), to: at(95) }, 1, LIMITS)).toEqual({ from: at(90), to: at(100) });
    expect(zoomSpan({ from: at(10), to: at(20) }, 100, at(15), LIMITS)).toEqual(LIMITS);
  });

  it("never go below ten minutes", () => {
    const { from, to } = zoomSpan({ from: at(10), to: at(10) + 900_000 }, 0.001, at(10), LIMITS);
    expect(to - from).toBe(600_000);
  });

  it("with two fingers hold the instants under both", () => {
    const span = pinchSpan([at(10), at(12)], [0.25, 0.75], LIMITS);
    expect(span).toEqual({ from: at(9), to: at(13) });
  });

  it("with two fingers upon each other change nothing", () => {
    expect(pinchSpan([at(10), at(12)], [0.5, 0.5], LIMITS)).toBeNull();
    expect(pinchSpan([at(10), at(12)], [0.7, 0.3], LIMITS)).toBeNull();
  });
});

describe("a link", () => {
  it("gives back what was chosen", () => {
    const zoom = roundSpan({ from: NOW - DAY_MS, to: NOW });
    for (const chosen of [{ preset: "1y", zoom: null }, { preset: "30d", zoom }] as const) {
      expect(readChosen(new URLSearchParams(writeChosen(chosen)), "7d")).toEqual(chosen);
    }
  });

  it("with nonsense in it shows the usual range", () => {
    for (const query of ["", "range=2d", "from=x&to=y", "from=2026-11-21T00:00Z", "from=2026-11-21T00:00Z&to=2026-11-20T00:00Z"]) {
      expect(readChosen(new URLSearchParams(query), "7d")).toEqual({ preset: "7d", zoom: null });
    }
  });
});
