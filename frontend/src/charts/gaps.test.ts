import { describe, expect, it } from "vitest";
import { breakLines, findGaps, heardAt, lonely, toleratedMs, usualInterval } from "./gaps";

const MINUTE = 60_000;
const at = (...minutes: number[]) => minutes.map((one) => one * MINUTE);

describe("a gap", () => {
  it("is more than three intervals of the node, however fine the steps are", () => {
    expect(toleratedMs(10 * MINUTE, 0)).toBe(30 * MINUTE);
    expect(toleratedMs(10 * MINUTE, 5 * MINUTE)).toBe(30 * MINUTE);
  });

  it("is one empty bucket where buckets are longer than the interval", () => {
    const step = 60 * MINUTE;
    const heard = at(30, 90, 210); // the bucket around minute 150 is empty
    expect(findGaps(heard, { from: 0, to: 240 * MINUTE }, toleratedMs(MINUTE, step), step)).toEqual([
      { from: 120 * MINUTE, to: 180 * MINUTE },
    ]);
  });

  it("lies between the readings around it", () => {
    expect(findGaps(at(0, 1, 2, 8, 9), { from: 0, to: 10 * MINUTE }, 3 * MINUTE, 0)).toEqual([{ from: 2 * MINUTE, to: 8 * MINUTE }]);
  });

  it("may be at the begin and at the end, and is everything where nothing came", () => {
    const range = { from: 0, to: 100 * MINUTE };
    expect(findGaps(at(50, 52), range, 3 * MINUTE, 0)).toEqual([
      { from: 0, to: 50 * MINUTE },
      { from: 52 * MINUTE, to: 100 * MINUTE },
    ]);
    expect(findGaps([], range, 3 * MINUTE, 0)).toEqual([range]);
  });

  it("that began before the range is cut to it", () => {
    expect(findGaps(at(-50, 20), { from: 0, to: 21 * MINUTE }, 3 * MINUTE, 0)).toEqual([{ from: 0, to: 20 * MINUTE }]);
  });

  it("is no gap of exactly three intervals", () => {
    expect(findGaps(at(0, 3, 6), { from: 0, to: 6 * MINUTE }, 3 * MINUTE, 0)).toEqual([]);
  });
});

describe("a line", () => {
  it("ends at a gap that no row tells of", () => {
    expect(breakLines(at(0, 1, 9), [[1, 2, 3]], 3 * MINUTE)).toEqual([at(0, 1, 5, 9), [1, 2, null, 3]]);
  });

  it("passes over empty buckets that are finer than the interval, and ends at longer holes", () => {
    const [, values] = breakLines(at(0, 1, 2, 3, 4, 5, 6, 7), [[1, null, null, 2, null, null, null, 3]], 3 * MINUTE);
    expect(values).toEqual([1, undefined, undefined, 2, null, null, null, 3]);
  });

  it("alone between two ends is a dot", () => {
    expect(lonely([1, null, 2, undefined, null, 3, 4])).toEqual([0, 2]);
    expect(lonely([undefined, undefined])).toEqual([]);
  });
});

it("A reading is one that has any value at all", () => {
  expect(heardAt([1, 2, 3], [[null, 5, null], [null, null, 0]])).toEqual([2, 3]);
});

it("The usual interval is that between most readings, not that of a gap", () => {
  expect(usualInterval(at(0, 10, 20, 500, 510))).toBe(10 * MINUTE);
  expect(usualInterval([])).toBe(MINUTE);
});
