import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { isDrawn, whenIdle } from "../api/idle";
import { MAX_LISTED, countNodes, fleet, isCut, isPart, nodesNamed, sparks, type Fleet as AllNodes, type Histories } from "../api/resources";
import type { Snapshot } from "../api/source";
import { Store } from "../api/store";
import type { Node } from "../api/types";
import { FrozenAt } from "../components/age";
import { NodeItem } from "../components/card";
import { AppBar } from "../components/layout";
import { lazily } from "../components/lazy";
import { Glyph, Icon } from "../components/marks";
import { Loading, Notice, Standing, frozenSince } from "../components/notices";
import { sayTime, useWords, type Words } from "../i18n/use";
import { findCalls } from "../state/find";
import { GROUPS, countNeeding, filterNodes, needsYou, newestMeasuredAt, sortNodes, tally, type Group } from "../state/fleet";
import { view, type View } from "../state/view";
import { useNow, useSource, useStore } from "../state/use";

const Checklist = lazily(() => import("../components/checklist").then((part) => part.Checklist), () => null);
const Skyline = lazily(() => import("../charts/fleet").then((part) => part.Skyline), NoSkyline);

/** The fleet: who needs me, why, how much is left. Beside a node its head is left out. */
export default function Fleet({ chosen, isBeside }: { chosen: string | null; isBeside: boolean }) {
  const words = useWords();
  const source = fleet();
  const snapshot = useSource(source);
  const now = useNow();
  const frozenAt = frozenSince(snapshot, now);
  const all = snapshot.value;
  const isAll = all !== null && !isPart(all);
  return (
    <FrozenAt.Provider value={frozenAt}>
      <div class={frozenAt === null ? "fleet" : "fleet frozen"}>
        {!isBeside && (
          <AppBar title={words.texts.pageNames.fleet}>{isAll && <Fresh nodes={all.nodes} words={words} frozenAt={frozenAt} />}</AppBar>
        )}
        <Standing source={source} snapshot={snapshot} partial={all && !isAll ? words.texts.onlyWorstCame(all.nodes.length, countNodes(all)) : undefined} />
        {all && all.nodes.length === 0 && (
          <Notice title={words.texts.empty}>
            <p>{words.texts.emptyMeans}</p>
          </Notice>
        )}
        {all && all.nodes.length === 0 && <Checklist nodes={all.nodes} />}
        {all && all.nodes.length > 0 && (
          <Filled all={all} hasFailed={snapshot.failure !== null} words={words} chosen={chosen} isBeside={isBeside} frozenAt={frozenAt} />
        )}
      </div>
    </FrozenAt.Provider>
  );
}

interface FilledProps {
  all: AllNodes;
  hasFailed: boolean;
  words: Words;
  chosen: string | null;
  isBeside: boolean;
  frozenAt: number | null;
}

function Filled({ all, hasFailed, words, chosen, isBeside, frozenAt }: FilledProps) {
  const { texts } = words;
  const wanted = useStore(view);
  const isComing = isPart(all);
  const mayAsk = useStore(isDrawn) && !isComing;
  const histories = useStore(mayAsk ? sparks() : NO_SPARKS).value ?? {};
  const hasLines = Object.keys(histories).length > 0;
  useEffect(() => {
    if (hasLines) whenIdle(loadNext);
  }, [hasLines]);
  const sorted = useMemo(() => sortNodes(all.nodes), [all]);
  const active = useMemo(() => sorted.filter((one) => one.is_active), [sorted]);
  // Those that are listed: of more than the list has room for they are the last.
  const inactive = sorted.length - active.length;
  const further = useFurther(all.nodes, isCut(all) ? wanted.text.trim() : "");
  const shown = filterNodes(further.length > 0 ? sortNodes([...all.nodes, ...further]) : sorted, wanted);
  return (
    <>
      <Strip all={all} nodes={active} isComing={isComing} words={words} wanted={wanted} frozenAt={frozenAt} isBeside={isBeside} />
      <Search words={words} text={wanted.text} />
      {isCut(all) && <p class="group">{texts.onlyWorst(MAX_LISTED)}</p>}
      <List nodes={shown} isComing={isComing} histories={histories} words={words} chosen={chosen} />
      {isComing && !hasFailed && <Loading />}
      {inactive > 0 && !isComing && (
        <button type="button" class="btn more" onClick={() => view.set({ ...wanted, withInactive: !wanted.withInactive })}>
          {wanted.withInactive ? texts.hideInactive : texts.showInactive(inactive)}
        </button>
      )}
      {!isComing && <Announcer nodes={active} words={words} />}
    </>
  );
}

const NO_SPARKS = new Store<Snapshot<Histories>>({ value: null, at: null, failure: null });
const NOBODY = new Store<Snapshot<Node[]>>({ value: [], at: null, failure: null });

/** The nodes that the list has no room for and whose name begins so. Asked for when the typing pauses. */
function useFurther(listed: readonly Node[], text: string): Node[] {
  const [asked, ask] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => ask(text), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const found = useStore<Snapshot<Node[]>>(asked === "" ? NOBODY : nodesNamed(asked)).value ?? [];
  if (found.length === 0) return found;
  const names = new Set(listed.map((one) => one.node));
  return found.filter((one) => !names.has(one.node));
}

const TYPING_MS = 300;

/** What a tap on a node will need. Without it now, it is asked for again then. */
function loadNext(): void {
  for (const one of [import("./node"), import("../charts/lanes")]) one.catch(() => {});
}

/** How old the newest reading of all is: the first sign of a collector that gathers nothing. */
function Fresh({ nodes, words, frozenAt }: { nodes: readonly Node[]; words: Words; frozenAt: number | null }) {
  const now = useNow();
  const { texts, format } = words;
  const newest = newestMeasuredAt(nodes);
  if (newest === null) return <span class="fresh none">{texts.noReading}</span>;
  return (
    <span class="fresh">
      <i aria-hidden="true" />
      {frozenAt === null ? texts.newest(format.ago(Math.min(newest, now), now)) : texts.asOf(format.at(frozenAt, now))}
    </span>
  );
}

interface StripProps {
  all: AllNodes;
  /** The active ones among them, worst first. */
  nodes: readonly Node[];
  isComing: boolean;
  words: Words;
  wanted: View;
  frozenAt: number | null;
  isBeside: boolean;
}

/** The headline, how far each node is from its disconnect, and how many there are of each state. */
function Strip({ all, nodes, isComing, words, wanted, frozenAt, isBeside }: StripProps) {
  const { texts } = words;
  const now = useNow();
  const mayDraw = useStore(isDrawn) && !isComing;
  const count = countNeeding(all.states);
  const total = countNodes(all) - all.inactive;
  return (
    <section class="strip">
      <header>
        <h2>
          {texts.headline(count, frozenAt !== null)}{" "}
          <span>{frozenAt !== null ? sayTime(words, frozenAt, now) : count === 0 ? texts.nodes(total) : texts.ofNodes(total)}</span>
        </h2>
        {isBeside && !isComing && <Fresh nodes={nodes} words={words} frozenAt={frozenAt} />}
      </header>
      {frozenAt === null && (mayDraw ? <Skyline nodes={nodes} words={words} /> : <NoSkyline />)}
      <Tally counts={tally(all.states)} words={words} chosen={wanted.group} />
    </section>
  );
}

/** As high as it will be, so that nothing jumps. */
function NoSkyline() {
  return <div class="skyline" />;
}

function Tally({ counts, words, chosen }: { counts: Record<Group, number>; words: Words; chosen: Group | null }) {
  const choose = (group: Group) => view.set({ ...view.get(), group: group === chosen ? null : group });
  return (
    <div class="tally" role="group" aria-label={words.texts.filter}>
      {GROUPS.map((group) => (
        <button key={group} type="button" class={`s-${group}`} aria-pressed={group === chosen} onClick={() => choose(group)}>
          <b>
            <Glyph state={group} />
            {counts[group]}
          </b>
          {words.texts.groups[group]}
        </button>
      ))}
    </div>
  );
}

function Search({ words, text }: { words: Words; text: string }) {
  const input = useRef<HTMLInputElement>(null);
  const calls = useStore(findCalls);
  const seen = useRef(view.get().seenFind);
  // At once, so that the next key goes into the field.
  useLayoutEffect(() => {
    if (calls === seen.current) return;
    seen.current = calls;
    view.set({ ...view.get(), seenFind: calls });
    input.current?.focus();
    input.current?.select();
  }, [calls]);
  const change = (value: string) => view.set({ ...view.get(), text: value });
  return (
    <label class={text === "" ? "search" : "search asked"}>
      <Icon name="find" />
      <span class="vh">{words.texts.findNode}</span>
      <input
        ref={input}
        type="search"
        value={text}
        placeholder={words.texts.findNode}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => change(event.currentTarget.value)}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
  );
}

interface ListProps {
  nodes: Node[];
  /** Others are still on their way: how many, nobody can count here. */
  isComing: boolean;
  histories: Histories;
  words: Words;
  chosen: string | null;
}

const MINUTE_MS = 60_000;

/** Cards of those that need you, then rows of the others. */
function List({ nodes, isComing, histories, words, chosen }: ListProps) {
  const { texts } = words;
  // Sparklines move once a minute, not with every tick of the ages.
  const now = Math.floor(useNow() / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
  const item = (node: Node) => (
    <li key={node.node}>
      <NodeItem node={node} words={words} history={histories[node.node]} now={now} isChosen={node.node === chosen} />
    </li>
  );
  const drawn = useDrawn(nodes);
  const isLater = (node: Node) => !needsYou(node.state) && node.state !== "fine";
  const urgent = nodes.slice(0, drawn).filter((one) => needsYou(one.state));
  const later = nodes.slice(0, drawn).filter(isLater);
  const fine = nodes.slice(0, drawn).filter((one) => one.state === "fine");
  const count = (belongs: (node: Node) => boolean) => (isComing ? "" : nodes.filter(belongs).length);
  if (nodes.length === 0) return isComing ? null : <p class="group">{texts.noneFound}</p>;
  return (
    <div class="list">
      {urgent.length > 0 && <ul>{urgent.map(item)}</ul>}
      {later.length > 0 && (
        <>
          <h2 class="group">
            {texts.notUrgent} <span>{count(isLater)}</span>
          </h2>
          <ul class="rows">{later.map(item)}</ul>
        </>
      )}
      {fine.length > 0 && (
        <>
          <h2 class="group">
            {texts.states.fine} <span>{count((one) => one.state === "fine")}</span>
          </h2>
          <ul class="rows">{fine.map(item)}</ul>
        </>
      )}
    </div>
  );
}

/** So high are a card, a row, and what stands above them, at least. */
const CARD = 118;
const ROW = 62;
const HEAD = 300;
/** What a window holds is drawn at first. The others follow a few at a time, whenever nobody taps. */
const MORE = 20;
let mostDrawn = 0; // who comes back from a node finds the list as it was

function windowful(nodes: readonly Node[]): number {
  let room = innerHeight - HEAD;
  const end = nodes.findIndex((one) => (room -= needsYou(one.state) ? CARD : ROW) < 0);
  return end === -1 ? nodes.length : end + 1;
}

function useDrawn(nodes: readonly Node[]): number {
  const [drawn, setDrawn] = useState(() => Math.max(mostDrawn, windowful(nodes)));
  const total = nodes.length;
  useEffect(() => {
    if (drawn >= total) return;
    let isWanted = true;
    whenIdle(() => {
      if (!isWanted) return;
      mostDrawn = drawn + MORE;
      setDrawn(mostDrawn);
    });
    return () => {
      isWanted = false;
    };
  }, [drawn, total]);
  return drawn;
}

/** Says once, politely, that one more needs somebody. */
function Announcer({ nodes, words }: { nodes: readonly Node[]; words: Words }) {
  const [said, say] = useState("");
  const before = useRef<Set<string> | null>(null);
  const needing = nodes.filter((one) => needsYou(one.state)).map((one) => one.node);
  const key = needing.join("\n");
  useEffect(() => {
    const known = before.current;
    before.current = new Set(needing);
    const added = known ? needing.filter((name) => !known.has(name)) : [];
    if (added.length > 0) say(`${words.texts.states.crit}: ${added.join(", ")}`);
  }, [key]);
  return (
    <p class="vh" role="status" translate={false}>
      {said}
    </p>
  );
}
