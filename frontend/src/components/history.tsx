import { useContext, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { type NodeDetail, type Series, csvPath, pastSeries, recentSeries } from "../api/series";
import type { Source } from "../api/source";
import type { Node } from "../api/types";
import { Twin } from "../charts/twin";
import type { NodeTexts } from "../i18n/node";
import type { Words } from "../i18n/use";
import {
  type Chosen,
  PRESETS,
  type Preset,
  type Span,
  USUAL_PRESET,
  limitsOf,
  moveSpan,
  presetDays,
  presetSpan,
  readChosen,
  roundSpan,
  spanAfterKey,
  writeChosen,
  zoomSpan,
} from "../state/range";
import { readQuery, writeRoute } from "../state/route";
import { useNow, useSource } from "../state/use";
import { FrozenAt } from "./age";
import { Icon, type IconName } from "./marks";
import { lazily } from "./lazy";
import { Loading, Trouble, frozenSince } from "./notices";

/** Whoever walks from node to node keeps the range. */
let lastPreset: Preset = USUAL_PRESET;

export interface HistoryProps {
  node: Node;
  detail: NodeDetail | null;
  words: Words;
  texts: NodeTexts;
}

/** What became of a node over time: its charts, and which part of the past they show. */
export function History(props: HistoryProps) {
  const { node, detail, words, texts } = props;
  const frozenAt = useContext(FrozenAt);
  const present = useNow();
  const now = frozenAt ?? present;
  const first = detail?.first_measured_at ?? node.newest?.measured_at ?? null;
  const firstAt = first === null ? null : Date.parse(first);
  const [chosen, set] = useChosen(node.node);
  const minute = Math.ceil(now / 60_000) * 60_000;
  const limits = useMemo(() => limitsOf(minute, firstAt), [minute, firstAt]);
  const span = useMemo(() => chosen.zoom ?? presetSpan(chosen.preset, minute, firstAt), [chosen, minute, firstAt]);
  const source = useMemo(
    () => (chosen.zoom ? pastSeries(node.node, chosen.zoom.from, chosen.zoom.to) : recentSeries(node.node, presetDays(chosen.preset), firstAt ?? minute)),
    // Of a preset that goes on with the time only the first reading matters, and only to that of all.
    [node.node, chosen, chosen.preset === "all" ? firstAt : null],
  );
  const look = (next: Span) => set({ ...chosen, zoom: roundSpan(next) });
  const back = () => set({ ...chosen, zoom: null });
  const key = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const next = spanAfterKey(event.key, span, limits);
    if (next) look(next);
    else if (event.key === "0") back();
    else return;
    event.preventDefault();
  };
  return (
    <section class="panel a-history">
      <Head {...props} isLive={chosen.zoom === null && frozenAt === null} span={span} source={source} />
      <div class="chart" tabIndex={0} role="group" aria-label={texts.chartLabel(words.format.at(span.from, now), words.format.at(span.to, now))} onKeyDown={key}>
        <Plots {...props} source={source} span={span} limits={limits} choose={look} back={back} />
      </div>
      <div class="foot">
        <Tools span={span} limits={limits} isZoomed={chosen.zoom !== null} look={look} back={back} texts={texts} />
        <a class="btn small" href={csvPath(node.node, span.from, span.to)} download={`${node.node}.csv`}>
          <Icon name="download" />
          {texts.csvOf(chosen.zoom ? texts.partShown : texts.presetNames[chosen.preset])}
        </a>
      </div>
      <p class="hint help">{texts.chartHelp}</p>
      <RangePicker chosen={chosen} set={set} texts={texts} />
    </section>
  );
}

/** The chosen range, which the link holds as well. */
function useChosen(name: string): [Chosen, (next: Chosen) => void] {
  const [chosen, setChosen] = useState(() => readChosen(readQuery(location.hash), lastPreset));
  const set = (next: Chosen) => {
    lastPreset = next.preset;
    // The entry of the page itself changes: back leads to where one came from, not through every zoom.
    history.replaceState(history.state, "", `${writeRoute({ page: "node", node: name })}?${writeChosen(next)}`);
    setChosen(next);
  };
  return [chosen, set];
}

interface HeadProps extends HistoryProps {
  isLive: boolean;
  span: Span;
  source: Source<Series>;
}

function Head({ words, texts, isLive, span, source }: HeadProps) {
  const now = useNow();
  const { format } = words;
  const series = useSource(source).value;
  const isDays = span.to - span.from > 2 * 86_400_000;
  const write = (at: number) => (isDays ? format.day(at, now) : format.at(at, now));
  return (
    <header>
      <h2>{texts.history}</h2>
      <p>
        {write(span.from)} – {isLive ? texts.present : write(span.to)}
        {series && `, ${texts.step(series.step)}`}
        {words.timeZone && `, ${texts.zoneTime(cityOf(words.timeZone))}`}
      </p>
    </header>
  );
}

/** "Berlin" of "Europe/Berlin". */
export const cityOf = (timeZone: string): string => (timeZone.split("/").at(-1) ?? timeZone).replaceAll("_", " ");

interface PlotsProps extends HistoryProps {
  source: Source<Series>;
  span: Span;
  limits: Span;
  choose: (span: Span) => void;
  back: () => void;
}

/** What draws is larger than the rest of the page: it comes after it. */
const Lanes = lazily(() => import("../charts/lanes").then((part) => part.default), Loading);

/** The charts as soon as there is something to draw; while more is on its way, what is known of another range. */
function Plots({ source, ...props }: PlotsProps) {
  useLayoutEffect(Lanes.ahead, []);
  const snapshot = useSource(source);
  const last = useRef<Series | null>(null);
  if (snapshot.value) last.current = snapshot.value;
  const series = snapshot.value ?? last.current;
  const { failure, at, value } = snapshot;
  const now = useNow();
  // Of the whole page being out of reach its head tells.
  const isPageFrozen = useContext(FrozenAt) !== null;
  const hasTrouble = value === null || (!isPageFrozen && frozenSince(snapshot, now) !== null);
  return (
    <>
      {failure && hasTrouble && <Trouble failure={failure} at={at} retry={() => void source.refresh()} />}
      {series ? <Lanes {...props} series={series} /> : !failure && <Loading />}
      {series && <Twin series={series} span={props.span} words={props.words} texts={props.texts} />}
    </>
  );
}

interface ToolsProps {
  span: Span;
  limits: Span;
  isZoomed: boolean;
  look: (span: Span) => void;
  back: () => void;
  texts: NodeTexts;
}

/** The same as drag, pinch and keys, for whoever has none of them. */
function Tools({ span, limits, isZoomed, look, back, texts }: ToolsProps) {
  const middle = (span.from + span.to) / 2;
  const tools: { name: string; icon: IconName; act: () => void; isOff?: boolean; isTurned?: boolean }[] = [
    { name: texts.earlier, icon: "back", act: () => look(moveSpan(span, -0.5, limits)), isOff: span.from <= limits.from },
    { name: texts.zoomOut, icon: "minus", act: () => look(zoomSpan(span, 2, middle, limits)) },
    { name: texts.wholeRange, icon: "whole", act: back, isOff: !isZoomed },
    { name: texts.zoomIn, icon: "plus", act: () => look(zoomSpan(span, 0.5, middle, limits)) },
    { name: texts.later, icon: "back", act: () => look(moveSpan(span, 0.5, limits)), isOff: span.to >= limits.to, isTurned: true },
  ];
  return (
    <div class="tools">
      {tools.map(({ name, icon, act, isOff, isTurned }) => (
        <button key={name} type="button" class={isTurned ? "iconbtn turned" : "iconbtn"} aria-label={name} title={name} disabled={isOff} onClick={act}>
          <Icon name={icon} />
        </button>
      ))}
    </div>
  );
}

function RangePicker({ chosen, set, texts }: { chosen: Chosen; set: (next: Chosen) => void; texts: NodeTexts }) {
  return (
    <div class="dock">
      <div class="segmented" role="group" aria-label={texts.range}>
        {PRESETS.map((preset) => (
          <button
            key={preset}
            type="button"
            title={texts.presetNames[preset]}
            aria-pressed={preset === chosen.preset && chosen.zoom === null}
            onClick={() => set({ preset, zoom: null })}
          >
            {texts.presets[preset]}
          </button>
        ))}
      </div>
    </div>
  );
}
