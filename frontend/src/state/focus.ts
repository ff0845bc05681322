// After a change of page the focus belongs to its heading, which may come later: pages are loaded when they are looked at.

let isAwaited = false;

/** From now on the next heading takes the focus. */
export function awaitHeading(): void {
  isAwaited = true;
}

/** Gives a heading the focus if one is awaited. */
export function offerHeading(heading: HTMLElement | null): void {
  if (!isAwaited || !heading) return;
  isAwaited = false;
  heading.focus({ preventScroll: true });
}
