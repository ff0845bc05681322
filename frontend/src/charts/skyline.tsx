import { useRef } from "preact/hooks";
import type { Node } from "../api/types";
import { memo } from "../components/memo";
import type { Words } from "../i18n/use";
import { isStale, marginVolts } from "../state/fleet";
import { useWidth } from "./width";

const TOP = 17;
const HEIGHT = 46;
const BASE = TOP + HEIGHT;
const SCALE = 34;
const MAX_VOLTS = 1.5;
/** More bars than this are no picture; the worst ones are shown. */
const MAX_BARS = 300;

/** One bar a node in the order of the list, as high as its margin to its own disconnect. */
export const Skyline = memo(({ nodes, words }: { nodes: readonly Node[]; words: Words }) => {
  const { texts, format } = words;
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const shown = nodes.slice(0, MAX_BARS);
  const step = (width - SCALE) / Math.max(shown.length, 8);
  const bar = shown.length > 60 ? Math.max(1, step) : Math.max(1, Math.min(16, step - 4));
  const y = (volts: number) => BASE - (Math.min(MAX_VOLTS, Math.max(0, volts)) / MAX_VOLTS) * HEIGHT;
  return (
    <div class="skyline" ref={box}>
      {width > 0 && (
        <svg width={width} height={BASE + 6} role="img" aria-label={texts.marginLabel}>
          <text class="svg-text" x="0" y="10">
            {texts.marginOfEach}
          </text>
          {[0.5, 1, 1.5].map((volts) => (
            <line key={volts} x1="0" x2={width - SCALE} y1={y(volts)} y2={y(volts)} stroke="var(--c-grid)" />
          ))}
          <text class="svg-text" x={width} y={y(1) + 4} text-anchor="end">
            {format.withUnit(1, 1, "V")}
          </text>
          {shown.map((node, index) => (
            <Bar key={node.node} node={node} x={index * step + (step - bar) / 2} width={bar} y={y} />
          ))}
          <line x1="0" x2={width - SCALE} y1={BASE} y2={BASE} stroke="var(--c-disconnect)" stroke-width="1.5" />
          <text class="svg-text" x={width} y={BASE + 3} text-anchor="end">
            {format.withUnit(0, 0, "V")}
          </text>
        </svg>
      )}
    </div>
  );
});

/** Where a margin is not known: high enough for its question mark. */
const UNKNOWN_VOLTS = 0.9;

function Bar({ node, x, width, y }: { node: Node; x: number; width: number; y: (volts: number) => number }) {
  const margin = marginVolts(node);
  const top = Math.min(y(margin ?? UNKNOWN_VOLTS), BASE - 4);
  const isKnown = margin !== null && !isStale(node.state);
  const look = isKnown
    ? { fill: "var(--fill)", stroke: width < 4 ? "none" : "var(--rim, none)" }
    : { fill: "var(--soft)", stroke: "var(--fill)", "stroke-width": width < 4 ? 0.5 : 1.4, "stroke-dasharray": "2.5 2" };
  return (
    <g class={`s-${node.state}`}>
      <rect x={x} y={top} width={width} height={BASE - top} rx={width < 4 ? 0 : 2} {...look} />
      {margin === null && width >= 8 && (
        <text x={x + width / 2} y={BASE - 9} text-anchor="middle" font-size="12" font-weight="700" fill="var(--fg)">
          ?
        </text>
      )}
    </g>
  );
}
