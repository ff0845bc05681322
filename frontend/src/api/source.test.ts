import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { collectorNow } from "./clock";
import { keep, recall } from "./kept";
import { POLL_MS, Source } from "./source";

// What a browser has and Node has not.
class Shelf {
  private readonly held: Record<string, string> = {};
  getItem = (key: string) => this.held[key] ?? null;
  setItem = (key: string, value: string) => {
    if (value.length > 2_000_000) throw new Error("full");
    this.held[key] = value;
    (this as Record<string, unknown>)[key] = value; // Object.keys tells what is there
  };
  removeItem = (key: string) => {
    delete this.held[key];
    delete (this as Record<string, unknown>)[key];
  };
}

const START = Date.parse("2026-11-21T15:48:00Z");
let asked: { path: string; tag: string | undefined }[] = [];
let answers: (() => Response)[] = [];

function answer(body: unknown, { status = 200, tag = "", date = new Date(Date.now()).toUTCString() } = {}): Response {
  const headers = new Headers({ Date: date, ...(tag ? { ETag: tag } : {}) });
  return new Response(status === 304 ? null : JSON.stringify(body), { status, headers });
}

beforeEach(() => {
  vi.useFakeTimers({ now: START });
  asked = [];
  answers = [];
  vi.stubGlobal("document", { hidden: false });
  vi.stubGlobal("localStorage", new Shelf());
  vi.stubGlobal("fetch", async (path: string, options: { headers: Record<string, string> }) => {
    asked.push({ path, tag: options.headers["If-None-Match"] });
    const next = answers.shift();
    if (!next) throw new TypeError("Failed to fetch");
    return next();
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const make = () => new Source("nodes", (ask) => ask("nodes", (body: { value: number }) => body.value));
const listen = async (source: Source<number>) => {
  const stop = source.listen(() => {});
  await vi.advanceTimersByTimeAsync(0);
  return stop;
};

describe("a source", () => {
  it("asks nobody until somebody looks, once a minute then, and not after", async () => {
    const source = make();
    answers = [() => answer({ value: 1 }), () => answer({ value: 2 })];
    expect(asked).toEqual([]);
    const stop = await listen(source);
    expect(source.get().value).toBe(1);
    await vi.advanceTimersByTimeAsync(POLL_MS);
    expect(source.get().value).toBe(2);
    stop();
    await vi.advanceTimersByTimeAsync(10 * POLL_MS);
    expect(asked).toHaveLength(2);
  });

  it("says which answer it has, and keeps that on 304", async () => {
    const source = make();
    answers = [() => answer({ value: 1 }, { tag: 'W/"a"' }), () => answer(null, { status: 304 })];
    await listen(source);
    await vi.advanceTimersByTimeAsync(POLL_MS);
    expect(asked.map((one) => one.tag)).toEqual([undefined, 'W/"a"']);
    expect(source.get()).toEqual({ value: 1, at: START + POLL_MS, failure: null });
  });

  it("keeps what it knows when nobody answers, and tells since when", async () => {
    const source = make();
    answers = [() => answer({ value: 1 })];
    await listen(source);
    await vi.advanceTimersByTimeAsync(POLL_MS);
    await vi.advanceTimersByTimeAsync(60_000);
    const { value, at, failure } = source.get();
    expect([value, at]).toEqual([1, START]);
    expect(failure).toMatchObject({ kind: "unreachable", since: START + POLL_MS });
    expect(asked.length).toBeGreaterThan(3); // more often than when all is well
    answers = [() => answer({ value: 2 })];
    await source.refresh();
    expect(source.get()).toMatchObject({ value: 2, failure: null });
  });

  it("tells a collector that says why from one that is not there", async () => {
    const source = make();
    answers = [() => answer({ detail: "run 'flask db upgrade'" }, { status: 503 }), () => answer({}, { status: 502 })];
    await listen(source);
    expect(source.get().failure).toMatchObject({ kind: "refused", status: 503, detail: "run 'flask db upgrade'" });
    await source.refresh();
    expect(source.get().failure).toMatchObject({ kind: "unreachable" });
  });

  it("rests while the page is hidden", async () => {
    const source = make();
    answers = [() => answer({ value: 1 })];
    vi.stubGlobal("document", { hidden: true });
    await listen(source);
    await vi.advanceTimersByTimeAsync(10 * POLL_MS);
    expect(asked).toHaveLength(1);
  });

  it("begins with what was kept, as old as it is", () => {
    keep("nodes", START - 5000, 7);
    expect(make().get()).toEqual({ value: 7, at: START - 5000, failure: null });
  });
});

describe("what is kept", () => {
  it("is bounded in number: the oldest ones go", () => {
    for (let number = 0; number < 20; number += 1) keep(`n${number}`, number, number);
    expect(recall("n0")).toBeNull();
    expect(recall("n19")).toEqual({ at: 19, value: 19 });
    expect(Array.from({ length: 20 }, (_, number) => recall(`n${number}`)).filter(Boolean)).toHaveLength(12);
  });

  it("is bounded in size", () => {
    keep("large", 1, "x".repeat(1_500_001));
    expect(recall("large")).toBeNull();
  });

  it("is nothing where it cannot be read, and no error where nothing can be kept", () => {
    localStorage.setItem("isems.kept.2.broken", "{");
    expect(recall("broken")).toBeNull();
    vi.stubGlobal("localStorage", undefined);
    expect(() => keep("a", 1, 1)).not.toThrow();
    expect(recall("a")).toBeNull();
  });
});

it("ages are told by the collector's clock, whatever the phone's says", async () => {
  const source = make();
  answers = [() => answer({ value: 1 }, { date: new Date(START + 600_000).toUTCString() })];
  await listen(source);
  expect(collectorNow()).toBe(START + 600_000);
  expect(source.get().at).toBe(START + 600_000);
});
