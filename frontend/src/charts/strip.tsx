import { useRef } from "preact/hooks";
import { type Bars, type NodeDetail, STRIP_DAYS } from "../api/series";
import type { NodeTexts } from "../i18n/node";
import type { Words } from "../i18n/use";
import { TIGHT_VOLTS } from "../state/fleet";
import { useNow } from "../state/use";
import { useWidth } from "./width";
import { dayKey, decimalsOf, niceScale, scaleTicks } from "./ticks";

const LEFT = 46;
const TOP = 14;
const BASE = 76;
const HEIGHT = 112;
/** Of the expected rows; the rest is rounding of intervals. */
const WHOLE = 0.97;

export interface Day {
  at: number;
  low: number | null;
  high: number | null;
  isFull: boolean;
  received: number;
  expected: number | null;
}

/** The last thirty days with their extremes and how much of each is here, the oldest first. */
export function listDays(bars: Bars | null, completeness: NodeDetail["completeness"], timeZone: string | undefined): Day[] {
  const keyOf = dayKey(timeZone);
  const known = new Map(completeness.map((one) => [one.day, one]));
  return (bars?.startsAt ?? []).slice(-STRIP_DAYS).map((at, index, all) => {
    const place = (bars?.startsAt.length ?? 0) - all.length + index;
    const rows = known.get(keyOf(at));
    return {
      at,
      low: bars?.low[place] ?? null,
      high: bars?.high[place] ?? null,
      isFull: bars?.isFull[place] ?? false,
      received: rows?.received ?? 0,
      expected: rows?.expected ?? null,
    };
  });
}

export interface StripProps {
  days: readonly Day[];
  disconnect: number | null;
  words: Words;
  texts: NodeTexts;
}

/** One column a day: lowest to highest volts above, the share of expected rows below. */
export function Strip({ days, disconnect, words, texts }: StripProps) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const { format } = words;
  const now = useNow();
  const lows = days.flatMap((one) => (one.low === null ? [] : [one.low]));
  const highs = days.flatMap((one) => (one.high === null ? [] : [one.high]));
  const scale = niceScale(Math.min(...lows, disconnect === null ? 12 : disconnect - 0.1), Math.max(...highs, 13), 1, 3);
  const step = (width - LEFT) / Math.max(1, days.length);
  const bar = Math.max(2, step - 3);
  const y = (volts: number) => BASE - ((volts - scale.from) / (scale.to - scale.from)) * (BASE - TOP);
  const everyLabel = Math.max(1, Math.ceil(54 / Math.max(step, 1)));
  return (
    <div class="daystrip" ref={box}>
      {width > 0 && (
        <svg width={width} height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} preserveAspectRatio="xMinYMin" aria-hidden="true">
          <text class="svg-label" x={LEFT - 6} y="10" text-anchor="end" font-weight="700">
            V
          </text>
          {scaleTicks(scale).map((value) => (
            <g key={value}>
              <line x1={LEFT} x2={width} y1={y(value)} y2={y(value)} stroke="var(--c-grid)" />
              {y(value) > TOP + 4 && (
                <text class="svg-label" x={LEFT - 6} y={y(value) + 4} text-anchor="end">
                  {format.number(value, decimalsOf(scale.step))}
                </text>
              )}
            </g>
          ))}
          {days.map((day, index) => (
            <g key={day.at} transform={`translate(${(LEFT + index * step + 1).toFixed(1)} 0)`}>
              <Volts day={day} width={bar} y={y} disconnect={disconnect} />
              <Rows day={day} width={bar} />
              {(days.length - 1 - index) % everyLabel === Math.floor(everyLabel / 2) && index * step > 14 && (
                <text class="svg-label" x={bar / 2} y={HEIGHT - 2} text-anchor="middle">
                  {format.day(day.at + 12 * 3_600_000, now)}
                </text>
              )}
            </g>
          ))}
          {disconnect !== null && (
            <line x1={LEFT} x2={width} y1={y(disconnect)} y2={y(disconnect)} stroke="var(--c-disconnect)" stroke-width="1.2" stroke-dasharray="4 3" />
          )}
          <text class="svg-label" x={LEFT - 6} y={BASE + 16} text-anchor="end">
            {texts.records}
          </text>
        </svg>
      )}
      <p class="key below">
        {days.some((day) => isTight(day, disconnect)) && (
          <span>
            <i class="k-tight" />
            {texts.withinTight}
          </span>
        )}
        {days.some((day) => day.isFull) && (
          <span>
            <i class="k-full" />
            {texts.full}
          </span>
        )}
      </p>
      <Twin days={days} words={words} texts={texts} />
    </div>
  );
}

const isTight = ({ low }: Day, disconnect: number | null): boolean => low !== null && disconnect !== null && low < disconnect + TIGHT_VOLTS;

function Volts({ day, width, y, disconnect }: { day: Day; width: number; y: (volts: number) => number; disconnect: number | null }) {
  const { low, high } = day;
  if (low === null || high === null) return null;
  const reach = disconnect === null ? null : Math.min(high, disconnect + TIGHT_VOLTS);
  return (
    <>
      <rect y={y(high)} width={width} height={Math.max(3, y(low) - y(high))} rx="1.5" fill="var(--c-battery)" opacity="0.62" />
      {reach !== null && isTight(day, disconnect) && (
        <rect y={y(reach) - 3} width={width} height={y(low) - y(reach) + 3} rx="1.5" fill="var(--c-disconnect)" />
      )}
      {day.isFull && <circle cx={width / 2} cy={y(high) - 5} r="2.2" fill="var(--fine-fill)" />}
    </>
  );
}

/** Filled as far as rows are here; an outline alone where none is, nothing where none is expected. */
function Rows({ day, width }: { day: Day; width: number }) {
  const { received, expected } = day;
  if (received === 0 && !expected) return null;
  const share = expected ? Math.min(1, received / expected) : 1;
  const height = 10 * (share >= WHOLE ? 1 : share);
  return (
    <>
      <rect y={BASE + 7} width={width} height="10" rx="1.5" fill="var(--inset)" stroke="var(--edge)" />
      <rect y={BASE + 17 - height} width={width} height={height} rx="1.5" fill="var(--edge)" />
    </>
  );
}

function Twin({ days, words, texts }: { days: readonly Day[]; words: Words; texts: NodeTexts }) {
  const now = useNow();
  const { format } = words;
  const volts = (value: number | null) => (value === null ? "–" : format.withUnit(value, 2, "V"));
  return (
    <details class="twin">
      <summary>{texts.asTable}</summary>
      <table>
        <thead>
          <tr>
            <th scope="col">{texts.day}</th>
            <th scope="col">{texts.lowHigh}</th>
            <th scope="col">{texts.received}</th>
          </tr>
        </thead>
        <tbody>
          {[...days].reverse().map((day) => (
            <tr key={day.at}>
              <th scope="row">{format.day(day.at + 12 * 3_600_000, now)}</th>
              <td>
                {volts(day.low)}, {volts(day.high)}
                {day.isFull && ` (${texts.full})`}
              </td>
              <td>{texts.ofExpected(format.number(day.received), day.expected === null ? null : format.number(day.expected))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
