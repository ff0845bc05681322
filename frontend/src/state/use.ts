import { useEffect, useLayoutEffect, useReducer, useState } from "preact/hooks";
import { now } from "../api/clock";
import { fleet, isPart } from "../api/resources";
import type { Snapshot, Source } from "../api/source";
import type { Store } from "../api/store";
import type { Node } from "../api/types";

/** Gives the value of a store, and renders again when it changes. */
export function useStore<T>(store: Store<T>): T {
  const [, render] = useReducer((count: number, _: void) => count + 1, 0);
  const value = store.get();
  // Before anything is drawn: what listening asks for is then on its way meanwhile.
  useLayoutEffect(() => {
    const stop = store.listen(() => render());
    if (store.get() !== value) render(); // it changed since we looked
    return stop;
  }, [store]);
  return value;
}

/** Gives what is known of a resource, and keeps asking for it while the component is shown. */
export const useSource = <T>(source: Source<T>): Snapshot<T> => useStore(source);

/** Gives the nodes once all are here that the list has room for: what a part lacks, nobody could tell. */
export function useNodes(): Snapshot<Node[]> {
  const { value, at, failure } = useSource(fleet());
  return value && !isPart(value) ? { value: value.nodes, at, failure } : { value: null, at: null, failure };
}

/** Gives the present in epoch milliseconds, every few seconds. */
export const useNow = (): number => useStore(now);

/** Tells whether a media query holds. */
export function useMedia(query: string): boolean {
  const [isTrue, setTrue] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    // A sheet of paper has a width of its own; what is printed is what was on the screen.
    const listen = () => matchMedia("print").matches || setTrue(list.matches);
    listen();
    list.addEventListener("change", listen);
    return () => list.removeEventListener("change", listen);
  }, [query]);
  return isTrue;
}

/** From here on there is room for the list and a node side by side. */
export const WIDE = "(min-width: 1100px)";
