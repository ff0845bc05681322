import { collectorNow, learnClock } from "./clock";
import { whenIdle } from "./idle";
import { keep, recall } from "./kept";
import { Store } from "./store";

const TIMEOUT_MS = 20_000;
const RETRY_MS = 20_000;
export const POLL_MS = 60_000;

/** Why there is no newer answer. `unreachable`: nobody answered; `refused`: the collector did, and said why. */
export interface Failure {
  kind: "unreachable" | "refused";
  detail: string;
  status: number;
  /** Epoch milliseconds of the first of the failures in a row. */
  since: number;
}

/** What is known of a resource: its last good answer, by when that was confirmed, and what is wrong since. */
export interface Snapshot<T> {
  value: T | null;
  at: number | null;
  failure: Failure | null;
}

/** Asks the collector for a path below /v1 and gives what `read` makes of the answer. */
export type Ask = <B, P>(path: string, read: (body: B) => P) => Promise<P>;

class Refused extends Error {
  constructor(readonly status: number, detail: string) {
    super(detail);
  }
}

/** A resource that is asked for again and again while somebody looks at it, and only then. */
export class Source<T> extends Store<Snapshot<T>> {
  private readonly tags = new Map<string, { tag: string; piece: unknown }>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private count = 0;
  private isAsking = false;

  constructor(
    private readonly name: string,
    private readonly load: (ask: Ask, show: (part: T) => void) => Promise<T>,
    private readonly everyMs = POLL_MS,
    /** Whether this device remembers it for when the collector is out of reach. */
    private readonly isKept = true,
  ) {
    const kept = isKept ? recall<T>(name) : null;
    super({ value: kept?.value ?? null, at: kept?.at ?? null, failure: null });
  }

  /** Asks now, whatever was planned. */
  async refresh(): Promise<void> {
    if (this.isAsking) return;
    this.isAsking = true;
    clearTimeout(this.timer);
    try {
      const value = await this.load(this.ask, (part) => this.set({ ...this.get(), value: part, at: collectorNow() }));
      const at = collectorNow();
      this.set({ value, at, failure: null });
      if (this.isKept) whenIdle(() => keep(this.name, at, value));
    } catch (error) {
      this.set({ ...this.get(), failure: describe(error, this.get().failure) });
    } finally {
      this.isAsking = false;
      this.plan();
    }
  }

  /** Asks if the last answer is due to be renewed. */
  wake(): void {
    if (this.count > 0 && this.waitMs() <= 0) void this.refresh();
  }

  protected override listened(count: number): void {
    const isFirst = this.count === 0 && count > 0;
    this.count = count;
    if (isFirst) {
      awake.add(this as Source<unknown>);
      if (this.waitMs() <= 0 || this.tags.size === 0) void this.refresh();
      else this.plan();
    } else if (count === 0) {
      awake.delete(this as Source<unknown>);
      clearTimeout(this.timer);
    }
  }

  private waitMs(): number {
    const { at, failure } = this.get();
    return failure || at === null ? 0 : at + this.everyMs - collectorNow();
  }

  private plan(): void {
    clearTimeout(this.timer);
    if (this.count === 0 || document.hidden) return;
    this.timer = setTimeout(() => void this.refresh(), this.get().failure ? RETRY_MS : this.everyMs);
  }

  private readonly ask: Ask = async <B, P>(path: string, read: (body: B) => P): Promise<P> => {
    const known = this.tags.get(path);
    // Our own If-None-Match, and not the browser's: a 304 then costs no parsing. The first time what was preloaded will do.
    const response = await fetch(`v1/${path}`, {
      headers: known ? { "If-None-Match": known.tag } : {},
      cache: known ? "no-store" : "default",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    learnClock(response.headers.get("Date"));
    if (response.status === 304 && known) return known.piece as P;
    if (!response.ok) throw new Refused(response.status, await detailOf(response));
    const piece = read((await response.json()) as B);
    const tag = response.headers.get("ETag");
    if (tag) this.tags.set(path, { tag, piece });
    return piece;
  };
}

async function detailOf(response: Response): Promise<string> {
  try {
    const problem = (await response.json()) as { detail?: string };
    return problem.detail ?? response.statusText;
  } catch {
    return response.statusText;
  }
}

/** A proxy that finds no collector behind it says 502 to 504; 503 with a reason is the collector's own. */
export function describe(error: unknown, before: Failure | null): Failure {
  const status = error instanceof Refused ? error.status : 0;
  const kind = status === 0 || status === 502 || status === 504 ? "unreachable" : "refused";
  const detail = error instanceof Error ? error.message : String(error);
  return { kind, detail, status, since: before?.since ?? collectorNow() };
}

const awake = new Set<Source<unknown>>();

function wakeAll(): void {
  if (!document.hidden) for (const source of awake) source.wake();
}

/** Sources rest while the page is hidden; when it is seen again, what is due is asked for at once. */
export function watchPage(): void {
  document.addEventListener("visibilitychange", wakeAll);
  addEventListener("online", wakeAll);
  // Back from where the browser had put the page aside; when it is loaded, all is asked for anyway.
  addEventListener("pageshow", (event) => event.persisted && wakeAll());
}

const sources = new Map<string, Source<unknown>>();

/** Gives the one source of a name: two places that show the same ask once. */
export function source<T>(name: string, make: () => Source<T>): Source<T> {
  const known = sources.get(name) as Source<T> | undefined;
  if (known) return known;
  const made = make();
  sources.set(name, made as Source<unknown>);
  return made;
}
