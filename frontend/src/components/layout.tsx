import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { fleet } from "../api/resources";
import { site } from "../api/site";
import { useWords } from "../i18n/use";
import { countNeeding } from "../state/fleet";
import { find } from "../state/find";
import { offerHeading } from "../state/focus";
import { type PageName, route, writeRoute } from "../state/route";
import { useSource, useStore } from "../state/use";
import { Icon, type IconName } from "./marks";
import { Settings, SettingsButton } from "./settings";

/** The pages that can be reached from everywhere, in this order. */
const LINKED: (PageName & IconName)[] = ["fleet", "map", "compare", "collector"];

/** The mark that stands on every page while the nodes are simulated: below its title, on wide screens above all. */
export function Simulated() {
  const { texts } = useWords();
  if (!useStore(site)?.is_simulation) return null;
  return (
    <p class="simulated">
      <b>{texts.simulated}</b>
      <span>{texts.simulatedMeans}</span>
    </p>
  );
}

/** A bar below on phones, a rail at the left elsewhere. */
export function Navigation() {
  const { texts } = useWords();
  const { page } = useStore(route);
  const all = useSource(fleet()).value;
  const count = all === null ? 0 : countNeeding(all.states);
  return (
    <>
      <nav class="nav" aria-label={texts.pages}>
        <span class="mark">
          <svg width="34" height="34" aria-hidden="true">
            <use href="#mark" />
          </svg>
        </span>
        {LINKED.map((name) => (
          <a key={name} href={writeRoute({ page: name })} aria-current={isHere(name, page) ? "page" : undefined}>
            <Icon name={name} />
            {texts.pageNames[name]}
            {name === "fleet" && count > 0 && (
              <span class="badge">
                <span aria-hidden="true">{count}</span>
                <span class="vh">{texts.needsYouBadge(count)}</span>
              </span>
            )}
          </a>
        ))}
        <button type="button" onClick={find}>
          <Icon name="find" />
          {texts.find}
        </button>
        <SettingsButton isInBar={false} />
      </nav>
      <Settings />
    </>
  );
}

const isHere = (name: PageName, page: PageName): boolean => name === page || (name === "fleet" && page === "node");

/** The head of a page: its title, and what belongs beside it. */
export function AppBar({ title, before, children }: { title: ComponentChildren; before?: ComponentChildren; children?: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => offerHeading(heading.current), []);
  return (
    <>
      <header class="appbar">
        {before}
        <h1 tabIndex={-1} ref={heading}>
          {title}
        </h1>
        {children}
        <SettingsButton isInBar />
      </header>
      <Simulated />
    </>
  );
}
