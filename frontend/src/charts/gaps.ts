import type { Values } from "../api/series";
import type { Span } from "../state/range";

/** That many intervals without a reading are a gap; less is a breath. */
const GAP_INTERVALS = 3;

/** How long, in ms, nothing may come before it is a gap: by the node's own interval, and by the step of what is drawn. */
export const toleratedMs = (intervalMs: number, stepMs: number): number =>
  stepMs > intervalMs ? stepMs * 1.5 : intervalMs * GAP_INTERVALS;

/** Milliseconds between readings where the node's own interval is not known: the middle one of those seen. */
export function usualInterval(at: readonly number[]): number {
  const between = at.slice(1).map((instant, index) => instant - (at[index] ?? instant));
  between.sort((a, b) => a - b);
  return between[Math.floor(between.length / 2)] ?? 60_000;
}

/** The instants that have a value in any of these columns. */
export const heardAt = (at: readonly number[], columns: readonly Values[]): number[] =>
  at.filter((_, index) => columns.some((values) => values[index] != null));

/** Spans of a range in which nothing came for longer than is tolerated. Half a step belongs to each reading. */
export function findGaps(heard: readonly number[], range: Span, tolerated: number, stepMs: number): Span[] {
  const half = stepMs / 2;
  const gaps: Span[] = [];
  let end = range.from;
  let before = range.from - half;
  for (const at of [...heard, range.to + half]) {
    if (at < range.from) {
      before = at;
      end = Math.max(range.from, at + half);
      continue;
    }
    if (at - before > tolerated) gaps.push({ from: end, to: Math.min(range.to, at - half) });
    before = at;
    end = at + half;
  }
  return gaps.filter((gap) => gap.to > gap.from);
}

/** A value that is not there: null ends the line, undefined is passed over. */
export type Drawn = (number | null | undefined)[];

/**
 * Makes columns that a line can be drawn through: it ends where nothing came for longer than is tolerated, and goes on
 * over the holes that are shorter, such as buckets finer than the node's interval.
 */
export function breakLines(at: readonly number[], columns: readonly Values[], tolerated: number): [number[], ...Drawn[]] {
  const instants: number[] = [];
  const drawn: Drawn[] = columns.map(() => []);
  const last: (number | null)[] = columns.map(() => null);
  at.forEach((instant, index) => {
    const previous = instants.at(-1);
    if (previous !== undefined && instant - previous > tolerated) {
      // No row tells of it: one in between does.
      instants.push((previous + instant) / 2);
      for (const one of drawn) one.push(null);
    }
    instants.push(instant);
    columns.forEach((values, which) => drawn[which]?.push(values[index] ?? undefined));
  });
  for (const [which, one] of drawn.entries()) {
    one.forEach((value, index) => {
      const instant = instants[index] ?? 0;
      if (value == null) return;
      const before = last[which] ?? null;
      if (before !== null && instant - (instants[before] ?? instant) > tolerated) {
        for (let hole = before + 1; hole < index; hole += 1) one[hole] = null;
      }
      last[which] = index;
    });
  }
  return [instants, ...drawn];
}

/** Where a line stands alone between two ends: it has no length, so it needs a dot. */
export function lonely(values: Drawn): number[] {
  const known = values.flatMap((value, index) => (value === undefined ? [] : [{ value, index }]));
  return known.flatMap(({ value, index }, place) =>
    value !== null && known[place - 1]?.value == null && known[place + 1]?.value == null ? [index] : [],
  );
}
