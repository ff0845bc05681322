import type { History } from "../api/resources";
import { memo } from "../components/memo";
import { nightsNear } from "./sun";

/** Top of every sparkline in volts, so that nodes can be compared at a glance; the bottom hangs on the disconnect. */
const TOP_VOLTS = 14.6;
const BELOW_DISCONNECT = 0.2;
/** Where a node's own disconnect is not known: that of most. */
const USUAL_DISCONNECT = 11.9;
const HOUR_MS = 3_600_000;

export interface SparkProps {
  history: History;
  /** How much of the past is shown; it ends at `now` (epoch ms). */
  hours: number;
  now: number;
  disconnect: number | null;
  latitude: number | null;
  longitude: number | null;
  width: number;
  height: number;
  label: string;
  /** Written into the corner where the range is not the usual one. */
  note?: string;
}

/** Battery volts of the last hours: nights shaded, disconnect dashed, no data hatched, the newest value a dot. */
export const Spark = memo((props: SparkProps) => {
  const { history, hours, now, disconnect, width, height, label, note } = props;
  const from = now - hours * HOUR_MS;
  const low = (disconnect ?? USUAL_DISCONNECT) - BELOW_DISCONNECT;
  const x = (at: number) => 1 + (clamp((at - from) / (now - from)) * (width - 5));
  const y = (volts: number) => height - 2 - clamp((volts - low) / (TOP_VOLTS - low)) * (height - 4);
  const points = history.volts.flatMap((volts, index) => {
    const at = Math.min(history.from + (index + 0.5) * history.stepMs, now);
    return volts === null || at < from ? [] : [{ at, volts }];
  });
  const last = points.at(-1);
  const shaded =
    props.latitude === null || props.longitude === null ? [] : nightsNear(props.latitude, props.longitude, from, now);
  return (
    <svg class="spark" width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      {shaded.map(([begin, end]) => (
        <rect key={begin} x={x(begin)} width={x(end) - x(begin)} y="0" height={height} fill="var(--c-night)" />
      ))}
      {gaps(points, history.stepMs, from, now).map(([begin, end]) => (
        <rect key={begin} x={x(begin)} width={x(end) - x(begin)} y="0" height={height} fill="url(#hatch)" />
      ))}
      {disconnect !== null && (
        <line x1="0" x2={width} y1={y(disconnect)} y2={y(disconnect)} stroke="var(--c-disconnect)" stroke-width="1.2" stroke-dasharray="3 2.5" />
      )}
      <path d={linePath(points, history.stepMs, x, y)} fill="none" stroke="var(--c-battery)" stroke-width="1.7" stroke-linejoin="round" stroke-linecap="round" />
      {last && <circle cx={x(last.at)} cy={y(last.volts)} r="2.6" fill="var(--c-battery)" />}
      {note && (
        <text class="svg-text halo" x={width - 6} y="11" text-anchor="end">
          {note}
        </text>
      )}
    </svg>
  );
});

const clamp = (share: number): number => Math.min(1, Math.max(0, share));

export interface Point {
  at: number;
  volts: number;
}

/** Three missed steps are a gap; less is a breath. */
const GAP_STEPS = 3;

/** Where there is no data for more than three steps, from the last point before to the first one after. */
export function gaps(points: readonly Point[], stepMs: number, from: number, to: number): [number, number][] {
  const edges = [from, ...points.map((one) => one.at), to];
  return edges.flatMap((end, index) => {
    const begin = edges[index - 1];
    return begin !== undefined && end - begin > GAP_STEPS * stepMs ? [[begin, end] as [number, number]] : [];
  });
}

/** The line through the points, interrupted by gaps. A point alone between two is drawn as a dot, by a round cap. */
export function linePath(
  points: readonly Point[],
  stepMs: number,
  x: (at: number) => number,
  y: (volts: number) => number,
): string {
  return points
    .map(({ at, volts }, index) => {
      const before = points[index - 1];
      const isNew = !before || at - before.at > GAP_STEPS * stepMs;
      const place = `${x(at).toFixed(1)} ${y(volts).toFixed(1)}`;
      return isNew ? `M${place}h0` : `L${place}`;
    })
    .join("");
}
