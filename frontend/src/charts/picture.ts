import { FIELD_NAMES, type Field, type Happening, type NodeDetail, type Series, type Values } from "../api/series";
import type { Node } from "../api/types";
import type { MarkKind } from "../i18n/node";
import type { Span } from "../state/range";
import { type Drawn, breakLines, findGaps, heardAt, toleratedMs, usualInterval } from "./gaps";
import type { LaneSpec, Level, Line } from "./lane";
import { type Span as Night, nightsNear } from "./sun";
import { niceScale, type Scale } from "./ticks";

/** What the charts of a node show, ready to be drawn. */
export interface Picture {
  lanes: Lane[];
  gaps: Span[];
  marks: Mark[];
  disconnects: Level[];
}

export interface Lane {
  name: "battery" | "panel" | "charge" | "temperature";
  unit: string;
  isEmpty: boolean;
  spec: Pick<LaneSpec, "at" | "lines" | "scale" | "levels" | "nights" | "gaps" | "marks">;
}

export interface Mark {
  at: number;
  kind: MarkKind;
}

const DAY_MS = 86_400_000;
/** Beyond this, nights are a pattern and no information. */
const MAX_NIGHTS_DAYS = 45;
/** Below this a look is for detail: the level of the charge end is no part of the scale. */
const NEAR_MS = 12 * 3_600_000;

/** The latitude and longitude of a node; null where they are not set: both 0. */
export function placeOf(node: Node): { latitude: number; longitude: number } | null {
  const { latitude, longitude } = node.configuration ?? {};
  if (latitude == null || longitude == null || (latitude === 0 && longitude === 0)) return null;
  return { latitude, longitude };
}

/** The disconnect that the node reported, from each change to the next; the last one until `end`. */
export function disconnectLevels(node: Node, detail: NodeDetail | null, span: Span): Level[] {
  const now = node.configuration?.low_voltage_disconnect_volts;
  const history = detail?.configurations ?? [];
  if (history.length === 0) return now && now > 0 ? [{ ...span, value: now }] : [];
  return history.flatMap(({ since, configuration }, index) => {
    const value = configuration.low_voltage_disconnect_volts;
    const next = history[index + 1]?.since;
    const to = next === undefined ? span.to : Date.parse(next);
    return value && value > 0 ? [{ from: Date.parse(since), to, value }] : [];
  });
}

/** The disconnect at an instant, in volts; null: not known. */
export const disconnectAt = (levels: readonly Level[], at: number): number | null =>
  levels.filter(({ from }) => from <= at).at(-1)?.value ?? null;

/** Changes of the configuration and what the measurements tell; the first configuration is no change. */
export function listMarks(happenings: readonly Happening[], detail: NodeDetail | null): Mark[] {
  const changes = (detail?.configurations ?? []).slice(1).map(({ since }) => ({ at: Date.parse(since), kind: "configuration" as const }));
  // Two devices under one name have two countdowns: what looks like a restart is the other one.
  const known = detail?.is_shared ? happenings.filter((one) => one.kind !== "reboot") : happenings;
  return [...changes, ...known].sort((a, b) => a.at - b.at);
}

/** Marks that would lie upon each other become one, the first; configuration changes are never hidden. */
export function thinMarks(marks: readonly Mark[], apartMs: number): Mark[] {
  const kept: Mark[] = [];
  for (const mark of marks) {
    const before = kept.at(-1);
    if (before && mark.at - before.at < apartMs) {
      if (mark.kind === "configuration") kept[kept.length - 1] = mark;
    } else {
      kept.push(mark);
    }
  }
  return kept;
}

/** Panel volts of 0 are darkness, and no measurement. */
const lit = (values: Values): Values => values.map((value) => (value === 0 ? null : value));

/** Twice what the largest battery has while it charges: the scale takes no notice of more, and the line leaves it. */
const MOST_VOLTS = 100;
const possible = (values: Drawn): Drawn => values.filter((value) => value == null || (value >= 0 && value <= MOST_VOLTS));

const extent = (columns: readonly Drawn[]): [number, number] | null => {
  let low = Infinity;
  let high = -Infinity;
  for (const values of columns) {
    for (const value of values) {
      if (value == null) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  return low <= high ? [low, high] : null;
};

/** Makes of a series what is drawn of a span of it. `end` is where the future begins: no gap goes further. */
export function makePicture(series: Series, span: Span, node: Node, detail: NodeDetail | null, end: number): Picture {
  // By its newest records a node may be quicker than it was: what was usual in this range is no gap.
  const usual = series.stepMs === 0 ? usualInterval(series.at) : 0;
  const interval = Math.max((detail?.record_interval_seconds ?? 60) * 1000, usual);
  const tolerated = toleratedMs(interval, series.stepMs);
  const heard = heardAt(series.at, FIELD_NAMES.map((field) => series.mean[field]));
  const shown = { from: span.from, to: Math.min(span.to, end) };
  const gaps = findGaps(heard, shown, tolerated, series.stepMs);
  const disconnects = disconnectLevels(node, detail, { from: span.from, to: end });
  const marks = listMarks(series.happenings, detail).filter((one) => one.at >= span.from && one.at <= span.to);
  const place = placeOf(node);
  const isNear = span.to - span.from <= MAX_NIGHTS_DAYS * DAY_MS;
  const nights: Night[] = place && isNear ? nightsNear(place.latitude, place.longitude, span.from, span.to) : [];
  const isRolled = series.stepMs > 0;
  const shared = { nights, gaps, marks: marks.map((one) => one.at) };

  const lane = (
    name: Lane["name"],
    unit: string,
    columns: Values[],
    style: (drawn: Drawn[]) => Line[],
    scale: (found: [number, number] | null) => Scale,
    levels: Level[] = [],
  ): Lane => {
    const [at, ...drawn] = breakLines(series.at, columns, tolerated);
    const seen = drawn.map((values) => inside(values, at, span));
    const found = extent(unit === "V" ? seen.map(possible) : seen);
    const spec = { at, lines: style(drawn), scale: scale(found), levels, ...shared };
    return { name, unit, isEmpty: extent(drawn) === null, spec };
  };
  // Of buckets the greatest panel value: a mean over day and night is the voltage of no moment.
  const panel = (field: Field) => lit((isRolled ? series.high : series.mean)[field]);

  const lanes = [
    lane(
      "battery",
      "V",
      [series.mean.battery_volts, series.low.battery_volts, series.high.battery_volts, series.mean.charge_end_volts],
      ([mean = [], low = [], high = [], chargeEnd = []]) => [
        {
          values: mean,
          color: "--c-battery",
          hasEnd: true,
          ...(isRolled ? { band: { low, high, color: "--c-band" } } : {}),
        },
        { values: chargeEnd, color: "--c-chargeend", dash: [2, 3], width: 1.5 },
      ],
      () => batteryScale(series, span, disconnects),
      disconnects,
    ),
    lane(
      "panel",
      "V",
      [panel("panel_open_circuit_volts"), panel("panel_mpp_volts")],
      ([open = [], work = []]) => [
        { values: open, color: "--c-panel" },
        { values: work, color: "--c-panel", dash: [2, 2], width: 1.4 },
      ],
      (found) => niceScale(0, Math.max(21, found?.[1] ?? 0), 1, 3),
    ),
    lane(
      "charge",
      "%",
      [series.mean.state_of_charge_percent],
      ([charge = []]) => [{ values: charge, color: "--c-charge" }],
      () => ({ from: 0, to: 100, step: 50 }),
    ),
    lane(
      "temperature",
      "°C",
      [series.mean.battery_celsius],
      ([celsius = []]) => [{ values: celsius, color: "--c-temp" }],
      (found) => niceScale(found?.[0] ?? 0, found?.[1] ?? 20, 1, 3),
    ),
  ];
  return { lanes, gaps, marks, disconnects };
}

const inside = (values: Drawn, at: readonly number[], { from, to }: Span): Drawn =>
  values.filter((_, index) => (at[index] ?? 0) >= from && (at[index] ?? 0) <= to);

/** Of a wide look disconnect and charge end are part; of a near one the disconnect where the battery comes near it. */
function batteryScale(series: Series, span: Span, disconnects: readonly Level[]): Scale {
  const columns = [series.low.battery_volts, series.high.battery_volts].map((values) => possible(inside(values, series.at, span)));
  const isNear = span.to - span.from < NEAR_MS;
  const measured = extent(columns) ?? extent([[...disconnects.map((one) => one.value)]]) ?? [12, 14];
  const within = disconnects.filter((one) => one.to > span.from && one.from < span.to && one.from < one.to).map((one) => one.value);
  const reached = isNear ? within.filter((value) => measured[0] - value < 0.3) : within;
  const ends = isNear ? [] : possible(inside(series.mean.charge_end_volts, series.at, span));
  const [low, high] = extent([measured, reached, ends]) ?? measured;
  return niceScale(Math.min(low, ...reached.map((value) => value - 0.1)), high, 0.2, 5);
}

/** The index of the instant nearest to another one; -1 where there is none. */
export function nearest(at: readonly number[], instant: number): number {
  let low = 0;
  let high = at.length - 1;
  if (high < 0) return -1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((at[middle] ?? 0) < instant) low = middle + 1;
    else high = middle;
  }
  const before = low - 1;
  return before >= 0 && instant - (at[before] ?? 0) < (at[low] ?? 0) - instant ? before : low;
}
