import type { ComponentType } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";

/** A component that is loaded when it is first shown; `Waiting` takes its place until it is there. */
export function lazily<P extends object>(load: () => Promise<ComponentType<P>>, Waiting: ComponentType<P>): ComponentType<P> {
  let loaded: ComponentType<P> | null = null;
  return (props: P) => {
    const [, render] = useState(0);
    // Not after the drawing: what was loaded ahead needs none without it.
    useLayoutEffect(() => {
      if (loaded) return;
      load().then((component) => {
        loaded = component;
        render(1);
      }, reloadWhenAnswered);
    }, []);
    const Loaded = loaded ?? Waiting;
    return <Loaded {...props} />;
  };
}

const RETRY_MS = 5000;
let isWaiting = false;

/** After an upgrade a part of the older build is gone: the page is loaded anew, as soon as there is somebody to load it from. */
async function reloadWhenAnswered(): Promise<void> {
  if (isWaiting) return;
  isWaiting = true;
  while (!(await isAnswered())) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  location.reload();
}

const isAnswered = (): Promise<boolean> =>
  fetch(".", { method: "HEAD", cache: "no-store" }).then(
    ({ ok }) => ok,
    () => false,
  );
