import { STATES, type Finding, type FindingKey, type Node, type State } from "../api/types";

/** Less than this above the disconnect, in volts, is tight: the same limit as of the finding `near_disconnect`. */
export const TIGHT_VOLTS = 0.2;

/** Battery volts that can be believed; null: there are none. */
export function batteryVolts(node: Node): number | null {
  const newest = node.newest;
  if (!newest || newest.battery_volts === null || newest.untrusted.includes("battery_volts")) return null;
  if (node.findings.some((one) => one.key === "battery_unknown")) return null;
  return newest.battery_volts;
}

/** Tells whether battery volts were sent that cannot be believed. */
export const areVoltsHidden = (node: Node): boolean => batteryVolts(node) === null && (node.newest?.battery_volts ?? null) !== null;

/** Volts above the node's own disconnect; null: one of the two is not known. */
export function marginVolts(node: Node): number | null {
  const volts = batteryVolts(node);
  const disconnect = node.configuration?.low_voltage_disconnect_volts ?? null;
  return volts === null || disconnect === null || disconnect <= 0 ? null : volts - disconnect;
}

/** Tells whether the values shown are of the past: they are shown in grey, and their age comes forward. */
export const isStale = (state: State): boolean => state === "late" || state === "silent" || state === "lost";

/** Tells whether a person must act. */
export const needsYou = (state: State): boolean => state === "crit" || state === "lost";

export const GROUPS = ["crit", "warn", "late", "silent", "fine"] as const;
/** What the strip counts and filters by: a lost node needs you, as a critical one does. */
export type Group = (typeof GROUPS)[number];
export const groupOf = (state: State): Group => (state === "lost" ? "crit" : state);

export function tally(states: Record<State, number>): Record<Group, number> {
  const counts = { crit: 0, warn: 0, late: 0, silent: 0, fine: 0 };
  for (const state of STATES) counts[groupOf(state)] += states[state];
  return counts;
}

/** How many nodes a person must act for. */
export const countNeeding = (states: Record<State, number>): number =>
  STATES.filter(needsYou).reduce((sum, state) => sum + states[state], 0);

/** Worst first; inside a state the smallest margin first, then by name; an unknown margin is last. */
export function sortNodes(nodes: readonly Node[]): Node[] {
  const keyed = nodes.map((node) => ({ node, rank: STATES.indexOf(node.state), margin: marginVolts(node) ?? Infinity, name: nameKey(node.node) }));
  keyed.sort((a, b) => a.rank - b.rank || compare(a.margin, b.margin) || compare(a.name, b.name) || compare(a.node.node, b.node.node));
  return keyed.map(({ node }) => node);
}

const compare = <T extends number | string>(a: T, b: T): number => (a === b ? 0 : a < b ? -1 : 1);

/** More digits than any number in a name has. */
const DIGITS = 15;
/** By this names are in order: without case and accents, numbers as numbers. Intl's order takes a slow phone as long as a few nodes. */
const nameKey = (name: string): string => fold(name).replace(/\d+/g, (digits) => digits.padStart(DIGITS, "0"));
export const compareNames = (a: string, b: string): number => compare(nameKey(a), nameKey(b)) || compare(a, b);

export interface Wanted {
  text: string;
  group: Group | null;
  withInactive: boolean;
}

/** Gives the nodes that are asked for. A search finds inactive ones too: whoever names one wants it. */
export function filterNodes(nodes: readonly Node[], wanted: Wanted): Node[] {
  const text = fold(wanted.text.trim());
  return nodes.filter(
    (node) =>
      (wanted.withInactive || text !== "" || node.is_active) &&
      (wanted.group === null || groupOf(node.state) === wanted.group) &&
      (text === "" || fold(node.node).includes(text)),
  );
}

/** Without case and accents, so that "suderstrasse" finds Süderstraße. */
export const fold = (text: string): string =>
  text.toLowerCase().replaceAll("ß", "ss").normalize("NFD").replace(/\p{Mn}/gu, "");

/** What a fine node is doing, the most telling first. */
const DOINGS: FindingKey[] = ["full", "charging", "discharging", "charging_unknown"];

/** The one finding that a list shows: the worst; of a node that is fine, what it is doing. */
export function leadingFinding(node: Node): Finding | null {
  const worst = node.findings[0] ?? null;
  if (node.state !== "fine") return worst;
  for (const key of DOINGS) {
    const doing = node.findings.find((one) => one.key === key);
    if (doing) return doing;
  }
  return worst;
}

/** What is good to hear. Of the rest, what asks nothing of anybody is a note: not known, or not to be done now. */
const GOOD: FindingKey[] = ["full", "charging", "discharging"];

/** The mark of a finding: its severity, or `note`, where a tick would say that all is well. */
export const markOf = ({ severity, key }: Finding): State | "note" => (severity === "fine" && !GOOD.includes(key) ? "note" : severity);

/** When the newest of these measured, in epoch ms; null: none did. */
export function newestMeasuredAt(nodes: readonly Node[]): number | null {
  const times = nodes.flatMap((node) => (node.newest ? [Date.parse(node.newest.measured_at)] : []));
  return times.length ? Math.max(...times) : null;
}
