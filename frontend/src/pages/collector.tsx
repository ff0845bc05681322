import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import { rejected } from "../api/rejected";
import { collectorStatus } from "../api/resources";
import type { CollectorStatus, Node, RejectedPiece, State } from "../api/types";
import { Bars } from "../charts/bars";
import { Age, FrozenAt } from "../components/age";
import { Checklist } from "../components/checklist";
import { AppBar } from "../components/layout";
import { Glyph } from "../components/marks";
import { Standing, Trouble, frozenSince } from "../components/notices";
import { Raw } from "../components/raw";
import { Said } from "../components/said";
import { COLLECTOR_TEXTS, type CollectorTexts, type Reason, type SourceName } from "../i18n/collector";
import { useWords, type Words } from "../i18n/use";
import { writeRoute } from "../state/route";
import { useNodes, useNow, useSource } from "../state/use";
import "../style/collector.css";

/** How the collector itself fares: where data come from, what it could not store, whom it does not believe, its room. */
export default function Collector() {
  const words = useWords();
  const texts = COLLECTOR_TEXTS[words.language];
  const source = collectorStatus();
  const snapshot = useSource(source);
  const nodes = useNodes().value;
  const frozenAt = frozenSince(snapshot, useNow());
  const status = snapshot.value;
  const props = { words, texts };
  return (
    <FrozenAt.Provider value={frozenAt}>
      <div class={frozenAt === null ? "collector" : "collector frozen"}>
        <AppBar title={words.texts.pageNames.collector} />
        <Standing source={source} snapshot={snapshot} />
        {status && (
          <div class="panels">
            {nodes?.length === 0 && <Checklist nodes={nodes} />}
            <Sources status={status} {...props} />
            <Rejected status={status} {...props} />
            <Clocks status={status} nodes={nodes} {...props} />
            <Storage status={status} {...props} />
            <Days status={status} {...props} />
            <About status={status} {...props} />
          </div>
        )}
      </div>
    </FrozenAt.Provider>
  );
}

interface Props {
  words: Words;
  texts: CollectorTexts;
}
type StatusProps = Props & { status: CollectorStatus };

const epoch = (instant: string): number => Date.parse(instant);

interface LineProps {
  state: State;
  word: string;
  title: ComponentChildren;
  children?: ComponentChildren;
  end?: ComponentChildren;
}

/** A state, what it is of, and a value at the right. */
const Line = ({ state, word, title, children, end }: LineProps) => (
  <li class={`fact s-${state}`}>
    <Glyph state={state} label={word} />
    <div>
      <p class="t">{title}</p>
      {children && <p class="a">{children}</p>}
    </div>
    <div class="end">{end}</div>
  </li>
);

const Head = ({ title, note }: { title: string; note?: ComponentChildren }) => (
  <header>
    <h2>{title}</h2>
    {note && <span>{note}</span>}
  </header>
);

function Sources({ status, words, texts }: StatusProps) {
  const { configured, polling, mqtt, newest } = status;
  const { states } = words.texts;
  const isAny = configured.addresses > 0 || configured.broker !== null || configured.has_push || Object.keys(newest).length > 0;
  const age = (name: SourceName) => (newest[name] ? <Age at={epoch(newest[name])} words={words} /> : <span class="age">{texts.nothingNew}</span>);
  const isSet = { poll: configured.addresses > 0, mqtt: configured.broker !== null || Object.keys(mqtt).length > 0, push: configured.has_push };
  const allAnswer = polling.answering === configured.addresses;
  const others = (Object.keys(newest) as SourceName[]).filter((name) => !isSet[name as keyof typeof isSet]);
  return (
    <section class="panel">
      <Head title={texts.sources} note={isAny && texts.lastNew} />
      {!isAny && <p>{texts.noSource}</p>}
      <ul class="lines">
        {configured.addresses > 0 && (
          <Line state={allAnswer ? "fine" : "warn"} word={allAnswer ? states.fine : states.warn} title={texts.polled(configured.addresses)} end={age("poll")}>
            {texts.answering(polling.answering, configured.addresses)}
            {polling.overdue > 0 && `, ${texts.overdue(polling.overdue)}`}
          </Line>
        )}
        {polling.troubles.slice(0, MAX_TROUBLES).map((one) => (
          <Line key={one.address} state="silent" word={states.silent} title={<bdi translate={false}>{one.address}</bdi>}>
            <NoAnswer at={one.answered_at} words={words} texts={texts} /> <Said text={one.error} />
          </Line>
        ))}
        {polling.failing > MAX_TROUBLES && <li class="fact">{texts.moreTroubles(polling.failing - MAX_TROUBLES)}</li>}
        {configured.broker !== null && Object.keys(mqtt).length === 0 && (
          <Line state="late" word={states.late} title={<bdi>{texts.broker(configured.broker)}</bdi>} end={age("mqtt")}>
            {texts.noMessage}
          </Line>
        )}
        {Object.entries(mqtt).map(([replica, one]) => (
          <Line
            key={replica}
            state={one.is_well ? "fine" : "warn"}
            word={one.is_well ? states.fine : states.warn}
            title={
              <>
                <bdi>{texts.broker(one.broker)}</bdi>
                {replica !== "1" && `, ${texts.replica(replica)}`}
              </>
            }
            end={age("mqtt")}
          >
            <LastMessage at={one.last_message_at} words={words} texts={texts} />
            {one.has_standby && `, ${texts.standby}`}
            {!one.is_well && (
              <>
                . <Said text={one.sentence} />
              </>
            )}
            {one.session_lost_at !== null && <SessionLost at={one.session_lost_at} words={words} texts={texts} />}
          </Line>
        ))}
        {configured.has_push && <Line state="fine" word={states.fine} title={texts.push} end={age("push")} />}
        {others.map((name) => (
          <Line key={name} state="fine" word={states.fine} title={texts.names[name] ?? name} end={age(name)} />
        ))}
      </ul>
    </section>
  );
}

const MAX_TROUBLES = 10;

function NoAnswer({ at, words, texts }: Props & { at: string | null }) {
  const now = useNow();
  return <>{texts.noAnswer(at === null ? null : words.format.ago(epoch(at), now))}.</>;
}

function LastMessage({ at, words, texts }: Props & { at: string | null }) {
  const now = useNow();
  return <>{at === null ? texts.noMessage : texts.lastMessage(words.format.ago(epoch(at), now))}</>;
}

const WEEK = 7 * 86_400_000;

/** It does not come back, so it is told for as long as somebody may wonder about a gap. */
function SessionLost({ at, words, texts }: Props & { at: string }) {
  const now = useNow();
  return now - epoch(at) < WEEK ? <>. {texts.sessionLost(words.format.ago(epoch(at), now))}</> : null;
}

function Rejected({ status, words, texts }: StatusProps) {
  const source = rejected();
  const snapshot = useSource(source);
  const { kept, dropped, times } = status.rejected;
  const pieces = snapshot.value ?? [];
  // What the counts know and the newest pieces do not hold comes last, as it is older.
  const reasons = [...new Set([...pieces.map((one) => one.reason), ...Object.keys(times)])] as Reason[];
  return (
    <section class="panel">
      <Head title={texts.rejected} note={kept > 0 && texts.kept(kept)} />
      {snapshot.failure && snapshot.value === null && <Trouble failure={snapshot.failure} at={null} retry={() => void source.refresh()} />}
      {kept === 0 && <p>{texts.noneRejected}</p>}
      <ul class="lines">
        {kept > 0 && reasons.map((reason) => (
          <ReasonLine key={reason} reason={reason} latest={pieces.filter((one) => one.reason === reason)} isLoaded={snapshot.value !== null} times={times[reason]} words={words} texts={texts} />
        ))}
      </ul>
      {dropped > 0 && <p class="aside">{texts.dropped(dropped)}</p>}
    </section>
  );
}

interface ReasonProps extends Props {
  reason: Reason;
  latest: RejectedPiece[];
  /** Whether the latest of all reasons are known: then one without any is asked for by itself. */
  isLoaded: boolean;
  times: number | undefined;
}

/** A reason with the newest piece that was rejected for it; the others on demand. */
function ReasonLine({ reason, latest, isLoaded, times, words, texts }: ReasonProps) {
  const [isOpen, setOpen] = useState(false);
  const counted = times ?? latest.reduce((sum, one) => sum + one.times, 0);
  return (
    <li class="reason">
      <p class="t">
        <span>{texts.reasons[reason] ?? reason}</span>
        <span class="num">{texts.times(counted)}</span>
      </p>
      {isOpen || (isLoaded && latest.length === 0) ? <Pieces reason={reason} known={latest} words={words} texts={texts} /> : latest.slice(0, 1).map((one) => <Piece key={one.raw} piece={one} words={words} texts={texts} />)}
      {latest.length > 1 && (
        <button type="button" class="btn" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {isOpen ? texts.fewer : texts.more(latest.length - 1)}
        </button>
      )}
    </li>
  );
}

/** All pieces of a reason that one page holds. */
function Pieces({ reason, known, words, texts }: Props & { reason: Reason; known: RejectedPiece[] }) {
  const pieces = useSource(rejected(reason)).value ?? known;
  return (
    <>
      {pieces.map((one, index) => (
        <Piece key={index} piece={one} words={words} texts={texts} />
      ))}
    </>
  );
}

function Piece({ piece, words, texts }: Props & { piece: RejectedPiece }) {
  return (
    <div class="piece">
      <p class="a">
        <bdi translate={false}>{piece.node ?? texts.from(piece.address)}</bdi>, <Age at={epoch(piece.last_at)} words={words} />
      </p>
      <Raw piece={piece} texts={texts} />
    </div>
  );
}

function Clocks({ status, nodes, words, texts }: StatusProps & { nodes: Node[] | null }) {
  const now = useNow();
  const { states } = words.texts;
  const wrong = (nodes ?? []).filter((one) => one.clock && one.clock.state !== "good");
  return (
    <section class="panel">
      <Head title={texts.clocks} note={nodes && wrong.length > 0 && texts.clocksWrong(wrong.length, nodes.length)} />
      {nodes && wrong.length === 0 && <p>{texts.clocksFine}</p>}
      <ul class="lines">
        {wrong.map((node) => (
          <Line
            key={node.node}
            state="warn"
            word={states.warn}
            title={
              <a href={writeRoute({ page: "node", node: node.node })}>
                <bdi translate={false}>{node.node}</bdi>
              </a>
            }
            end={<Offset node={node} words={words} texts={texts} />}
          >
            {texts.clockStates[node.clock?.state as keyof CollectorTexts["clockStates"]] ?? node.clock?.state}
            {node.clock?.since && `, ${texts.sinceWhen(words.format.at(epoch(node.clock.since), now))}`}
          </Line>
        ))}
        <Line state={status.is_clock_trusted ? "fine" : "warn"} word={status.is_clock_trusted ? states.fine : states.warn} title={texts.ourClock}>
          {status.is_clock_trusted ? texts.ourClockFine : texts.ourClockUnknown}
        </Line>
      </ul>
    </section>
  );
}

/** What a clock shows less the right time: what has to be added to it, turned around. */
function Offset({ node, words, texts }: Props & { node: Node }) {
  const { state, offset_seconds: offset } = node.clock ?? { state: "", offset_seconds: null };
  if (state === "unset") return <b>{texts.noDate}</b>;
  if (offset === null || offset === 0) return null;
  return (
    <b class="num">
      {offset > 0 ? "−" : "+"}
      {words.format.span(Math.abs(offset) * 1000)}
    </b>
  );
}

function Storage({ status, words, texts }: StatusProps) {
  const { storage, waiting } = status;
  const { format } = words;
  const bytes = (count: number) => sayBytes(count, words);
  const perDay = (count: number | null) => (count === null ? null : texts.aDay(bytes(count)));
  const rows: [string, string | null][] = [
    [texts.free, storage.disk_free_bytes === null ? null : bytes(storage.disk_free_bytes)],
    [texts.measurements, format.number(storage.measurements)],
    [texts.growth, perDay(storage.growth_bytes_per_day)],
    [texts.full, sayDays(storage.days_until_full, words, texts)],
    [texts.written, perDay(storage.written_bytes_per_day)],
    [texts.waiting, waiting.undecided_bytes > 0 ? bytes(waiting.undecided_bytes) : null],
  ];
  return (
    <section class="panel">
      <Head title={texts.storage} note={`${texts.used} ${bytes(storage.database_bytes)}`} />
      {storage.disk_bytes !== null && storage.disk_free_bytes !== null && (
        <svg class="meter" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
          <rect width="100" height="1" fill="var(--line)" />
          <rect width={100 * (1 - storage.disk_free_bytes / storage.disk_bytes)} height="1" fill="var(--edge)" />
          <rect width={Math.max(0.5, (100 * storage.database_bytes) / storage.disk_bytes)} height="1" fill="var(--accent)" />
        </svg>
      )}
      <Values rows={rows} />
      {waiting.backlog_samples > 0 && <p class="aside">{texts.waitingSamples(waiting.backlog_samples)}</p>}
    </section>
  );
}

const Values = ({ rows }: { rows: [string, ComponentChildren][] }) => (
  <dl class="amounts">
    {rows
      .filter(([, value]) => value !== null)
      .map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
  </dl>
);

/** Nobody plans for longer. */
const MANY_DAYS = 3650;

function sayDays(days: number | null, { format }: Words, texts: CollectorTexts): string | null {
  if (days === null) return null;
  return days > MANY_DAYS ? texts.manyYears : format.span(days * 86_400_000);
}

const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB"];

function sayBytes(count: number, { format }: Words): string {
  const power = Math.min(BYTE_UNITS.length - 1, count < 1000 ? 0 : Math.floor(Math.log10(count) / 3));
  const value = count / 1000 ** power;
  return format.withUnit(value, power > 0 && value < 10 ? 1 : 0, BYTE_UNITS[power] as string);
}

function Days({ status, words, texts }: StatusProps) {
  const box = useRef<HTMLDivElement>(null);
  const { format } = words;
  const days = status.rows_per_day.map(({ day, rows }) => {
    const name = new Intl.DateTimeFormat(words.language === "de" ? "de-DE" : "en-GB", { day: "numeric", month: "short", timeZone: "UTC" }).format(epoch(day));
    return { name, value: rows, label: texts.rowsOf(name, format.number(rows)) };
  });
  return (
    <section class="panel">
      <Head title={texts.days} note={texts.daysMeans} />
      <div ref={box}>
        <Bars box={box} bars={days} label={texts.days} write={(value) => format.number(value)} />
      </div>
    </section>
  );
}

function About({ status, words, texts }: StatusProps) {
  const { program } = status;
  return (
    <section class="panel">
      <Head title={texts.version} />
      <Values
        rows={[
          [texts.program, program.version],
          [texts.revision, program.revision?.slice(0, 12) ?? null],
          [texts.database, `${program.database === "sqlite" ? "SQLite" : "PostgreSQL"}, ${program.database_schema ?? words.texts.notKnown}`],
          ["Python", program.python],
          [texts.timeZone, status.time_zone],
        ]}
      />
      <p class="links">
        <a href="v1/docs">{texts.links.docs}</a> <a href="metrics">{texts.links.metrics}</a> <a href="licences.txt">{texts.links.licences}</a>
      </p>
    </section>
  );
}
