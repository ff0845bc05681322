import uPlot from "uplot";
import type { Span } from "../state/range";
import type { Drawn } from "./gaps";
import { lonely } from "./gaps";
import { decimalsOf, scaleTicks, type Scale, type Tick } from "./ticks";

/** Left of every plot, for its labels: lanes stand exactly below each other. */
export const GUTTER = 40;
export const RIGHT = 8;
/** Above every plot, for the unit of its axis. */
export const TOP = 18;
const TIME_AXIS = 22;

export interface Line {
  values: Drawn;
  /** Name of a CSS variable. */
  color: string;
  dash?: number[];
  width?: number;
  /** Least and greatest values, filled with the colour of a band. */
  band?: { low: Drawn; high: Drawn; color: string };
  /** A dot at the newest value. */
  hasEnd?: boolean;
}

/** A level that holds from an instant to another. */
export interface Level extends Span {
  value: number;
}

export interface LaneSpec {
  at: number[];
  lines: Line[];
  scale: Scale;
  levels: Level[];
  nights: readonly (readonly [number, number])[];
  gaps: readonly Span[];
  marks: readonly number[];
  ticks: (span: Span) => Tick[];
  /** Whether the times are written below. */
  hasTimes: boolean;
  write: (value: number, decimals: number) => string;
  height: number;
}

/** How high a lane is, with the labels of the time axis where it has them. */
export const laneHeight = (spec: LaneSpec): number => spec.height + TOP + (spec.hasTimes ? TIME_AXIS : 4);

/** Draws a lane into a box; the answer moves it to another span or takes it away. */
export function drawLane(box: HTMLElement, spec: LaneSpec, width: number, span: Span): { move: (span: Span) => void; end: () => void } {
  const style = getComputedStyle(box);
  const color = (name: string) => style.getPropertyValue(name).trim();
  const font = `12px ${style.fontFamily}`;
  const bands: uPlot.Band[] = [];
  const series: uPlot.Series[] = [{}];
  const data: Drawn[] = [];
  const add = (values: Drawn, options: uPlot.Series) => {
    data.push(values);
    series.push({ points: { show: false }, ...options });
    return series.length - 1;
  };
  for (const { band } of spec.lines) {
    if (!band) continue;
    const high = add(band.high, { stroke: color(band.color), width: 1 });
    const low = add(band.low, { stroke: color(band.color), width: 1 });
    bands.push({ series: [high, low], fill: color(band.color) });
  }
  for (const line of spec.lines) {
    add(line.values, {
      stroke: color(line.color),
      width: line.width ?? 1.8,
      dash: line.dash,
      points: { show: true, size: 5, fill: color(line.color), filter: () => dotsOf(line) },
    });
  }
  let shown = span;
  const grid = { stroke: color("--c-grid"), width: 1 };
  const plot = new uPlot(
    {
      width,
      height: laneHeight(spec),
      ms: 1,
      padding: [TOP, RIGHT, spec.hasTimes ? 0 : 4, 0],
      cursor: { show: false },
      legend: { show: false },
      scales: {
        x: { time: false, range: () => [shown.from, shown.to] },
        y: { range: [spec.scale.from, spec.scale.to] },
      },
      axes: [
        {
          show: true,
          size: spec.hasTimes ? TIME_AXIS : 0,
          gap: 4,
          font,
          stroke: color("--ink-3"),
          grid,
          ticks: { ...grid, size: spec.hasTimes ? 4 : 0 },
          splits: (self) => spec.ticks(spanOf(self)).map((tick) => tick.at),
          values: (self) => (spec.hasTimes ? labelsThatFit(self, spec.ticks(spanOf(self))) : []),
        },
        {
          size: GUTTER,
          gap: 6,
          font,
          stroke: color("--ink-3"),
          grid,
          ticks: { show: false },
          splits: () => scaleTicks(spec.scale),
          values: (_, splits) => splits.map((value) => spec.write(value, decimalsOf(spec.scale.step))),
        },
      ],
      series,
      bands,
      hooks: {
        drawClear: [(self) => shade(self, spec, color)],
        draw: [(self) => mark(self, spec, color)],
      },
    },
    [spec.at, ...data] as uPlot.AlignedData,
    box,
  );
  plot.root.setAttribute("aria-hidden", "true"); // its text twin tells it
  return {
    move: (next) => {
      shown = next;
      plot.setScale("x", { min: next.from, max: next.to });
    },
    end: () => plot.destroy(),
  };
}

function dotsOf({ values, hasEnd }: Line): number[] {
  const dots = lonely(values);
  let last = values.length - 1;
  while (last >= 0 && values[last] == null) last -= 1;
  return hasEnd && last >= 0 && !dots.includes(last) ? [...dots, last] : dots;
}

const spanOf = (plot: uPlot): Span => ({ from: plot.scales.x?.min ?? 0, to: plot.scales.x?.max ?? 1 });

/** Labels that would cross an edge are left out. */
function labelsThatFit(plot: uPlot, ticks: Tick[]): string[] {
  const { ctx, width } = plot;
  const { left } = plot.bbox;
  const ratio = uPlot.pxRatio;
  let end = left / ratio - 12;
  return ticks.map(({ at, label }) => {
    const half = (ctx.measureText(label).width / ratio) * 0.5;
    const middle = left / ratio + plot.valToPos(at, "x");
    if (middle - half < end || middle + half > width) return "";
    end = middle + half + 6;
    return label;
  });
}

/** Nights and gaps, below everything else. */
function shade(plot: uPlot, { nights, gaps }: LaneSpec, color: (name: string) => string): void {
  const { ctx, bbox } = plot;
  const x = place(plot);
  ctx.save();
  ctx.fillStyle = color("--c-night");
  for (const [from, to] of nights) ctx.fillRect(x(from), bbox.top, x(to) - x(from), bbox.height);
  for (const { from, to } of gaps) hatch(ctx, x(from), bbox.top, x(to) - x(from), bbox.height, color);
  ctx.restore();
}

function hatch(ctx: CanvasRenderingContext2D, left: number, top: number, width: number, height: number, color: (name: string) => string): void {
  if (width <= 0) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.fillStyle = color("--inset");
  ctx.fillRect(left, top, width, height);
  ctx.strokeStyle = color("--c-gap");
  ctx.lineWidth = 2 * uPlot.pxRatio;
  ctx.beginPath();
  const stride = 8.5 * uPlot.pxRatio;
  // From a multiple of the stride, so that lanes below each other are of one cloth.
  for (let at = Math.floor((left - height) / stride) * stride; at < left + width; at += stride) {
    ctx.moveTo(at, top + height);
    ctx.lineTo(at + height, top);
  }
  ctx.stroke();
  ctx.restore();
}

/** Disconnect levels and what happened, above the lines. */
function mark(plot: uPlot, { levels, marks }: LaneSpec, color: (name: string) => string): void {
  const { ctx, bbox } = plot;
  const x = place(plot);
  const ratio = uPlot.pxRatio;
  ctx.save();
  ctx.lineWidth = 1.5 * ratio;
  ctx.strokeStyle = color("--c-disconnect");
  ctx.setLineDash([5 * ratio, 3 * ratio]);
  for (const { from, to, value } of levels) {
    const y = plot.valToPos(value, "y", true);
    if (y < bbox.top || y > bbox.top + bbox.height || x(to) <= x(from)) continue;
    ctx.beginPath();
    ctx.moveTo(x(from), y);
    ctx.lineTo(x(to), y);
    ctx.stroke();
  }
  ctx.lineWidth = ratio;
  ctx.strokeStyle = color("--ink-2");
  ctx.setLineDash([1.5 * ratio, 3 * ratio]);
  for (const at of marks) {
    ctx.beginPath();
    ctx.moveTo(x(at), bbox.top);
    ctx.lineTo(x(at), bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** Where an instant stands on the canvas, never outside the plot. */
function place(plot: uPlot): (at: number) => number {
  const { left, width } = plot.bbox;
  return (at) => Math.min(left + width, Math.max(left, plot.valToPos(at, "x", true)));
}
