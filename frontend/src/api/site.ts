import { Store } from "./store";

/** Where the nodes are: by whose clock their days begin, and whether they exist at all. */
export interface Site {
  time_zone: string;
  is_simulation: boolean;
}

/** What the last answer told of it, whichever that was. */
export const site = new Store<Site | null>(null);

/** Learns it from an answer, and gives that back. */
export function learnSite<T extends Site>(answer: T): T {
  const { time_zone, is_simulation } = answer;
  const known = site.get();
  if (known?.time_zone !== time_zone || known.is_simulation !== is_simulation) site.set({ time_zone, is_simulation });
  return answer;
}
