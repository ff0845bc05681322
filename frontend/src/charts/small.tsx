import type { Series } from "../api/comparison";
import { Store } from "../api/store";
import { memo } from "../components/memo";
import { useStore } from "../state/use";
import { gaps, linePath } from "./spark";
import { nightsNear } from "./sun";
import { type Scale, type Tick, scaleTicks } from "./ticks";

export const LEFT = 38;
export const RIGHT = 4;
const TOP = 6;
const BOTTOM = 16;
/** Nights of more days than these are stripes that say nothing. */
const MAX_NIGHTS_MS = 8 * 86_400_000;

/** The instant (epoch ms) at which every chart is read; null: none. */
export const cursor = new Store<number | null>(null);

export interface SmallProps {
  series: Series | undefined;
  from: number;
  to: number;
  scale: Scale;
  marks: Tick[];
  disconnect: number | null;
  latitude: number | null;
  longitude: number | null;
  width: number;
  height: number;
  label: string;
  noData: string;
  write: (value: number) => string;
  /** The one at the top has the unit. */
  writeTick: (value: number, isTop: boolean) => string;
}

/** One of many small charts with the same scales: mean line, band from least to greatest, nights, gaps. */
export const Small = memo((props: SmallProps) => {
  const { series, from, to, scale, marks, disconnect, width, height, label } = props;
  const plot = { width: width - LEFT - RIGHT, height: height - TOP - BOTTOM };
  const ticks = scaleTicks(scale);
  const share = (value: number) => (value - scale.from) / (scale.to - scale.from);
  const x = (at: number) => LEFT + clamp((at - from) / (to - from)) * plot.width;
  const y = (value: number) => TOP + (1 - clamp(share(value))) * plot.height;
  const pointsOf = (values: (number | null)[] = []) =>
    values.flatMap((volts, index) => (volts === null || !series ? [] : [{ at: middle(series, index, to), volts }]));
  const points = pointsOf(series?.mean);
  const shaded =
    props.latitude === null || props.longitude === null || to - from > MAX_NIGHTS_MS
      ? []
      : nightsNear(props.latitude, props.longitude, from, to);
  const span = ([begin, end]: [number, number], fill: string) => (
    <rect key={begin} x={x(begin)} width={Math.max(0, x(end) - x(begin))} y={TOP} height={plot.height} fill={fill} />
  );
  const holes = series ? gaps(pointsOf(series.min), series.stepMs, from, to) : [];
  return (
    <svg class="smallchart" data-plot width={width} height={height} role="img" aria-label={label}>
      {shaded.map((one) => span(one, "var(--c-night)"))}
      {holes.map((one) => span(one, "url(#hatch)"))}
      {ticks.map((tick, index) => (
        <g key={tick}>
          <line x1={LEFT} x2={width - RIGHT} y1={y(tick)} y2={y(tick)} stroke="var(--c-grid)" />
          <text class="svg-text" x={LEFT - 5} y={y(tick) + 4} text-anchor="end">
            {props.writeTick(tick, index === ticks.length - 1)}
          </text>
        </g>
      ))}
      {marks.map(({ at, label: text }) => (
        <g key={at}>
          <line x1={x(at)} x2={x(at)} y1={TOP + plot.height} y2={TOP + plot.height + 3} stroke="var(--ink-3)" />
          {x(at) > LEFT + 12 && x(at) < width - RIGHT - 12 && (
            <text class="svg-text" x={x(at)} y={height - 2} text-anchor="middle">
              {text}
            </text>
          )}
        </g>
      ))}
      {series && <path d={bandPath(series, to, x, y)} fill="var(--c-band)" opacity="0.7" />}
      {disconnect !== null && share(disconnect) >= 0 && share(disconnect) <= 1 && (
        <line x1={LEFT} x2={width - RIGHT} y1={y(disconnect)} y2={y(disconnect)} stroke="var(--c-disconnect)" stroke-width="1.2" stroke-dasharray="3 2.5" />
      )}
      {series && <path d={linePath(points, series.stepMs, x, y)} fill="none" stroke="var(--c-battery)" stroke-width="1.6" stroke-linejoin="round" stroke-linecap="round" />}
      {series && points.length === 0 && (
        <text class="svg-text halo" x={LEFT + plot.width / 2} y={TOP + plot.height / 2 + 4} text-anchor="middle">
          {props.noData}
        </text>
      )}
      {series && <Cursor series={series} to={to} x={x} y={y} top={TOP} bottom={TOP + plot.height} right={width} write={props.write} />}
    </svg>
  );
});

const clamp = (share: number): number => Math.min(1, Math.max(0, share));
const middle = (series: Series, index: number, to: number): number => Math.min(series.from + index * series.stepMs, to);

/** From each bucket's greatest value to its least; buckets without data divide it. */
export function bandPath(series: Series, to: number, x: (at: number) => number, y: (value: number) => number): string {
  const path: string[] = [];
  let upper: string[] = [];
  let lower: string[] = [];
  const close = () => {
    if (upper.length > 1) path.push(`M${upper.join("L")}L${lower.reverse().join("L")}Z`);
    upper = [];
    lower = [];
  };
  series.mean.forEach((mean, index) => {
    const [min, max] = [series.min[index] ?? null, series.max[index] ?? null];
    if (mean === null || min === null || max === null) return close();
    const at = x(middle(series, index, to)).toFixed(1);
    upper.push(`${at} ${y(max).toFixed(1)}`);
    lower.push(`${at} ${y(min).toFixed(1)}`);
  });
  close();
  return path.join("");
}

interface CursorProps {
  series: Series;
  to: number;
  x: (at: number) => number;
  y: (value: number) => number;
  top: number;
  bottom: number;
  right: number;
  write: (value: number) => string;
}

/** The value at the cursor, in every chart at once. */
function Cursor({ series, to, x, y, top, bottom, right, write }: CursorProps) {
  const at = useStore(cursor);
  if (at === null || at > to) return null;
  const value = series.mean[Math.round((at - series.from) / series.stepMs)] ?? null;
  const place = x(at);
  const isLeft = place > right / 2;
  return (
    <g>
      <line x1={place} x2={place} y1={top} y2={bottom} stroke="var(--ink)" />
      {value !== null && <circle cx={place} cy={y(value)} r="3.5" fill="var(--c-battery)" stroke="var(--surface)" />}
      {value !== null && (
        <text class="svg-text halo read" x={place + (isLeft ? -7 : 7)} y={Math.max(top + 9, y(value) - 6)} text-anchor={isLeft ? "end" : "start"}>
          {write(value)}
        </text>
      )}
    </g>
  );
}
