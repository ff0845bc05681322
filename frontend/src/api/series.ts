import { type Ask, Source, source } from "./source";
import type { Configuration, Node } from "./types";

// A node's past, as the charts need it. Instants in epoch milliseconds.

export interface NodeDetail extends Node {
  first_measured_at: string | null;
  heard_at: string | null;
  is_shared: boolean;
  record_interval_seconds: number | null;
  time_zone: string;
  configurations: { since: string; configuration: Configuration }[];
  completeness: { day: string; received: number; expected: number | null }[];
}

/** The fields that have a line, and the decimals they are shown with. */
export const FIELDS = {
  battery_volts: 2,
  charge_end_volts: 2,
  panel_open_circuit_volts: 1,
  panel_mpp_volts: 1,
  state_of_charge_percent: 0,
  battery_celsius: 1,
} as const;
export type Field = keyof typeof FIELDS;
export const FIELD_NAMES = Object.keys(FIELDS) as Field[];

export type Values = (number | null)[];

/** What happened, as far as the measurements tell it. */
export interface Happening {
  at: number;
  kind: "reboot" | "clock";
}

/** A part of a node's past: single records, or buckets with the least, mean and greatest value of each. */
export interface Series {
  /** "raw", or how long a bucket is: "30m", "1d". */
  step: string;
  /** Length of a bucket, 0 for records. */
  stepMs: number;
  /** Of each record; of a bucket the middle. */
  at: number[];
  /** Of records the values; of buckets the mean. */
  mean: Record<Field, Values>;
  /** Of records the same as the mean. */
  low: Record<Field, Values>;
  high: Record<Field, Values>;
  happenings: Happening[];
  /** Before this there are no single records any more. */
  keptSince: number | null;
}

export interface MeasurementsBody {
  step: string;
  kept_since: string | null;
  columns: Record<string, unknown[]>;
}

const UNIT_MS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of a step such as "30m"; 0 for "raw". */
export function stepLength(step: string): number {
  const [, count, unit = ""] = /^(\d+)([mhd])$/.exec(step) ?? [];
  return count === undefined ? 0 : Number(count) * (UNIT_MS[unit] ?? 0);
}

/** Brings the collector's columns into what is drawn. Values that cannot be believed are left out. */
export function readSeries(body: MeasurementsBody): Series {
  const isRaw = body.step === "raw";
  const { columns } = body;
  const column = (name: string) => (columns[name] ?? []) as Values;
  const untrusted = (columns.untrusted ?? []) as string[][];
  const read = (part: string) => {
    const fields = FIELD_NAMES.map((field) => {
      const round = roundTo(FIELDS[field] + 1);
      const values = isRaw
        ? column(field).map((value, index) => (untrusted[index]?.includes(field) ? null : value))
        : column(`${field}_${part}`);
      return [field, values.map(round)];
    });
    return Object.fromEntries(fields) as Record<Field, Values>;
  };
  const times = (name: string) => ((columns[name] ?? []) as string[]).map((text) => Date.parse(text));
  const ends = times("ends_at");
  const at = isRaw ? times("measured_at") : times("starts_at").map((start, index) => (start + (ends[index] ?? start)) / 2);
  const mean = read("mean");
  return {
    step: body.step,
    stepMs: stepLength(body.step),
    at,
    mean,
    low: isRaw ? mean : read("min"),
    high: isRaw ? mean : read("max"),
    happenings: [...findReboots(at, body), ...findRepairs(at, columns)],
    keptSince: body.kept_since === null ? null : Date.parse(body.kept_since),
  };
}

const roundTo = (decimals: number) => {
  const factor = 10 ** decimals;
  return (value: number | null) => (value === null ? null : Math.round(value * factor) / factor);
};

const COUNTDOWN = "minutes_until_shutdown";
/** Minutes that a countdown may rise by without a restart: a sample between two records counts a little differently. */
const REBOOT_RISE = 5;

/** A restart sets the countdown to the next planned one anew: where it rises, there was one. 0 and null count nothing. */
function findReboots(at: readonly number[], { step, columns }: MeasurementsBody): Happening[] {
  const isRaw = step === "raw";
  const untrusted = (columns.untrusted ?? []) as string[][];
  const highest = (columns[isRaw ? COUNTDOWN : `${COUNTDOWN}_max`] ?? []) as Values;
  const last = (columns[isRaw ? COUNTDOWN : `${COUNTDOWN}_last`] ?? []) as Values;
  const reboots: Happening[] = [];
  let before: number | null = null;
  at.forEach((instant, index) => {
    const most = highest[index];
    if (!most || untrusted[index]?.includes(COUNTDOWN)) return;
    if (before !== null && most > before + REBOOT_RISE) reboots.push({ at: instant, kind: "reboot" });
    before = last[index] || null;
  });
  return reboots;
}

/** Where the time of arrival took the place of the node's own: the first record of each such run. Only records tell. */
function findRepairs(at: readonly number[], columns: MeasurementsBody["columns"]): Happening[] {
  const repaired = (columns.time_repaired ?? []) as boolean[];
  return at.flatMap((instant, index) =>
    repaired[index] && !repaired[index - 1] ? [{ at: instant, kind: "clock" as const }] : [],
  );
}

const nodeQuery = (name: string): string => `node=${encodeURIComponent(name)}`;

/** A node with its past configurations and how much of each day is here. */
export const nodeDetail = (name: string): Source<NodeDetail> =>
  source(`node ${name}`, () => new Source(`node ${name}`, (ask) => ask(`node?${nodeQuery(name)}`, (body: NodeDetail) => body)));

/** More than that many points are finer than a screen. */
const MAX_POINTS = 500;
/** A day is shown record by record where there is one a minute. */
const MAX_POINTS_OF_DAY = 1500;
const DAY_MS = 86_400_000;

const seriesPath = (name: string, from: string, to: string, points: number): string =>
  `node/measurements?${nodeQuery(name)}&from=${from}&to=${to}&max_points=${points}&fields=${[...FIELD_NAMES, COUNTDOWN].join(",")}`;

/** The last `days` of a node, or all since `first` (epoch ms) where days is null, going on with the time. */
export function recentSeries(name: string, days: number | null, first: number): Source<Series> {
  const key = `series ${name} ${days ?? "all"}`;
  const from = days === null ? String(Math.floor(first / 1000)) : `now-${days}d`;
  const path = seriesPath(name, from, "now", days === 1 ? MAX_POINTS_OF_DAY : MAX_POINTS);
  return source(key, () => new Source(key, (ask) => ask(path, readSeries)));
}

/** A part of a node's past that stands still; what is zoomed into is not kept on the device. */
export function pastSeries(name: string, from: number, to: number): Source<Series> {
  const path = seriesPath(
    name,
    String(Math.floor(from / 1000)),
    String(Math.ceil(to / 1000)),
    to - from <= DAY_MS * 1.1 ? MAX_POINTS_OF_DAY : MAX_POINTS,
  );
  return new Source(`series ${name} ${from} ${to}`, (ask) => ask(path, readSeries), undefined, false);
}

/** Battery volts by hour of the last day, and by local day of the last thirty. */
export interface Recent {
  hours: Bars;
  days: Bars;
}

export interface Bars {
  startsAt: number[];
  low: Values;
  high: Values;
  last: Values;
  isFull: boolean[];
}

const FULL_FLAG = 0x200;
const RECENT_POLL_MS = 5 * 60_000;
export const STRIP_DAYS = 30;

export const recent = (name: string): Source<Recent> => {
  const key = `recent ${name}`;
  return source(key, () => new Source(key, (ask) => loadRecent(ask, name), RECENT_POLL_MS));
};

async function loadRecent(ask: Ask, name: string): Promise<Recent> {
  const path = (from: string, step: string) =>
    `node/measurements?${nodeQuery(name)}&from=${from}&step=${step}&fields=battery_volts,status`;
  return {
    hours: await ask(path("now-24h", "1h"), readBars),
    days: await ask(path(`now-${STRIP_DAYS - 1}d`, "1d"), readBars),
  };
}

export function readBars({ columns }: MeasurementsBody): Bars {
  const round = roundTo(3);
  const values = (part: string) => ((columns[`battery_volts_${part}`] ?? []) as Values).map(round);
  return {
    startsAt: ((columns.starts_at ?? []) as string[]).map((text) => Date.parse(text)),
    low: values("min"),
    high: values("max"),
    last: values("last"),
    isFull: ((columns.status ?? []) as (string | null)[]).map((text) => (Number(text ?? 0) & FULL_FLAG) !== 0),
  };
}

/** Where the records of a span are, as a table; relative to the page, as every request. */
export const csvPath = (name: string, from: number, to: number): string =>
  `v1/node/measurements?${nodeQuery(name)}&from=${Math.floor(from / 1000)}&to=${Math.ceil(to / 1000)}&step=${
    to - from > MAX_CSV_DAYS * DAY_MS ? "1h" : "raw"
  }&format=csv`;

/** Longer than this there may be more records than one answer holds: then there are hours. */
const MAX_CSV_DAYS = 600;
