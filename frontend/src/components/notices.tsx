import type { ComponentChildren } from "preact";
import { MAX_LISTED, countNodes, fleet, isCut } from "../api/resources";
import type { Failure, Snapshot, Source } from "../api/source";
import { useWords } from "../i18n/use";
import { useNow, useSource } from "../state/use";
import { lazily } from "./lazy";
import { Icon } from "./marks";

/** How old an answer may be, in ms, before everything on the page counts as past, kept or not: one poll may fail unnoticed. */
const TOLERATED_MS = 90_000;

/** Since when (epoch ms) what is shown is of the past; null while it is of the present. */
export function frozenSince(snapshot: Snapshot<unknown>, now: number): number | null {
  return snapshot.at !== null && now - snapshot.at > TOLERATED_MS ? snapshot.at : null;
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

/** A sentence as the collector made it. */
export const English = ({ text }: { text: string }) => <span lang="en">{text}</span>;

/** All its sentences in another language are as large as a page, and seldom needed. */
const Said = lazily(() => import("./said").then((part) => part.Said), English);

interface TroubleProps {
  failure: Failure;
  at: number | null;
  retry: () => void;
  /** What is shown all the same, where that is neither nothing nor everything. */
  partial?: string;
}

/** What failed, since when, and what is still true. */
export function Trouble({ failure, at, retry, partial }: TroubleProps) {
  const { texts, format, language } = useWords();
  const now = useNow();
  const Detail = language === "en" ? English : Said;
  const isUnreachable = failure.kind === "unreachable";
  const kept = at === null ? null : format.at(at, now);
  const title = !isUnreachable
    ? texts.refused
    : at === null || partial
      ? texts.unreachableNow
      : texts.unreachable(format.span(now - at));
  return (
    <section class="banner s-silent" role="status">
      <Icon name="unplug" />
      <b>{title}</b>
      {isUnreachable ? (
        <p>{partial ?? (kept === null ? texts.nothingKept : texts.unreachableMeans(kept))}</p>
      ) : (
        <p>
          <Detail text={failure.detail.replace(/\.$/, "")} />. {partial ?? texts.refusedMeans(kept)}
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
  /** What is shown where the rest does not come, and says how much that is. */
  partial?: string;
}

/** What every page shows before its own content: the trouble there is, or that it loads. */
export function Standing({ source, snapshot, partial }: StandingProps) {
  const now = useNow();
  const { failure, at, value } = snapshot;
  if (failure && (value === null || partial || frozenSince(snapshot, now) !== null)) {
    return <Trouble failure={failure} at={at} retry={() => void source.refresh()} partial={partial} />;
  }
  return value === null ? <Loading /> : null;
}

/** Says what a page of all nodes lacks, where there are more of them than it is told of. */
export function OnlyWorst() {
  const { texts } = useWords();
  const all = useSource(fleet()).value;
  return all && isCut(all) ? <p class="group">{texts.onlyWorstHere(MAX_LISTED, countNodes(all))}</p> : null;
}
