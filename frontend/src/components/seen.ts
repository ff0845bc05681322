import { useEffect, useRef, useState } from "preact/hooks";

/** How far outside the window something is drawn already, so that scrolling finds it done. */
const AHEAD = "600px";

const waiting = new Map<Element, () => void>();
let observer: IntersectionObserver | undefined;

function observe(entries: IntersectionObserverEntry[]): void {
  for (const { isIntersecting, target } of entries) {
    if (isIntersecting) waiting.get(target)?.();
  }
}

/** Tells whether an element has come near the window: before that, what is costly need not be drawn. */
export function useSeen<E extends Element>() {
  const ref = useRef<E>(null);
  const [isSeen, setSeen] = useState(false);
  useEffect(() => {
    const target = ref.current;
    if (isSeen || !target) return;
    observer ??= new IntersectionObserver(observe, { rootMargin: AHEAD });
    const forget = () => {
      waiting.delete(target);
      observer?.unobserve(target);
    };
    waiting.set(target, () => {
      forget();
      setSeen(true);
    });
    observer.observe(target);
    return forget;
  }, [isSeen]);
  return { ref, isSeen };
}
