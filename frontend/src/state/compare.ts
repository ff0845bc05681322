import { FIELDS, RANGE_NAMES, type AllSeries, type Field, type RangeName } from "../api/comparison";
import type { Node } from "../api/types";
import { compareNames, fold, sortNodes } from "./fleet";

export const SORTS = ["worst", "lowest", "name"] as const;
export type Sort = (typeof SORTS)[number];

/** What somebody compares: it stands in the address, so that it can be shared. */
export interface Compared {
  field: Field;
  range: RangeName;
  sort: Sort;
  text: string;
}

export function readCompared(query: URLSearchParams): Compared {
  const choose = <T extends string>(name: string, allowed: readonly T[], usual: T): T =>
    allowed.find((one) => one === query.get(name)) ?? usual;
  return {
    field: choose("field", FIELDS, "battery_volts"),
    range: choose("range", RANGE_NAMES, "3d"),
    sort: choose("sort", SORTS, "worst"),
    text: query.get("find") ?? "",
  };
}

export function writeCompared({ field, range, sort, text }: Compared): string {
  const query = new URLSearchParams({ field, range, sort });
  if (text) query.set("find", text);
  return `#/compare?${query}`;
}

/** The least value of a node's series; null: there is none. */
export function lowest(series: AllSeries[string] | undefined): number | null {
  const known = (series?.min ?? []).filter((value) => value !== null);
  return known.length ? Math.min(...known) : null;
}

export function highest(series: AllSeries[string] | undefined): number | null {
  const known = (series?.max ?? []).filter((value) => value !== null);
  return known.length ? Math.max(...known) : null;
}

/** Gives active nodes with this in their names, in order: worst first, lowest value first (unknown ones last), by name. */
export function orderNodes(nodes: readonly Node[], { sort, text }: Compared, all: AllSeries): Node[] {
  const wanted = fold(text.trim());
  const found = sortNodes(nodes.filter((node) => node.is_active && fold(node.node).includes(wanted)));
  if (sort === "name") return found.sort((a, b) => compareNames(a.node, b.node));
  if (sort === "worst") return found;
  const keyed = found.map((node) => ({ node, low: lowest(all[node.node]) ?? Infinity }));
  return keyed.sort((a, b) => (a.low === b.low ? 0 : a.low - b.low)).map(({ node }) => node);
}
