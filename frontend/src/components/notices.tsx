import type { ComponentChildren } from "preact";
import { MAX_LISTED, countNodes, fleet, isCut } from "../api/resources";
import type { Failure, Snapshot, Source } from "../api/source";
import { useWords } from "../i18n/use";
import { useNow, useSource } from "../state/use";
import { Icon } from "./marks";

/** How old an answer may be, in ms, before everything on the page counts as past: one poll may fail unnoticed. */
const TOLERATED_MS = 90_000;

/** Since when (epoch ms) what is shown is of the past; null while it is of the present. */
export function frozenSince(snapshot: Snapshot<unknown>, now: number): number | null {
  if (snapshot.at === null || snapshot.failure === null) return null;
  return now - snapshot.at > TOLERATED_MS ? snapshot.at : null;
}

/** Outlines of what is awaited. */
export const Loading = () => {
  const { texts } = useWords();
  return (
    <div role="status">
      <span class="vh">{texts.loading}</span>
      <div class="outline" />
      <div class="outline" />
      <div class="outline" />
    </div>
  );
};

export const Notice = ({ title, children }: { title: string; children: ComponentChildren }) => (
  <section class="notice">
    <h2 class="say-large">{title}</h2>
    {children}
  </section>
);

/** What failed, since when, and what is still true. */
export function Trouble({ failure, at, retry }: { failure: Failure; at: number | null; retry: () => void }) {
  const { texts, format } = useWords();
  const now = useNow();
  const isUnreachable = failure.kind === "unreachable";
  const kept = at === null ? null : format.at(at, now);
  const title = !isUnreachable
    ? texts.refused
    : at === null
      ? texts.unreachableNow
      : texts.unreachable(format.span(now - at));
  return (
    <section class="banner s-silent" role="status">
      <Icon name="unplug" />
      <b>{title}</b>
      {isUnreachable ? (
        <p>{kept === null ? texts.nothingKept : texts.unreachableMeans(kept)}</p>
      ) : (
        <p>
          <span lang="en">{failure.detail}</span> {texts.refusedMeans(kept)}
        </p>
      )}
      <button type="button" class="btn" onClick={retry}>
        {texts.tryAgain}
      </button>
    </section>
  );
}

interface StandingProps {
  source: Source<unknown>;
  snapshot: Snapshot<unknown>;
  /** Something is shown, but not all that there is: that the rest does not come must be said. */
  isPart?: boolean;
}

/** What every page shows before its own content: the trouble there is, or that it loads. */
export function Standing({ source, snapshot, isPart = false }: StandingProps) {
  const now = useNow();
  const { failure, at, value } = snapshot;
  if (failure && (value === null || isPart || frozenSince(snapshot, now) !== null)) {
    return <Trouble failure={failure} at={at} retry={() => void source.refresh()} />;
  }
  return value === null ? <Loading /> : null;
}

/** Says what a page of all nodes lacks, where there are more of them than it is told of. */
export function OnlyWorst() {
  const { texts } = useWords();
  const all = useSource(fleet()).value;
  return all && isCut(all) ? <p class="group">{texts.onlyWorstHere(MAX_LISTED, countNodes(all))}</p> : null;
}
