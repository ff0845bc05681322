import { describe, expect, it } from "vitest";
import { FIELD_NAMES, type MeasurementsBody, csvPath, readBars, readSeries, stepLength } from "./series";

const minute = (count: number) => new Date(Date.UTC(2026, 10, 21, 12, count)).toISOString();
const at = (count: number) => Date.parse(minute(count));

/** Records a minute apart with these columns; every other field is null. */
function records(columns: Record<string, unknown[]>): MeasurementsBody {
  const length = Object.values(columns)[0]?.length ?? 0;
  const fill = <T>(value: T) => Array.from({ length }, () => value);
  return {
    step: "raw",
    kept_since: null,
    columns: {
      measured_at: Array.from({ length }, (_, index) => minute(index)),
      ...Object.fromEntries(FIELD_NAMES.map((field) => [field, fill(null)])),
      minutes_until_shutdown: fill(null),
      time_repaired: fill(false),
      untrusted: fill([]),
      ...columns,
    },
  };
}

const reboots = (body: MeasurementsBody) =>
  readSeries(body)
    .happenings.filter((one) => one.kind === "reboot")
    .map((one) => one.at);

describe("records", () => {
  it("lose what cannot be believed, field by field", () => {
    const series = readSeries(records({ battery_volts: [12.1, 0], battery_celsius: [4, 5], untrusted: [[], ["battery_volts"]] }));
    expect(series.mean.battery_volts).toEqual([12.1, null]);
    expect(series.mean.battery_celsius).toEqual([4, 5]);
    expect(series.low).toBe(series.mean);
  });

  it("tell where a run of repaired times begins, once", () => {
    const { happenings } = readSeries(records({ time_repaired: [false, true, true, false, true] }));
    expect(happenings).toEqual([
      { at: at(1), kind: "clock" },
      { at: at(4), kind: "clock" },
    ]);
  });
});

describe("a reboot", () => {
  it("is where the countdown rises", () => {
    expect(reboots(records({ minutes_until_shutdown: [3, 2, 1440, 1439] }))).toEqual([at(2)]);
  });

  it("is none where the countdown is off, not believed, or a few minutes out", () => {
    expect(reboots(records({ minutes_until_shutdown: [0, 0, 0] }))).toEqual([]);
    expect(reboots(records({ minutes_until_shutdown: [100, 99999, 98], untrusted: [[], ["minutes_until_shutdown"], []] }))).toEqual([]);
    expect(reboots(records({ minutes_until_shutdown: [100, 102, 101] }))).toEqual([]);
    expect(reboots(records({ minutes_until_shutdown: [0, 1440, 1439] }))).toEqual([]);
  });

  it("is seen in buckets too, in that whose greatest count is above the last one before", () => {
    const body = {
      step: "1h",
      kept_since: null,
      columns: {
        starts_at: [minute(0), minute(60), minute(120)],
        ends_at: [minute(60), minute(120), minute(180)],
        minutes_until_shutdown_max: [120, 1440, 1400],
        minutes_until_shutdown_last: [61, 1401, 1341],
      },
    };
    expect(reboots(body)).toEqual([at(90)]);
  });
});

it("Buckets stand at their middle, with least and greatest beside the mean", () => {
  const series = readSeries({
    step: "1h",
    kept_since: minute(0),
    columns: {
      starts_at: [minute(0)],
      ends_at: [minute(60)],
      battery_volts_mean: [12.34567],
      battery_volts_min: [12.1],
      battery_volts_max: [12.6],
    },
  });
  expect(series.at).toEqual([at(30)]);
  expect([series.low, series.mean, series.high].map((one) => one.battery_volts[0])).toEqual([12.1, 12.346, 12.6]);
  expect(series.keptSince).toBe(at(0));
});

it("The length of a step is read from its name", () => {
  expect(["raw", "5m", "12h", "7d", "fortnight"].map(stepLength)).toEqual([0, 300_000, 43_200_000, 604_800_000, 0]);
});

it("A day was full where any of its records said so", () => {
  expect(readBars({ step: "1d", kept_since: null, columns: { starts_at: [], status: ["0xb00", "0x480", null] } }).isFull).toEqual([true, false, false]);
});

it("A table of a name with every mark of a link in it is that node's, and of years it is hourly", () => {
  const path = csvPath("a&b=c#/ü", 0, 86_400_000);
  expect(new URLSearchParams(path.split("?")[1]).get("node")).toBe("a&b=c#/ü");
  expect(path).toContain("step=raw");
  expect(csvPath("a", 0, 1000 * 86_400_000)).toContain("step=1h");
});
