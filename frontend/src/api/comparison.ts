import { splitNodes } from "./resources";
import { type Ask, Source, source } from "./source";
import type { Comparison, Measurement } from "./types";

export const FIELDS = ["battery_volts", "panel_mpp_volts", "state_of_charge_percent", "battery_celsius"] as const;
/** What can be compared. */
export type Field = (typeof FIELDS)[number] & keyof Measurement;

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;

/** How far back one looks, and how long a bucket is: about 150 of them in a small picture, a year in days. */
export const RANGES = {
  "1d": { ms: DAY, step: "10m", stepMs: 10 * MINUTE },
  "3d": { ms: 3 * DAY, step: "30m", stepMs: 30 * MINUTE },
  "7d": { ms: 7 * DAY, step: "1h", stepMs: 60 * MINUTE },
  "30d": { ms: 30 * DAY, step: "6h", stepMs: 360 * MINUTE },
  "1y": { ms: 365 * DAY, step: "1d", stepMs: DAY },
} as const;
export type RangeName = keyof typeof RANGES;
export const RANGE_NAMES = Object.keys(RANGES) as RangeName[];

/** The most nodes that one answer, and one page, holds. */
export const MAX_CELLS = 100;

/** Tells whether a field is of the panel: of its buckets the greatest value is shown. */
export const isPanel = (field: string): boolean => field.startsWith("panel_");

/** A node's buckets; `from` is the middle of the first one (epoch ms). No `mean`: there is no line; no `min`: no data. */
export interface Series {
  from: number;
  stepMs: number;
  mean: (number | null)[];
  min: (number | null)[];
  max: (number | null)[];
}

/** By node. */
export type AllSeries = Record<string, Series>;

/** One field of these nodes, no more than a hundred. */
export function comparison(field: Field, range: RangeName, names: readonly string[]): Source<AllSeries> {
  const load = async (ask: Ask) => {
    const all: AllSeries = {};
    const { ms, step, stepMs } = RANGES[range];
    for (const query of splitNodes([...names])) {
      const path = `measurements?field=${field}&from=now-${ms / DAY}d&step=${step}&${query}`;
      Object.assign(all, await ask(path, (body: Comparison) => readSeries(body, stepMs)));
    }
    return all;
  };
  // Kept by field and range alone: what is kept of other nodes is looked for by name, and does no harm.
  return source(`compare ${field} ${range} ${names.join("\n")}`, () => new Source(`compare ${field} ${range}`, load, 5 * MINUTE));
}

export function readSeries(body: Comparison, stepMs: number): AllSeries {
  const from = Date.parse(body.starts_at[0] ?? body.from) + stepMs / 2;
  const round = (value: number | null) => (value === null ? null : Math.round(value * 100) / 100);
  const line = ({ mean, min, max }: Comparison["nodes"][number]) => {
    if (!isPanel(body.field)) return { mean: mean.map(round), min: min.map(round), max: max.map(round) };
    // Its 0 V is the night, when nothing is measured; a mean over day and night is the voltage of no moment.
    const greatest = max.map(round);
    return { mean: greatest.map((value) => value || null), min: greatest, max: greatest };
  };
  return Object.fromEntries(body.nodes.map((one) => [one.node, { from, stepMs, ...line(one) }]));
}
