import { whenIdle } from "./idle";
import { learnSite } from "./site";
import { type Ask, POLL_MS, Source, source } from "./source";
import type { CollectorStatus, Comparison, Node, NodesPage } from "./types";

/** The list holds that many nodes; of a further one only the collector can tell. */
export const MAX_LISTED = 1000;

/** The nodes, worst first, and how many there are. */
export type Fleet = Omit<NodesPage, "next">;

/** More than a window holds. index.html asks for them, too, so that they come with the program. */
const FIRST_NODES = "nodes?limit=12";

/** The nodes; at first the worst of them, soon all; of more than MAX_LISTED, the worst. */
export const fleet = (): Source<Fleet> =>
  source("fleet", () => {
    const made = new Source("fleet", makeLoadFleet());
    const kept = made.get().value;
    if (kept) learnSite(kept);
    return made;
  });

function makeLoadFleet() {
  let isBegun = false;
  return async (ask: Ask, show: (part: Fleet) => void): Promise<Fleet> => {
    if (!isBegun) {
      isBegun = true;
      const isKnown = fleet().get().value !== null;
      const first = await ask(FIRST_NODES, readFleet);
      if (!isPart(first)) return first;
      // Who sees all of yesterday's does not want to see fewer of today's.
      if (!isKnown) {
        show(first);
        await new Promise<void>(whenIdle);
      }
    }
    return ask("nodes", readFleet);
  };
}

const readFleet = ({ next: _, ...all }: NodesPage): Fleet => learnSite(all);

/** How many nodes there are, active or not. */
export const countNodes = ({ states, inactive }: Fleet): number =>
  Object.values(states).reduce((sum, count) => sum + count, inactive);

/** Tells whether there are more nodes than the list has room for. */
export const isCut = (all: Fleet): boolean => all.nodes.length >= MAX_LISTED && countNodes(all) > MAX_LISTED;

/** Tells whether the worst nodes are here, and the others still on their way. */
export const isPart = (all: Fleet): boolean => all.nodes.length < Math.min(MAX_LISTED, countNodes(all));

/** The nodes whose name begins so, as large and small as it is written, of all that there are. */
export const nodesNamed = (beginning: string): Source<Node[]> =>
  source(`named ${beginning}`, () => {
    const path = `nodes?prefix=${encodeURIComponent(beginning)}&limit=${MAX_NODES}`;
    return new Source(`named ${beginning}`, (ask) => ask(path, (page: NodesPage) => page.nodes), POLL_MS, false);
  });

export const collectorStatus = (): Source<CollectorStatus> =>
  source("status", () => new Source("status", (ask) => ask("status", learnSite<CollectorStatus>)));

/** Battery volts of one node, one value a step from `from` (epoch ms); null: no data. */
export interface History {
  from: number;
  stepMs: number;
  volts: (number | null)[];
}

/** By node. */
export type Histories = Record<string, History>;

const SPARK_POLL_MS = 5 * 60_000;
const MAX_NODES = 100;
/** Request lines of 8 kB are refused by many proxies. */
const MAX_PATH = 4000;

export const SPARK_HOURS = 48;
const SPARK_STEP = { step: "30m", ms: 1_800_000 };
/** A lost node's line would have left two days already. */
export const LOST_SPARK_HOURS = 120;
const LOST_STEP = { step: "1h", ms: 3_600_000 };

/** Histories for the sparklines of all active nodes: 48 h, of lost ones five days. Ask once the nodes are known. */
export const sparks = (): Source<Histories> =>
  source("sparks", () => new Source("sparks", loadSparks, SPARK_POLL_MS));

async function loadSparks(ask: Ask, show: (part: Histories) => void): Promise<Histories> {
  const before = sparks().get().value ?? {};
  const active = (fleet().get().value?.nodes ?? []).filter((one) => one.is_active && one.newest !== null);
  const named = (isLost: boolean) => active.filter((one) => (one.state === "lost") === isLost).map((one) => one.node);
  const paths = [
    ...splitNodes(named(false)).map((query) => ({ query, hours: SPARK_HOURS, ...SPARK_STEP })),
    ...splitNodes(named(true)).map((query) => ({ query, hours: LOST_SPARK_HOURS, ...LOST_STEP })),
  ];
  const all: Histories = {};
  for (const { query, hours, step, ms } of paths) {
    const path = `measurements?field=battery_volts&from=now-${hours}h&step=${step}&${query}`;
    Object.assign(all, await ask(path, (body: Comparison) => readHistories(body, ms)));
    show({ ...before, ...all });
  }
  return all;
}

export function readHistories(body: Comparison, stepMs: number): Histories {
  const from = Date.parse(body.starts_at[0] ?? body.from);
  // Two decimals are what is drawn, and what a phone has to keep.
  const round = (volts: number | null) => (volts === null ? null : Math.round(volts * 100) / 100);
  return Object.fromEntries(body.nodes.map((one) => [one.node, { from, stepMs, volts: one.mean.map(round) }]));
}

/** Gives the parameters that name these nodes, in as many requests as it takes. */
export function splitNodes(names: string[]): string[] {
  const queries: string[][] = [];
  let length = 0;
  for (const name of names) {
    // An id that holds a comma has a parameter of its own; the others could share one, which saves little.
    const parameter = `node=${encodeURIComponent(name)}`;
    const last = queries.at(-1);
    if (!last || last.length >= MAX_NODES || length + parameter.length > MAX_PATH) {
      queries.push([parameter]);
      length = parameter.length;
    } else {
      last.push(parameter);
      length += parameter.length + 1;
    }
  }
  return queries.map((query) => query.join("&"));
}
