import { describe, expect, it } from "vitest";
import { dayStarts, decimalsOf, niceScale, niceStep, scaleTicks, timeTicks } from "./ticks";

const BERLIN = "Europe/Berlin";
const span = (from: string, to: string) => ({ from: Date.parse(from), to: Date.parse(to) });
const labels = (from: string, to: string, count: number, zone = BERLIN) =>
  timeTicks(span(from, to), count, "en-GB", zone).map((one) => one.label);

describe("steps of a value axis", () => {
  it.each([
    [0.03, 0.05],
    [0.1, 0.1],
    [0.11, 0.2],
    [0.2, 0.2],
    [0.3, 0.5],
    [3, 5],
    [6, 10],
    [20, 20],
  ])("of about %d are %d", (rough, step) => expect(niceStep(rough)).toBe(step));

  it("hold the values, and no more than half a step beside them", () => {
    expect(niceScale(11.87, 14.52, 0.2, 4)).toEqual({ from: 11.5, to: 15, step: 1 });
    expect(niceScale(-3.2, 8.9, 1, 3)).toEqual({ from: -5, to: 10, step: 5 });
    expect(scaleTicks({ from: 11.5, to: 15, step: 1 })).toEqual([12, 13, 14, 15]);
  });

  it("make a constant value a calm line", () => {
    const scale = niceScale(12.6, 12.6, 0.2, 4);
    expect(scale.to - scale.from).toBeGreaterThanOrEqual(0.2 - 1e-9);
    expect(scaleTicks(scale).map((one) => one.toFixed(decimalsOf(scale.step)))).toEqual(["12.50", "12.55", "12.60", "12.65", "12.70"]);
  });

  it("have labels without the dust of binary fractions", () => {
    expect(scaleTicks({ from: 11.8, to: 12.4, step: 0.2 })).toEqual([11.8, 12, 12.2, 12.4]);
    expect([decimalsOf(0.2), decimalsOf(0.05), decimalsOf(1), decimalsOf(50)]).toEqual([1, 2, 0, 0]);
  });
});

describe("labels of the time axis", () => {
  it("are at round hours of the site, midnight with the day", () => {
    expect(labels("2026-11-20T16:00:00Z", "2026-11-21T16:00:00Z", 6)).toEqual(["18:00", "Sat 21", "06:00", "12:00"]);
  });

  it("are days, then dates, then months and years", () => {
    expect(labels("2026-11-14T16:00:00Z", "2026-11-21T16:00:00Z", 8)[0]).toBe("Sun 15");
    expect(labels("2026-10-22T16:00:00Z", "2026-11-21T16:00:00Z", 6)[0]).toMatch(/^\d+ (Oct|Nov)$/);
    expect(labels("2025-11-21T16:00:00Z", "2026-11-21T16:00:00Z", 6)).toEqual(["2026", "Apr", "Jul", "Oct"]);
  });

  it("are never more than asked for", () => {
    for (const days of [0.01, 0.3, 1, 3, 7, 12, 30, 100, 400, 4000]) {
      const to = Date.parse("2026-11-21T16:00:00Z");
      expect(timeTicks({ from: to - days * 86_400_000, to }, 6, "en-GB", BERLIN).length, `${days} days`).toBeLessThanOrEqual(7);
    }
  });

  it("show the hour that comes twice twice, the second one with its zone", () => {
    const [first, again, ...later] = labels("2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z", 4);
    expect([first, ...later]).toEqual(["02:00", "03:00", "04:00"]);
    expect(again).toMatch(/^02:00 \S+/);
  });

  it("work where the offset is no whole hour", () => {
    expect(labels("2026-11-20T18:00:00Z", "2026-11-20T22:00:00Z", 4, "Asia/Kolkata")).toEqual(["Sat 21", "01:00", "02:00", "03:00"]);
  });
});

describe("local days", () => {
  it("begin at local midnight, on the days of 23 and 25 hours too", () => {
    const starts = (from: string, to: string) =>
      dayStarts(Date.parse(from), Date.parse(to), BERLIN).map((one) => new Date(one.at).toISOString().slice(0, 16));
    expect(starts("2026-03-27T12:00Z", "2026-03-31T12:00Z")).toEqual([
      "2026-03-27T23:00",
      "2026-03-28T23:00",
      "2026-03-29T22:00",
      "2026-03-30T22:00",
    ]);
    expect(starts("2026-10-23T12:00Z", "2026-10-27T12:00Z")).toEqual([
      "2026-10-23T22:00",
      "2026-10-24T22:00",
      "2026-10-25T23:00",
      "2026-10-26T23:00",
    ]);
  });

  it("begin at the quarter of an hour at which the zone's midnight is", () => {
    const [first] = dayStarts(Date.parse("2026-11-18T00:00Z"), Date.parse("2026-11-21T00:00Z"), "Asia/Kathmandu");
    expect(new Date(first!.at).toISOString()).toBe("2026-11-18T18:15:00.000Z");
  });
});
