import { Store } from "./store";

// Ages are told by the collector's clock: that of a phone may be minutes off.
let offsetMs = 0;

/** Epoch milliseconds by the collector's clock, as far as an answer has shown it. */
export const collectorNow = (): number => Date.now() + offsetMs;

/** Learns from the header Date of an answer, which is good to a second. */
export function learnClock(date: string | null): void {
  const at = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(at)) return;
  const offset = at - Date.now();
  // Less than two seconds is the rounding of the header and the way it came.
  offsetMs = Math.abs(offset) < 2000 ? 0 : offset;
}

const TICK_MS = 5000;

/** The present, for ages on the screen; stands still while nobody sees them. */
class Ticking extends Store<number> {
  private timer: ReturnType<typeof setInterval> | undefined;

  protected override listened(count: number): void {
    if (count > 0 && this.timer === undefined) {
      this.timer = setInterval(() => document.hidden || this.set(collectorNow()), TICK_MS);
    } else if (count === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
  }
}

export const now: Store<number> = new Ticking(collectorNow());
