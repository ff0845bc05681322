// Which part of a node's past is shown. Instants in epoch milliseconds, of the collector's clock.

export const PRESETS = ["1d", "7d", "30d", "1y", "all"] as const;
/** The ranges that have a button; each ends now. */
export type Preset = (typeof PRESETS)[number];
export const USUAL_PRESET: Preset = "7d";

export interface Span {
  from: number;
  to: number;
}

/** What is looked at: a preset that goes on with the time, or a part of the past that stands still. */
export interface Chosen {
  preset: Preset;
  zoom: Span | null;
}

const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;
const PRESET_DAYS = { "1d": 1, "7d": 7, "30d": 30, "1y": 365 } as const;
/** Below this there is nothing between two readings. */
const MIN_SPAN_MS = 10 * MINUTE_MS;

/** Days of a preset; null for all there is. */
export const presetDays = (preset: Preset): number | null => (preset === "all" ? null : PRESET_DAYS[preset]);

/** The span of a preset, to the end of the running minute. `first` is when the node first measured; null: it never did. */
export function presetSpan(preset: Preset, now: number, first: number | null): Span {
  const to = Math.ceil(now / MINUTE_MS) * MINUTE_MS;
  const days = presetDays(preset);
  const from = days === null ? Math.min(first ?? to, to - DAY_MS) : to - days * DAY_MS;
  return { from, to };
}

/** How far one may look: from the first reading, or a year back, until now. */
export function limitsOf(now: number, first: number | null): Span {
  const all = presetSpan("all", now, first);
  return { from: Math.min(all.from, all.to - 365 * DAY_MS), to: all.to };
}

/** The span brought within the limits: moved if it fits, else cut. */
export function clampSpan({ from, to }: Span, limits: Span): Span {
  const length = Math.min(Math.max(to - from, MIN_SPAN_MS), limits.to - limits.from);
  const begin = Math.min(Math.max(from, limits.from), limits.to - length);
  return { from: begin, to: begin + length };
}

/** The span `factor` times as long, with the instant `anchor` staying where it is. */
export function zoomSpan({ from, to }: Span, factor: number, anchor: number, limits: Span): Span {
  const length = Math.max((to - from) * factor, MIN_SPAN_MS);
  const share = (anchor - from) / (to - from);
  return clampSpan({ from: anchor - share * length, to: anchor + (1 - share) * length }, limits);
}

/** The span moved by a share of its length. */
export function moveSpan({ from, to }: Span, share: number, limits: Span): Span {
  const by = (to - from) * share;
  return clampSpan({ from: from + by, to: to + by }, limits);
}

/** The span in which the two instants that two fingers held lie under where the fingers are now, given as shares of the width. */
export function pinchSpan(held: [number, number], shares: [number, number], limits: Span): Span | null {
  const [one, other] = shares;
  const perShare = (held[1] - held[0]) / (other - one);
  if (!Number.isFinite(perShare) || perShare <= 0) return null; // fingers crossed, or upon each other
  const from = held[0] - one * perShare;
  return clampSpan({ from, to: from + perShare }, limits);
}

/** What a key does to a span: arrows move it by a quarter, + and − zoom; null: nothing. */
export function spanAfterKey(key: string, span: Span, limits: Span): Span | null {
  const middle = (span.from + span.to) / 2;
  switch (key) {
    case "ArrowLeft":
      return moveSpan(span, -0.25, limits);
    case "ArrowRight":
      return moveSpan(span, 0.25, limits);
    case "+":
    case "=":
      return zoomSpan(span, 0.5, middle, limits);
    case "-":
      return zoomSpan(span, 2, middle, limits);
    default:
      return null;
  }
}

/** Whole minutes, so that a link is short and an answer can be found again. */
export const roundSpan = ({ from, to }: Span): Span => ({
  from: Math.floor(from / MINUTE_MS) * MINUTE_MS,
  to: Math.ceil(to / MINUTE_MS) * MINUTE_MS,
});

/** Reads what a link asks for; whatever is not a range is left out. */
export function readChosen(query: URLSearchParams, usual: Preset): Chosen {
  const preset = PRESETS.find((one) => one === query.get("range")) ?? usual;
  const from = Date.parse(query.get("from") ?? "");
  const to = Date.parse(query.get("to") ?? "");
  return { preset, zoom: to - from >= MIN_SPAN_MS ? { from, to } : null };
}

/** The same as the part of a link behind the question mark. */
export function writeChosen({ preset, zoom }: Chosen): string {
  const minute = (at: number) => new Date(at).toISOString().replace(/:00\.000Z$/, "Z");
  return zoom === null ? `range=${preset}` : `range=${preset}&from=${minute(zoom.from)}&to=${minute(zoom.to)}`;
}
