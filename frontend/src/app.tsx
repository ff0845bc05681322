import { useEffect, useRef } from "preact/hooks";
import { fleet } from "./api/resources";
import { Navigation, Simulated } from "./components/layout";
import { lazily } from "./components/lazy";
import { Standing } from "./components/notices";
import { useWords } from "./i18n/use";
import Fleet from "./pages/fleet";
import { find } from "./state/find";
import { awaitHeading, offerHeading } from "./state/focus";
import { sortNodes } from "./state/fleet";
import { go, route, type Route } from "./state/route";
import { WIDE, useMedia, useSource, useStore } from "./state/use";
import { view } from "./state/view";

/** Every page but the first one is loaded when it is looked at. */
const Node = lazily(() => import("./pages/node").then((page) => page.default), Awaited, true);
const Compare = lazily(() => import("./pages/compare").then((page) => page.default), Awaited, true);
const MapPage = lazily(() => import("./pages/map").then((page) => page.default), Awaited, true);
const Collector = lazily(() => import("./pages/collector").then((page) => page.default), Awaited, true);

export function App() {
  const { texts } = useWords();
  const at = useStore(route);
  const isWide = useMedia(WIDE);
  const page = useRef<HTMLElement>(null);
  useEffect(() => {
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  useFocus(page, at, isWide);
  useEffect(() => {
    document.title = at.page === "fleet" ? "ISEMS" : `${at.page === "node" ? at.node : texts.pageNames[at.page]} · ISEMS`;
  }, [at, texts]);
  return (
    <>
      <a class="skip" href="#content" onClick={(event) => skip(event, page.current)}>
        {texts.skip}
      </a>
      <div class="frame">
        <Navigation />
        <main class="page" id="content" ref={page} tabIndex={-1}>
          <Simulated />
          <Page at={at} isWide={isWide} />
        </main>
      </div>
    </>
  );
}

/** Stands for a page until it is loaded, and tells why it does not come, where that is known. */
function Awaited() {
  const { failure } = useSource(fleet());
  return <Standing source={fleet()} snapshot={{ value: null, at: null, failure }} />;
}

function Page({ at, isWide }: { at: Route; isWide: boolean }) {
  switch (at.page) {
    case "compare":
      return <Compare />;
    case "map":
      return <MapPage />;
    case "collector":
      return <Collector />;
    case "node":
      return isWide ? <Split chosen={at.node} /> : <Node key={at.node} name={at.node} isBeside={false} />;
    case "fleet":
      return isWide ? <Split chosen={null} /> : <Fleet chosen={null} isBeside={false} />;
  }
}

/** The list at the left and a node at the right: the chosen one, else the worst. */
function Split({ chosen }: { chosen: string | null }) {
  const all = useSource(fleet()).value?.nodes ?? [];
  const worst = sortNodes(all.filter((one) => one.is_active))[0];
  const name = chosen ?? worst?.node ?? null;
  if (name === null) return <Fleet chosen={null} isBeside={false} />;
  return (
    <div class="split">
      <div>
        <Fleet chosen={name} isBeside />
      </div>
      <div>
        <Node key={name} name={name} isBeside />
      </div>
    </div>
  );
}

function skip(event: Event, target: HTMLElement | null): void {
  event.preventDefault(); // the hash is the route
  target?.focus();
}

/** After a change of page the focus goes to its heading; back in the list to the card one came from. */
function useFocus(page: { current: HTMLElement | null }, at: Route, isWide: boolean): void {
  const before = useRef<Route | null>(null);
  useEffect(() => {
    const from = before.current;
    before.current = at;
    if (from === null) return;
    const card = at.page === "fleet" && from.page === "node" ? cardOf(from.node) : null;
    if (card) return card.focus();
    if (isWide && at.page === "node") return; // the list keeps it: one may go on with the arrows
    if (!isWide) scrollTo(0, 0);
    awaitHeading();
    offerHeading(page.current?.querySelector("h1") ?? null);
  }, [at]);
}

const cards = (): HTMLElement[] => [...document.querySelectorAll<HTMLElement>("[data-node]")];
const cardOf = (name: string): HTMLElement | null => cards().find((one) => one.dataset.node === name) ?? null;

/** `/` finds, up and down walk the list, Enter opens (a link does that by itself), Escape goes back. */
function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  const target = event.target as HTMLElement;
  const isTyping = target.matches("input, select, textarea");
  if (event.key === "/" && !isTyping) {
    event.preventDefault();
    find();
  } else if (event.key === "Escape") {
    leave(target, isTyping);
  } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && (target.dataset.node || target.matches("[type=search], body, h1"))) {
    walk(event, target, event.key === "ArrowDown" ? 1 : -1);
  }
}

function leave(target: HTMLElement, isTyping: boolean): void {
  if (isTyping) {
    view.set({ ...view.get(), text: "" });
    target.blur();
  } else if (route.get().page !== "fleet") {
    go({ page: "fleet" });
  }
}

function walk(event: Event, target: HTMLElement, step: number): void {
  const all = cards();
  const index = all.indexOf(target);
  const next = all[index + step];
  if (index === -1 && step === -1) return;
  event.preventDefault();
  next?.focus();
}
