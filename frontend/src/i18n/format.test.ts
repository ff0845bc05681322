import { describe, expect, it } from "vitest";
import { makeFormat } from "./format";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const en = makeFormat("en", "Europe/Berlin");
const de = makeFormat("de", "Europe/Berlin");
const NOW = Date.parse("2026-11-21T15:48:00Z");

describe("numbers", () => {
  it("have the decimals asked for, and the language's comma", () => {
    expect(en.withUnit(12.04, 2, "V")).toBe("12.04\u202fV");
    expect(de.withUnit(12.04, 2, "V")).toBe("12,04\u202fV");
    expect(de.withUnit(12, 2, "V")).toBe("12,00\u202fV");
  });

  it("have a real minus, and always a sign where it is a difference", () => {
    expect(en.withUnit(-3, 0, "°C")).toBe("−3\u202f°C");
    expect(en.signed(0.14, 2)).toBe("+0.14");
    expect(de.signed(-0.14, 2)).toBe("−0,14");
  });

  it("are rounded and grouped as Intl would", () => {
    for (const [locale, format] of [["en-GB", en], ["de-DE", de]] as const) {
      for (const decimals of [0, 1, 2]) {
        const intl = new Intl.NumberFormat(locale, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
        const values = [0, 999.5, 1000, 1234567.891, ...Array.from({ length: 4000 }, (_, index) => (11_000 + index) / 1000)];
        for (const value of values) expect(format.number(value, decimals)).toBe(intl.format(value));
      }
    }
  });

  it("are never a negative zero", () => {
    expect(en.number(-0.001, 2)).toBe("0.00");
    expect(en.signed(-0.001, 2)).toBe("+0.00");
  });
});

describe("ages", () => {
  it.each([
    [0, "0\u202fs", "vor 0\u202fs"],
    [59 * SECOND, "59\u202fs", "vor 59\u202fs"],
    [MINUTE, "1\u202fmin", "vor 1\u202fmin"],
    [HOUR - 1, "59\u202fmin", "vor 59\u202fmin"],
    [23 * HOUR, "23\u202fh", "vor 23\u202fh"],
    [DAY, "1\u202fday", "vor 1\u202fTag"],
    [7 * DAY, "7\u202fdays", "vor 7\u202fTagen"],
  ])("of %i ms are in the largest unit, rounded down", (ms, english, german) => {
    expect(en.ago(NOW - ms, NOW)).toBe(`${english} ago`);
    expect(de.ago(NOW - ms, NOW)).toBe(german);
  });

  it("over seven days are the date", () => {
    expect(en.ago(NOW - 8 * DAY, NOW)).toBe("13 Nov");
    expect(en.ago(NOW - 400 * DAY, NOW)).toBe("17 Oct 2025");
  });

  it("of what lies in the future are nothing", () => {
    expect(en.ago(NOW + HOUR, NOW)).toBe("0\u202fs ago");
  });
});

describe("times", () => {
  it("are those of the site, without the date where it is today", () => {
    expect(en.at(Date.parse("2026-11-21T13:05:00Z"), NOW)).toBe("14:05");
    expect(en.at(Date.parse("2026-11-20T23:30:00Z"), NOW)).toBe("00:30"); // today in Berlin
    expect(en.at(Date.parse("2026-11-20T22:30:00Z"), NOW)).toBe("20 Nov, 23:30");
    expect(makeFormat("en", "America/New_York").at(Date.parse("2026-11-21T13:05:00Z"), NOW)).toBe("08:05");
  });

  it("survive a time zone that the browser does not know", () => {
    expect(makeFormat("en", "Mars/Olympus").at(NOW, NOW)).toMatch(/^\d\d:\d\d$/);
  });
});
