import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { sayTime, type Words } from "../i18n/use";
import { useNow } from "../state/use";

/** While the collector is out of reach: of when everything is that is shown, in epoch ms. Else null. */
export const FrozenAt = createContext<number | null>(null);

/** How old a value is; while the collector is out of reach, of when it is: nobody knows whether a newer one exists. */
export function Age({ at, words, isOld = false }: { at: number; words: Words; isOld?: boolean }) {
  const now = useNow();
  const isFrozen = useContext(FrozenAt) !== null;
  const { format } = words;
  return (
    <time
      class={isOld ? "age old" : "age"}
      dateTime={new Date(at).toISOString()}
      // Only for who points at it: of hundreds of nodes nobody reads the rest.
      onPointerEnter={(event) => (event.currentTarget.title = format.at(at, now))}
    >
      {isFrozen ? sayTime(words, at, now) : format.ago(at, now)}
    </time>
  );
}
