import { useContext, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { NodeDetail, Series } from "../api/series";
import type { Node } from "../api/types";
import { FrozenAt } from "../components/age";
import { Icon } from "../components/marks";
import type { MarkKind, NodeTexts } from "../i18n/node";
import type { Words } from "../i18n/use";
import type { Span } from "../state/range";
import { theme } from "../state/settings";
import { useMedia, useNow, useStore } from "../state/use";
import { type Hands, useGestures } from "./gestures";
import { GUTTER, type LaneSpec, RIGHT, TOP, drawLane, laneHeight } from "./lane";
import { type Lane, type Mark, type Picture, disconnectAt, makePicture, nearest, thinMarks } from "./picture";
import { useWidth } from "./width";
import { type Scale, timeTicks } from "./ticks";
import "uplot/dist/uPlot.min.css";

export interface LanesProps {
  node: Node;
  detail: NodeDetail | null;
  series: Series;
  span: Span;
  limits: Span;
  words: Words;
  texts: NodeTexts;
  choose: (span: Span) => void;
  back: () => void;
}

const HEIGHTS: Record<Lane["name"], number> = { battery: 176, panel: 84, charge: 64, temperature: 76 };
/** CSS pixels of a sheet of A4 between its margins. */
const PAPER_WIDTH = 700;
/** All of a node has to fit on one page; style/node.css knows this share too. */
const PAPER_SHARE = 0.48;
/** Labels of the time axis are about that wide. */
const LABEL_WIDTH = 62;
const MARK_WIDTH = 16;

/** The charts of a node: lanes on one time axis, with one cursor. */
export default function Lanes(props: LanesProps) {
  const { node, detail, series, span, limits, words, texts, choose, back } = props;
  const [pointed, point] = useState<number | null>(null);
  const [part, select] = useState<Span | null>(null);
  const [preview, setPreview] = useState<Span | null>(null);
  const stack = useRef<HTMLDivElement>(null);
  const width = useWidth(stack);
  const now = useNow();
  const frozenAt = useContext(FrozenAt);
  // While the collector is out of reach nobody knows what came since: that is no gap.
  const end = Math.ceil((frozenAt ?? now) / 60_000) * 60_000;
  const picture = useMemo(() => makePicture(series, span, node, detail, end), [series, span.from, span.to, node, detail, end]);
  const shown = preview ?? span;
  const hands: Hands = {
    point,
    select,
    preview: setPreview,
    choose: (next) => {
      setPreview(null);
      choose(next);
    },
    back,
  };
  useGestures(stack, span, limits, hands);
  const share = (at: number) => (at - shown.from) / (shown.to - shown.from);
  const left = (at: number) => `calc(${GUTTER}px + ${share(at).toFixed(5)} * (100% - ${GUTTER + RIGHT}px))`;
  const cursor = pointed !== null && share(pointed) >= 0 && share(pointed) <= 1 ? pointed : null;
  const marks = thinMarks(picture.marks, ((shown.to - shown.from) * MARK_WIDTH) / Math.max(width, 1)).filter(
    ({ at }) => share(at) >= 0 && share(at) <= 1,
  );
  return (
    <>
      <Readout picture={picture} series={series} at={cursor} words={words} texts={texts} node={node} />
      <div class="lanes" ref={stack}>
        {picture.lanes.map((lane, index) => (
          <div key={lane.name}>
            <LaneHead lane={lane} series={series} texts={texts} picture={picture} />
            {lane.isEmpty ? (
              <p class="none">{texts.noValues}</p>
            ) : (
              width > 0 && (
                <LanePlot lane={lane} span={shown} width={width} words={words} texts={texts} hasTimes={index === lastShown(picture.lanes)} />
              )
            )}
            {lane.name === "battery" && marks.length > 0 && <MarkRow marks={marks} left={left} words={words} texts={texts} />}
          </div>
        ))}
        {cursor !== null && <i class="cursor" style={{ left: left(cursor) }} />}
        {part && <i class="part" style={{ left: left(part.from), width: `calc(${(share(part.to) - share(part.from)).toFixed(5)} * (100% - ${GUTTER + RIGHT}px))` }} />}
      </div>
      <MarkKey kinds={new Set(picture.marks.map((one) => one.kind))} isRolled={series.stepMs > 0} texts={texts} />
    </>
  );
}

const lastShown = (lanes: readonly Lane[]): number => {
  const shown = lanes.map((lane) => !lane.isEmpty);
  return shown.lastIndexOf(true);
};

/** The unit, and which line is which. */
function LaneHead({ lane, series, texts, picture }: { lane: Lane; series: Series; texts: NodeTexts; picture: Picture }) {
  const isRolled = series.stepMs > 0;
  return (
    <p class={`key l-${lane.name}`}>
      <b>{texts.lanes[lane.name]}</b>
      {lane.name === "battery" && (
        <>
          {isRolled && (
            <span>
              <i class="k-band" />
              {texts.lowToHigh}
            </span>
          )}
          {series.mean.charge_end_volts.some((value) => value !== null) && (
            <span>
              <i class="k-end" />
              {texts.chargeEnd}
            </span>
          )}
          {lane.spec.nights.length > 0 && (
            <span>
              <i class="k-night" />
              {texts.night}
            </span>
          )}
          {picture.gaps.length > 0 && (
            <span>
              <i class="k-gap" />
              {texts.noData}
            </span>
          )}
        </>
      )}
      {lane.name === "panel" && (
        <>
          <span>
            <i class="k-open" />
            {texts.openCircuit}
          </span>
          <span>
            <i class="k-work" />
            {texts.atWork}
          </span>
          {isRolled && <span>{texts.highest}</span>}
        </>
      )}
    </p>
  );
}

interface PlotProps {
  lane: Lane;
  span: Span;
  width: number;
  words: Words;
  texts: NodeTexts;
  hasTimes: boolean;
}

function LanePlot({ lane, span, width, words, texts, hasTimes }: PlotProps) {
  const box = useRef<HTMLDivElement>(null);
  const drawn = useRef<ReturnType<typeof drawLane> | null>(null);
  const latest = useRef(span);
  latest.current = span;
  const look = useLook();
  const { format, language, timeZone } = words;
  const locale = language === "de" ? "de-DE" : "en-GB";
  const spec: LaneSpec = {
    ...lane.spec,
    ticks: (part) => timeTicks(part, (width - GUTTER - RIGHT) / LABEL_WIDTH, locale, timeZone),
    hasTimes,
    write: (value, decimals) => format.number(value, decimals),
    height: HEIGHTS[lane.name],
  };
  useLayoutEffect(() => {
    const draw = (pixels: number, share: number) => {
      drawn.current?.end();
      if (box.current) drawn.current = drawLane(box.current, { ...spec, height: spec.height * share }, pixels, latest.current);
    };
    draw(width, 1);
    const stop = onPrint(() => draw(PAPER_WIDTH, PAPER_SHARE), () => draw(width, 1));
    return () => {
      stop();
      drawn.current?.end();
      drawn.current = null;
    };
  }, [lane, width, look, hasTimes, words]);
  useLayoutEffect(() => drawn.current?.move(span), [span.from, span.to]);
  const disconnect = lane.spec.levels.at(-1);
  return (
    <div class="plot" ref={box} style={{ "--height": `${spec.height}px`, minHeight: `${laneHeight(spec)}px` }}>
      <b class="unit">{lane.unit}</b>
      {disconnect && <DisconnectLabel value={disconnect.value} scale={spec.scale} words={words} texts={texts} />}
    </div>
  );
}

/** Names the red line, below it where there is room. Shares of the plot, which is lower on paper. */
function DisconnectLabel({ value, scale, words, texts }: { value: number; scale: Scale; words: Words; texts: NodeTexts }) {
  const share = (scale.to - value) / (scale.to - scale.from);
  if (share < 0 || share > 1) return null;
  return (
    <div class="levels" style={{ top: `${TOP}px`, left: `${GUTTER + 6}px` }}>
      <span class={share > 0.88 ? "level above" : "level"} style={{ top: `${share * 100}%` }}>
        {texts.disconnectName} {words.format.withUnit(value, 2, "V")}
      </span>
    </div>
  );
}

/** Changes whenever the colours do: the canvas has to be painted anew. */
function useLook(): string {
  const chosen = useStore(theme);
  const isDark = useMedia("(prefers-color-scheme: dark)");
  const isStrong = useMedia("(prefers-contrast: more)");
  const isFrozen = useContext(FrozenAt) !== null;
  return [chosen, isDark, isStrong, isFrozen].join(" ");
}

/** Paints for paper, in the light theme, and back. */
function onPrint(paint: () => void, restore: () => void): () => void {
  addEventListener("beforeprint", paint);
  addEventListener("afterprint", restore);
  return () => {
    removeEventListener("beforeprint", paint);
    removeEventListener("afterprint", restore);
  };
}

interface MarkRowProps {
  marks: readonly Mark[];
  left: (at: number) => string;
  words: Words;
  texts: NodeTexts;
}

const MARK_ICONS = { reboot: "reboot", clock: "clock", configuration: "configuration" } as const satisfies Record<MarkKind, string>;

function MarkRow({ marks, left, words, texts }: MarkRowProps) {
  const now = useNow();
  return (
    <ul class="marks">
      {marks.map(({ at, kind }) => (
        <li key={`${kind} ${at}`} style={{ left: left(at) }} title={`${texts.marks[kind]}, ${words.format.at(at, now)}`}>
          <Icon name={MARK_ICONS[kind]} />
          <span class="vh">
            {texts.marks[kind]}, {words.format.at(at, now)}
          </span>
        </li>
      ))}
    </ul>
  );
}

function MarkKey({ kinds, isRolled, texts }: { kinds: ReadonlySet<MarkKind>; isRolled: boolean; texts: NodeTexts }) {
  const shown = (Object.keys(MARK_ICONS) as MarkKind[]).filter((kind) => kinds.has(kind));
  return (
    <p class="key below">
      {shown.map((kind) => (
        <span key={kind}>
          <Icon name={MARK_ICONS[kind]} />
          {texts.marks[kind]}
        </span>
      ))}
      {isRolled && <span class="hint">{texts.marksWhenNear}</span>}
    </p>
  );
}

interface ReadoutProps {
  picture: Picture;
  series: Series;
  at: number | null;
  words: Words;
  texts: NodeTexts;
  node: Node;
}

/** What the cursor points at, in a line that nothing covers; without one the newest of what is shown. */
function Readout({ picture, series, at, words, texts, node }: ReadoutProps) {
  const now = useNow();
  const { format } = words;
  const gap = at === null ? undefined : picture.gaps.find((one) => one.from <= at && at <= one.to);
  if (at !== null && gap) {
    return (
      <p class="readout">
        <b>{format.at(at, now)}</b>
        <span>{texts.noDataFor(format.span(gap.to - gap.from))}</span>
      </p>
    );
  }
  const index = at === null ? lastKnown(series) : nearest(series.at, at);
  const instant = series.at[index];
  if (instant === undefined) return <p class="readout">{texts.noValues}</p>;
  // A running bucket's middle may lie in the future.
  const time = format.at(Math.min(instant, node.newest ? Date.parse(node.newest.measured_at) : now), now);
  return (
    <p class="readout">
      <b>{at === null ? `${texts.newestAt}: ${time}` : time}</b>
      {says(series, index, picture, words, texts).map(({ name, value }) => (
        <span key={name}>
          {name} <b>{value}</b>
        </span>
      ))}
    </p>
  );
}

function lastKnown({ mean }: Series): number {
  let index = mean.battery_volts.length - 1;
  while (index >= 0 && mean.battery_volts[index] === null) index -= 1;
  return index;
}

function says(series: Series, index: number, { disconnects }: Picture, { format, texts: common }: Words, texts: NodeTexts): { name: string; value: string }[] {
  const { mean, low, high } = series;
  const isRolled = series.stepMs > 0;
  const volts = mean.battery_volts[index] ?? null;
  const disconnect = disconnectAt(disconnects, series.at[index] ?? 0);
  const open = (isRolled ? high : mean).panel_open_circuit_volts[index] || null;
  const charge = mean.state_of_charge_percent[index] ?? null;
  const celsius = mean.battery_celsius[index] ?? null;
  const said: { name: string; value: string }[] = [];
  if (volts !== null) said.push({ name: isRolled ? `${common.battery}, ${texts.mean}` : common.battery, value: format.withUnit(volts, 2, "V") });
  const [least, most] = [low.battery_volts[index] ?? null, high.battery_volts[index] ?? null];
  if (isRolled && least !== null && most !== null) {
    said.push({ name: texts.lowHigh, value: `${format.number(least, 2)}; ${format.withUnit(most, 2, "V")}` });
  }
  if (volts !== null && disconnect !== null) said.push({ name: texts.toDisconnect, value: `${format.signed(volts - disconnect, 2)}\u202fV` });
  if (open !== null) said.push({ name: texts.lanes.panel, value: format.withUnit(open, 1, "V") });
  if (charge !== null) said.push({ name: texts.charge, value: format.withUnit(charge, 0, "%") });
  if (celsius !== null) said.push({ name: texts.lanes.temperature, value: format.withUnit(celsius, 1, "°C") });
  return said;
}
