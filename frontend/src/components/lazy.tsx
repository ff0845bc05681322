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
      // A chunk of an older build is gone after an upgrade: the page is loaded anew.
      load().then(
        (component) => {
          loaded = component;
          render(1);
        },
        () => location.reload(),
      );
    }, []);
    const Loaded = loaded ?? Waiting;
    return <Loaded {...props} />;
  };
}
