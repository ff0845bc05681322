import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { FIELDS, MAX_CELLS, RANGES, RANGE_NAMES, comparison, isPanel, type AllSeries, type Field, type Series } from "../api/comparison";
import { fleet } from "../api/resources";
import type { Node } from "../api/types";
import { useWidth } from "../charts/width";
import { LEFT, RIGHT, Small, cursor } from "../charts/small";
import { type Scale, type Tick, decimalsOf, niceScale, timeTicks } from "../charts/ticks";
import { Age, FrozenAt } from "../components/age";
import { AppBar } from "../components/layout";
import { Glyph, Icon, Value } from "../components/marks";
import { memo } from "../components/memo";
import { Notice, OnlyWorst, Standing, frozenSince } from "../components/notices";
import { COMPARE_TEXTS, type CompareTexts } from "../i18n/compare";
import { useWords, type Words } from "../i18n/use";
import { SORTS, highest, lowest, orderNodes, readCompared, writeCompared, type Compared, type Sort } from "../state/compare";
import { areVoltsHidden, isStale } from "../state/fleet";
import { positionOf } from "../state/place";
import { readQuery, writeRoute } from "../state/route";
import { useMedia, useNodes, useNow, useSource, useStore } from "../state/use";
import "../style/compare.css";

/** Unit, decimals, and how high a scale is at least. */
const UNITS: Record<Field, { unit: string; decimals: number; span: number }> = {
  battery_volts: { unit: "V", decimals: 2, span: 0.2 },
  panel_mpp_volts: { unit: "V", decimals: 2, span: 0.2 },
  state_of_charge_percent: { unit: "%", decimals: 0, span: 100 },
  battery_celsius: { unit: "°C", decimals: 1, span: 1 },
};
const PHONE = "(max-width: 599px)";
const MINUTE_MS = 60_000;
const GAP = 8;
const MIN_CELL = 280;

/** One field of many nodes side by side, with the same scales. */
export default function Compare() {
  const words = useWords();
  const texts = COMPARE_TEXTS[words.language];
  const snapshot = useNodes();
  const frozenAt = frozenSince(snapshot, useNow());
  const isAny = snapshot.value?.some((one) => one.is_active);
  return (
    <FrozenAt.Provider value={frozenAt}>
      <div class={frozenAt === null ? "compare" : "compare frozen"}>
        <AppBar title={words.texts.pageNames.compare} />
        <Standing source={fleet()} snapshot={snapshot} />
        <OnlyWorst />
        {snapshot.value && !isAny && (
          <Notice title={texts.nothing}>
            <a class="btn" href={writeRoute({ page: "collector" })}>
              {words.texts.pageNames.collector}
            </a>
          </Notice>
        )}
        {snapshot.value && isAny && <Compared all={snapshot.value} words={words} texts={texts} />}
      </div>
    </FrozenAt.Provider>
  );
}

interface Props {
  words: Words;
  texts: CompareTexts;
}

function Compared({ all, words, texts }: Props & { all: Node[] }) {
  const isPhone = useMedia(PHONE);
  const [chosen, setChosen] = useState(() => readCompared(readQuery(location.hash)));
  const choose = (change: Partial<Compared>) => {
    const next = { ...chosen, ...change };
    history.replaceState(null, "", writeCompared(next));
    setChosen(next);
  };
  useEffect(() => {
    const follow = () => setChosen(readCompared(readQuery(location.hash)));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  // Which nodes are asked for must not hang on what is answered: by name, if they are too many for one answer.
  const matching = orderNodes(all, chosen.sort === "lowest" ? { ...chosen, sort: "name" } : chosen, {});
  const names = matching.slice(0, MAX_CELLS).map((one) => one.node).sort();
  const source = comparison(chosen.field, chosen.range, names);
  const snapshot = useSource(source);
  const series = snapshot.value ?? {};
  const shown = orderNodes(all.filter((one) => names.includes(one.node)), chosen, series);
  return (
    <>
      <div class="controls">
        <Segmented label={texts.field} options={FIELDS} names={texts.fields} chosen={chosen.field} choose={(field) => choose({ field })} />
        <Segmented label={texts.range} options={RANGE_NAMES} names={texts.ranges} chosen={chosen.range} choose={(range) => choose({ range })} />
        {isPhone ? (
          <select class="btn" aria-label={texts.order} value={chosen.sort} onChange={(event) => choose({ sort: event.currentTarget.value as Sort })}>
            {SORTS.map((one) => (
              <option key={one} value={one}>
                {texts.orders[one]}
              </option>
            ))}
          </select>
        ) : (
          <Segmented label={texts.order} options={SORTS} names={texts.orders} chosen={chosen.sort} choose={(sort) => choose({ sort })} />
        )}
        <Search words={words} text={chosen.text} choose={(text) => choose({ text })} />
      </div>
      <div class="reading">
        <span>
          {matching.length > MAX_CELLS ? texts.firstOf(MAX_CELLS, matching.length) : texts.summary(matching.length)}, {texts.steps[chosen.range]}
        </span>
        <Reading words={words} texts={texts} />
      </div>
      {snapshot.failure && <Standing source={source} snapshot={snapshot} />}
      {shown.length === 0 && <p class="group">{words.texts.noneFound}</p>}
      <Cells nodes={shown} series={series} isLoading={snapshot.value === null} chosen={chosen} words={words} texts={texts} />
    </>
  );
}

interface SegmentedProps<T extends string> {
  label: string;
  options: readonly T[];
  names: Record<T, string>;
  chosen: T;
  choose: (one: T) => void;
}

function Segmented<T extends string>({ label, options, names, chosen, choose }: SegmentedProps<T>) {
  return (
    <div class="segmented" role="group" aria-label={label}>
      {options.map((one) => (
        <button key={one} type="button" aria-pressed={one === chosen} onClick={() => choose(one)}>
          {names[one]}
        </button>
      ))}
    </div>
  );
}

const TYPING_MS = 300;

function Search({ words, text, choose }: { words: Words; text: string; choose: (text: string) => void }) {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (typed: string) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => choose(typed), TYPING_MS);
  };
  return (
    <label class="search asked">
      <Icon name="find" />
      <span class="vh">{words.texts.findNode}</span>
      <input type="search" autocomplete="off" placeholder={words.texts.findNode} value={text} onInput={(event) => type(event.currentTarget.value)} />
    </label>
  );
}

/** The cursor's time, above the charts, where no finger covers it. */
function Reading({ words, texts }: Props) {
  const at = useStore(cursor);
  const format = useMemo(() => {
    const options = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
    const locale = localeOf(words);
    try {
      return new Intl.DateTimeFormat(locale, { ...options, timeZone: words.timeZone });
    } catch {
      return new Intl.DateTimeFormat(locale, options);
    }
  }, [words]);
  return at === null ? <span>{texts.noCursor}</span> : <b>{texts.cursor(format.format(at))}</b>;
}

const localeOf = (words: Words): string => (words.language === "de" ? "de-DE" : "en-GB");

interface CellsProps extends Props {
  nodes: Node[];
  series: AllSeries;
  isLoading: boolean;
  chosen: Compared;
}

function Cells({ nodes, series, isLoading, chosen, words, texts }: CellsProps) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const isPhone = useMedia(PHONE);
  const to = Math.ceil(useNow() / MINUTE_MS) * MINUTE_MS;
  const from = to - RANGES[chosen.range].ms;
  const columns = Math.max(1, Math.floor((width + GAP) / (MIN_CELL + GAP)));
  const cell = Math.floor((width - GAP * (columns - 1)) / columns);
  const scale = useMemo(() => commonScale(nodes, series, chosen.field), [nodes.map((one) => one.node).join("\n"), series, chosen.field]);
  const marks = useMemo(
    () => timeTicks({ from, to }, Math.max(2, Math.floor(cell / 64)), localeOf(words), words.timeZone),
    [from, to, words, cell],
  );
  useEffect(() => () => cursor.set(null), [chosen.range]);
  const move = (event: PointerEvent) => {
    const plot = (event.target as Element).closest("[data-plot]")?.getBoundingClientRect();
    if (!plot) return;
    const share = (event.clientX - plot.left - LEFT) / (plot.width - LEFT - RIGHT);
    cursor.set(from + Math.min(1, Math.max(0, share)) * (to - from));
  };
  const step = (event: KeyboardEvent) => {
    const moves: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1 };
    const direction = moves[event.key];
    if (event.key === "Escape" && cursor.get() !== null) {
      cursor.set(null);
      event.stopPropagation();
    } else if (direction) {
      const next = (cursor.get() ?? to) + direction * RANGES[chosen.range].stepMs;
      cursor.set(Math.min(to, Math.max(from, next)));
      event.preventDefault();
    }
  };
  return (
    <div class="cells" ref={box} style={{ "--columns": columns }} role="group" aria-label={texts.charts} tabIndex={0} onKeyDown={step} onPointerMove={move} onPointerDown={move} onPointerLeave={() => cursor.set(null)}>
      {cell > 0 &&
        nodes.map((node) => (
          <Cell key={node.node} node={node} series={series[node.node] ?? (isLoading ? undefined : NO_DATA)} field={chosen.field} from={from} to={to} scale={scale} marks={marks} width={cell - 18} height={isPhone ? 96 : 100} words={words} rangeName={texts.ranges[chosen.range]} texts={texts} />
        ))}
      {cell > 0 && nodes.length > 0 && <Legend texts={texts} field={chosen.field} />}
    </div>
  );
}

const NO_DATA: Series = { from: 0, stepMs: 1, mean: [], min: [], max: [] };

/** One sensor that shows a billion volts must not make flat lines of all others. */
const MOST_VOLTS = 100;

/** One scale for all, so that heights can be compared; the disconnects are on it. */
function commonScale(nodes: Node[], all: AllSeries, field: Field): Scale {
  if (field === "state_of_charge_percent") return niceScale(0, 100, 100, 4);
  const of = (find: typeof lowest) => nodes.map((node) => find(all[node.node])).filter((value) => value !== null);
  const disconnects = field === "battery_volts" ? nodes.map(disconnectOf).filter((value) => value !== null) : [];
  const values = [...of(lowest), ...of(highest), ...disconnects].filter((value) => UNITS[field].unit !== "V" || (value >= 0 && value <= MOST_VOLTS));
  if (values.length === 0) return niceScale(0, UNITS[field].span, UNITS[field].span, 5);
  return niceScale(Math.min(...values), Math.max(...values), UNITS[field].span, 5);
}

const disconnectOf = (node: Node): number | null => node.configuration?.low_voltage_disconnect_volts || null;

interface CellProps extends Props {
  node: Node;
  series: Series | undefined;
  field: Field;
  from: number;
  to: number;
  scale: Scale;
  marks: Tick[];
  width: number;
  height: number;
  rangeName: string;
}

const Cell = memo((props: CellProps) => {
  const { node, series, field, words, texts, scale } = props;
  const { unit, decimals } = UNITS[field];
  const write = useMemo(() => (value: number) => words.format.number(value, decimals), [words, decimals]);
  const writeTick = useMemo(
    () => (value: number, isTop: boolean) =>
      isTop ? words.format.withUnit(value, decimalsOf(scale.step), unit) : words.format.number(value, decimalsOf(scale.step)),
    [words, scale.step, unit],
  );
  const withUnit = (value: number | null) => (value === null ? null : words.format.withUnit(value, decimals, unit));
  const low = withUnit(lowest(series));
  const place = positionOf(node);
  return (
    <article class={`cell s-${node.state}`}>
      <header>
        <Glyph state={node.state} label={words.texts.states[node.state]} />
        <h2 translate={false}>
          <a href={writeRoute({ page: "node", node: node.node })}>
            <bdi>{node.node}</bdi>
          </a>
        </h2>
        {isStale(node.state) && node.newest ? (
          <Age at={Date.parse(node.newest.measured_at)} words={words} isOld />
        ) : (
          low !== null && !isPanel(field) && <span class="low num">{texts.low(low)}</span>
        )}
        <Newest node={node} field={field} words={words} texts={texts} />
      </header>
      <Small
        series={series}
        from={props.from}
        to={props.to}
        scale={scale}
        marks={props.marks}
        disconnect={field === "battery_volts" ? disconnectOf(node) : null}
        latitude={place?.latitude ?? null}
        longitude={place?.longitude ?? null}
        width={props.width}
        height={props.height}
        label={`${node.node}. ${texts.describe(texts.fields[field], props.rangeName, low, withUnit(highest(series)))}`}
        noData={texts.noData}
        write={write}
        writeTick={writeTick}
      />
    </article>
  );
});

function Newest({ node, field, words, texts }: Props & { node: Node; field: Field }) {
  const { unit, decimals } = UNITS[field];
  const isHidden = field === "battery_volts" ? areVoltsHidden(node) : (node.newest?.untrusted.includes(field) ?? false);
  const value = isHidden ? null : (node.newest?.[field] ?? null);
  if (value === null) {
    return (
      <span class="unknown">
        – <span class="low">{isHidden ? words.texts.hidden : words.texts.notKnown}</span>
      </span>
    );
  }
  if (field === "panel_mpp_volts" && value === 0) return <span class="unknown">{texts.dark}</span>;
  return (
    <span class={isStale(node.state) ? "was" : "newest"}>
      <Value text={words.format.number(value, decimals)} unit={unit} />
    </span>
  );
}

function Legend({ texts, field }: { texts: CompareTexts; field: Field }) {
  const line = (stroke: string, dash?: string) => <line x1="0" x2="22" y1="6" y2="6" stroke={stroke} stroke-width="2" stroke-dasharray={dash} />;
  const area = (fill: string) => <rect width="22" height="12" rx="2" fill={fill} />;
  const entries = [
    { name: isPanel(field) ? texts.legend.greatest : texts.legend.line, mark: line("var(--c-battery)") },
    ...(isPanel(field) ? [] : [{ name: texts.legend.band, mark: area("var(--c-band)") }]),
    ...(field === "battery_volts" ? [{ name: texts.legend.disconnect, mark: line("var(--c-disconnect)", "3 2.5") }] : []),
    { name: texts.legend.night, mark: area("var(--c-night)") },
    { name: texts.legend.gap, mark: area("url(#hatch)") },
  ];
  return (
    <ul class="cell legend">
      {entries.map(({ name, mark }) => (
        <li key={name}>
          <svg width="22" height="12" aria-hidden="true">
            {mark}
          </svg>
          {name}
        </li>
      ))}
    </ul>
  );
}
