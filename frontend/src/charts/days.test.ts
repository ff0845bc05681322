import { describe, expect, it } from "vitest";
import { makeMarks } from "./days";

const at = (text: string) => Date.parse(text);

describe("marks of an axis", () => {
  it("of three days stand at the midnights of the site", () => {
    const marks = makeMarks(at("2026-11-18T14:48:00Z"), at("2026-11-21T14:48:00Z"), "en-GB", "Europe/Berlin", 7);
    expect(marks.map((one) => new Date(one.at).toISOString())).toEqual([
      "2026-11-18T23:00:00.000Z",
      "2026-11-19T23:00:00.000Z",
      "2026-11-20T23:00:00.000Z",
    ]);
    expect(marks.map((one) => one.label)).toEqual(["Thu 19", "Fri 20", "Sat 21"]);
  });

  it("of a day with a doubled hour are still those of the clock", () => {
    const marks = makeMarks(at("2026-10-24T22:00:00Z"), at("2026-10-25T22:30:00Z"), "en-GB", "Europe/Berlin", 7);
    expect(marks.map((one) => [new Date(one.at).toISOString().slice(11, 16), one.label])).toEqual([
      ["05:00", "06:00"],
      ["11:00", "12:00"],
      ["17:00", "18:00"],
    ]);
  });

  it("stand at the quarter where a zone's midnight does", () => {
    const marks = makeMarks(at("2026-11-18T00:00:00Z"), at("2026-11-21T00:00:00Z"), "en-GB", "Asia/Kathmandu", 7);
    expect(new Date(marks[0]!.at).toISOString()).toBe("2026-11-18T18:15:00.000Z");
  });

  it("of a year are months, no more than there is room for", () => {
    const marks = makeMarks(at("2025-11-21T00:00:00Z"), at("2026-11-21T00:00:00Z"), "en-GB", "UTC", 6);
    expect(marks.map((one) => one.label)).toEqual(["Dec", "Feb", "Apr", "Jun", "Aug", "Oct"]);
  });
});
