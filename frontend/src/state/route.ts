import { Store } from "../api/store";

// Everything after # is ours alone: no client path can collide with a route of the collector (/map, /measurements/...),
// and the page works below any prefix that a proxy adds.

export type Route =
  | { page: "fleet" }
  | { page: "node"; node: string }
  | { page: "compare" }
  | { page: "map" }
  | { page: "collector" };
export type PageName = Route["page"];

/** Gives the route of a location's hash; the fleet for what is none of ours. */
export function readRoute(hash: string): Route {
  const [path = ""] = hash.replace(/^#\/?/, "").split("?");
  const [first = "", ...rest] = path.split("/");
  if (first === "nodes" && rest[0]) return { page: "node", node: decode(rest.join("/")) };
  if (first === "compare" || first === "map" || first === "collector") return { page: first };
  return { page: "fleet" };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // typed by hand, with a lone percent sign
  }
}

export function writeRoute(route: Route): string {
  if (route.page === "node") return `#/nodes/${encodeURIComponent(route.node)}`;
  return route.page === "fleet" ? "#/" : `#/${route.page}`;
}

/** Gives what stands behind the ? of the hash: the settings of a page that a link can hold. */
export const readQuery = (hash: string): URLSearchParams => new URLSearchParams(hash.split("?")[1] ?? "");

export const route = new Store<Route>(readRoute(globalThis.location?.hash ?? ""));

export function followLocation(): void {
  addEventListener("hashchange", () => {
    const next = readRoute(location.hash);
    // The same page with other settings stays as it is.
    if (writeRoute(next) !== writeRoute(route.get())) route.set(next);
  });
}

export const go = (to: Route): void => {
  location.hash = writeRoute(to);
};
