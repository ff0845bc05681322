import { Store } from "./store";

/** At the latest after so many ms: a page may be busy for long. */
const PATIENCE_MS = 2000;

/** Does something once the page is drawn and nobody waits for an answer to a tap. */
export function whenIdle(work: () => void): void {
  // Not every Safari has it; there a timer lets taps pass at least.
  if (typeof requestIdleCallback === "function") requestIdleCallback(work, { timeout: PATIENCE_MS });
  else setTimeout(work);
}

/** Whether the first page was drawn: what nobody misses on it is asked for and drawn after it. */
export const isDrawn = new Store(false);
