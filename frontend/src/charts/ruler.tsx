import { useRef } from "preact/hooks";
import type { NodeTexts } from "../i18n/node";
import type { Words } from "../i18n/use";
import { TIGHT_VOLTS } from "../state/fleet";
import { useWidth } from "./width";

/** Once it has switched off, a node comes back above this many volts (docs/nodes.md). */
export const BACK_ON_VOLTS = 12.3;
/** How far below the disconnect and above the charge end the ruler goes, in volts. */
const BELOW = 0.38;
const ABOVE = 0.08;
const TOP = 30;
const THICK = 12;

export interface RulerProps {
  volts: number;
  disconnect: number;
  chargeEnd: number | null;
  /** Least and greatest volts of the last 24 h. */
  day: [number, number] | null;
  isOld: boolean;
  words: Words;
  texts: NodeTexts;
}

/** Where the battery stands between disconnect and charge end. */
export function Ruler({ volts, disconnect, chargeEnd, day, isOld, words, texts }: RulerProps) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const { format } = words;
  const low = Math.min(disconnect - BELOW, volts - 0.1);
  const high = Math.max((chargeEnd ?? disconnect + 2.5) + ABOVE, volts + 0.1);
  const x = (value: number) => ((value - low) / (high - low)) * width;
  const text = (value: number) => format.withUnit(value, 2, "V");
  const isTight = volts - disconnect < TIGHT_VOLTS;
  const fill = isOld ? "var(--silent-fill)" : isTight ? "var(--c-disconnect)" : "var(--c-battery)";
  const label = texts.rulerLabel(text(volts), `${format.signed(volts - disconnect, 2)}\u202fV`);
  const band = day && texts.lastDay(format.number(day[0], 2), text(day[1]));
  // The label of the return stands beside its line, unless the pointer's triangle or the edge is there.
  const hasBack = BACK_ON_VOLTS > disconnect && BACK_ON_VOLTS < high;
  return (
    <div class="ruler" ref={box}>
      {width > 0 && (
        <svg width={width} height="66" viewBox={`0 0 ${width} 66`} role="img" aria-label={band ? `${label}. ${band}` : label}>
          <rect x="0" y={TOP} width={width} height={THICK} rx="3" fill="var(--inset)" stroke="var(--line)" />
          <rect x="0" y={TOP} width={x(disconnect)} height={THICK} rx="3" fill="url(#hatch)" />
          <text class="svg-text" x={x(disconnect) / 2} y={TOP - 6} text-anchor="middle">
            {texts.off}
          </text>
          {day && <rect x={x(day[0])} y={TOP + 1} width={Math.max(1, x(day[1]) - x(day[0]))} height={THICK - 2} fill="var(--c-band)" />}
          {volts > disconnect && <rect x={x(disconnect)} y={TOP + 1} width={x(volts) - x(disconnect)} height={THICK - 2} fill={fill} opacity={isTight || isOld ? 1 : 0.55} />}
          {halfVolts(low, high).map((value) => (
            <line key={value} x1={x(value)} x2={x(value)} y1={TOP + THICK} y2={TOP + THICK + 4} stroke="var(--edge)" />
          ))}
          <line x1={x(disconnect)} x2={x(disconnect)} y1={TOP - 5} y2={TOP + THICK + 8} stroke="var(--c-disconnect)" stroke-width="2" />
          <text class="svg-label red" x={Math.max(0, x(disconnect) - 3)} y={TOP + THICK + 21}>
            {texts.disconnect(text(disconnect))}
          </text>
          {hasBack && (
            <>
              <line x1={x(BACK_ON_VOLTS)} x2={x(BACK_ON_VOLTS)} y1={TOP - 10} y2={TOP + THICK} stroke="var(--ink-2)" stroke-width="1.5" stroke-dasharray="2 2" />
              {!(volts > BACK_ON_VOLTS && x(volts) - x(BACK_ON_VOLTS) < 110) && (
                <text class="svg-label" x={x(BACK_ON_VOLTS) + 4} y={TOP - 7}>
                  {texts.backOn(text(BACK_ON_VOLTS))}
                </text>
              )}
            </>
          )}
          {chargeEnd !== null && (
            <>
              <line x1={x(chargeEnd)} x2={x(chargeEnd)} y1={TOP - 5} y2={TOP + THICK + 5} stroke="var(--ink-2)" stroke-width="1.5" />
              <text class="svg-label" x={width} y={TOP + THICK + 21} text-anchor="end">
                {texts.chargeEndAt(text(chargeEnd))}
              </text>
            </>
          )}
          <path d={`M${x(volts) - 6} ${TOP - 9}h12l-6 9z`} fill="var(--ink)" />
          <line x1={x(volts)} x2={x(volts)} y1={TOP - 2} y2={TOP + THICK} stroke="var(--ink)" stroke-width="2" />
          {band && (
            <text class="svg-label" x={width} y="10" text-anchor="end">
              <tspan fill="var(--c-band)">■ </tspan>
              {band}
            </text>
          )}
        </svg>
      )}
    </div>
  );
}

/** Half volts, where they can be told apart: a faulty sensor may stand a billion volts away. */
const halfVolts = (low: number, high: number): number[] => {
  if (high - low > 40) return [];
  const first = Math.ceil(low * 2) / 2;
  return Array.from({ length: Math.max(0, Math.floor((high - first) * 2) + 1) }, (_, index) => first + index / 2);
};
