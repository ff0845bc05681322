import { describe, expect, it } from "vitest";
import { makeScale, roundStep } from "./scale";

describe("a step", () => {
  it.each([
    [0.13, 0.2],
    [0.2, 0.2],
    [1, 1],
    [2.1, 5],
    [5.1, 10],
    [70, 100],
  ])("for %f is %f", (least, step) => expect(roundStep(least)).toBeCloseTo(step));
});

describe("a scale", () => {
  it("has lines at round values inside, and as many decimals as they need", () => {
    expect(makeScale(11.7, 14.62, 0.2, 3)).toEqual({ low: 11.7, high: 14.62, ticks: [12, 13, 14], decimals: 0 });
    expect(makeScale(12.6, 13.1, 0.2, 3)).toMatchObject({ ticks: [12.6, 12.8, 13], decimals: 1 });
  });

  it("of a constant value is as high as asked, with the value in the middle", () => {
    const scale = makeScale(12.8, 12.8, 0.2, 3);
    expect([scale.low, scale.high]).toEqual([12.700000000000001, 12.9]);
    expect(scale.ticks).toEqual([12.7, 12.8, 12.9]);
  });

  it("below zero has lines, too", () => {
    expect(makeScale(-11, 8, 1, 4).ticks).toEqual([-10, -5, 0, 5]);
  });
});
