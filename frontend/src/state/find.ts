import { Store } from "../api/store";
import { go, route } from "./route";

/** Counts how often somebody wanted to find a node; the field takes the focus whenever it grows. */
export const findCalls = new Store(0);

export function find(): void {
  if (route.get().page !== "fleet") go({ page: "fleet" });
  findCalls.set(findCalls.get() + 1);
}
