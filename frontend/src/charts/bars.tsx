import { useWidth } from "./width";
import { niceScale, scaleTicks } from "./ticks";

const LEFT = 52;
const HEIGHT = 84;
const TOP = 8;
const BOTTOM = 18;

export interface Bar {
  name: string;
  value: number;
  /** Name and value, for who does not see it. */
  label: string;
}

/** A bar for each value, from zero; with a list of the same for screen readers. */
export function Bars({ box, bars, label, write }: { box: { current: HTMLElement | null }; bars: Bar[]; label: string; write: (value: number) => string }) {
  const width = useWidth(box);
  const scale = niceScale(0, Math.max(4, ...bars.map((one) => one.value)), 0, 4);
  const y = (value: number) => TOP + HEIGHT * (1 - value / scale.to);
  const step = (width - LEFT) / bars.length;
  const every = Math.ceil(60 / step);
  return (
    <>
      <svg class="bars" width={width} height={TOP + HEIGHT + BOTTOM} aria-hidden="true">
        {width > 0 &&
          scaleTicks(scale).map((tick) => (
            <g key={tick}>
              <line x1={LEFT} x2={width} y1={y(tick)} y2={y(tick)} stroke="var(--c-grid)" />
              <text class="svg-text" x={LEFT - 6} y={y(tick) + 4} text-anchor="end">
                {write(tick)}
              </text>
            </g>
          ))}
        {width > 0 &&
          bars.map((bar, index) => (
            <g key={bar.name}>
              <rect x={LEFT + index * step + 1} width={Math.max(1, step - 3)} y={y(bar.value)} height={TOP + HEIGHT - y(bar.value)} fill="var(--c-battery)">
                <title>{bar.label}</title>
              </rect>
              {(bars.length - 1 - index) % every === 0 && (
                <text class="svg-text" x={LEFT + (index + 0.5) * step} y={TOP + HEIGHT + 14} text-anchor={index === bars.length - 1 ? "end" : "middle"} dx={index === bars.length - 1 ? step / 2 : 0}>
                  {bar.name}
                </text>
              )}
            </g>
          ))}
      </svg>
      <ul class="vh" aria-label={label}>
        {bars.map((bar) => (
          <li key={bar.name}>{bar.label}</li>
        ))}
      </ul>
    </>
  );
}
