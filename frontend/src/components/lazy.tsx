import type { ComponentType } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";

/** A component that is loaded when it is first shown, or ahead of that. */
export type Lazy<P> = ComponentType<P> & { ahead: () => void };

/** Makes a component that is loaded later; `Waiting` takes its place until it is there. A page is worth a reload, a picture is not. */
export function lazily<P extends object>(load: () => Promise<ComponentType<P>>, Waiting: ComponentType<P>, isPage = false): Lazy<P> {
  let loaded: ComponentType<P> | null = null;
  let loading: Promise<void> | undefined;
  const ahead = () =>
    (loading ??= untilLoaded(load, isPage).then((component) => {
      loaded = component;
    }));
  const Shown = (props: P) => {
    const [, render] = useState(0);
    // Not after the drawing: what was loaded ahead needs none without it.
    useLayoutEffect(() => {
      if (!loaded) void ahead().then(() => render(1));
    }, []);
    const Loaded = loaded ?? Waiting;
    return <Loaded {...props} />;
  };
  return Object.assign(Shown, { ahead: () => void ahead() });
}

const RETRY_MS = 5000;
const RELOAD_MS = 60_000;

/**
 * Tries until it is there. After an upgrade a part of the older build is gone for good, and some browsers never ask again
 * for what they failed to get: then the page is loaded anew.
 */
async function untilLoaded<T>(load: () => Promise<T>, isPage: boolean): Promise<T> {
  for (;;) {
    try {
      return await load();
    } catch {
      if (isPage && (await isAnswered()) && mayReload()) location.reload();
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** Without anybody to load it from, the browser would show its own error, and not what this device knows. */
const isAnswered = (): Promise<boolean> =>
  fetch(".", { method: "HEAD", cache: "no-store" }).then(
    ({ ok }) => ok,
    () => false,
  );

/** Tells whether it is long enough ago that the page was loaded anew: a part that the newest build lacks does not come by that. */
function mayReload(): boolean {
  try {
    const before = Number(sessionStorage.getItem("isems.reloaded"));
    if (Date.now() - before < RELOAD_MS) return false;
    sessionStorage.setItem("isems.reloaded", String(Date.now()));
    return true;
  } catch {
    return false; // nothing can be remembered here
  }
}
