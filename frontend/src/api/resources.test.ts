import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Node } from "./types";

const NONE = { crit: 0, lost: 0, warn: 0, late: 0, silent: 0, fine: 0 };
const some = (count: number) => Array.from({ length: count }, (_, number) => ({ node: `Node-${number}` }) as Node);
const page = (held: number, total: number) => ({ nodes: some(held), next: null, states: { ...NONE, fine: total - 1 }, inactive: 1, time_zone: "Europe/Berlin", is_simulation: false });

let asked: string[] = [];
let answers: Record<string, object> = {};
let kept: Record<string, string> = {};

beforeEach(() => {
  vi.resetModules(); // each test is a page that was just opened
  asked = [];
  kept = {};
  vi.stubGlobal("document", { hidden: false });
  vi.stubGlobal("localStorage", { getItem: (key: string) => kept[key] ?? null, setItem: (key: string, text: string) => (kept[key] = text) });
  vi.stubGlobal("fetch", async (path: string) => {
    asked.push(path);
    if (!(path in answers)) throw new TypeError("Failed to fetch");
    return new Response(JSON.stringify(answers[path]), { headers: { ETag: path } });
  });
});

afterEach(() => vi.unstubAllGlobals());

/** Looks at the fleet until so many requests are answered, and gives how many nodes were seen each time. */
async function look(requests: number): Promise<number[]> {
  const { fleet } = await import("./resources");
  const known = fleet().get().value;
  const seen = known ? [known.nodes.length] : [];
  fleet().listen(() => seen.push(fleet().get().value?.nodes.length ?? -1));
  await vi.waitFor(() => expect(asked).toHaveLength(requests));
  await new Promise((resolve) => setTimeout(resolve));
  return seen;
}

describe("the fleet", () => {
  it("is asked for the worst nodes first, and then for all", async () => {
    answers = { "v1/nodes?limit=12": page(12, 300), "v1/nodes": page(300, 300) };
    expect(await look(2)).toEqual([12, 300]);
    expect(asked).toEqual(["v1/nodes?limit=12", "v1/nodes"]);
  });

  it("is asked for once where all nodes are among the worst", async () => {
    answers = { "v1/nodes?limit=12": page(5, 5) };
    expect(await look(1)).toEqual([5]);
    expect(asked).toEqual(["v1/nodes?limit=12"]);
  });

  it("never shrinks to a part where this device knows all of yesterday's", async () => {
    kept["isems.kept.2.fleet"] = JSON.stringify({ at: 1, value: page(299, 299) });
    answers = { "v1/nodes?limit=12": page(12, 300), "v1/nodes": page(300, 300) };
    expect(await look(2)).toEqual([299, 300]);
  });

  it("tells of what is not there when only the worst nodes came", async () => {
    answers = { "v1/nodes?limit=12": page(12, 300) };
    await look(2);
    const { fleet, isPart } = await import("./resources");
    const { value, at, failure } = fleet().get();
    expect(value && isPart(value)).toBe(true);
    expect(failure).toMatchObject({ kind: "unreachable" });
    expect(at).not.toBeNull();
  });
});

it("a list is cut where it has no room, and a part while it could hold more", async () => {
  const { countNodes, isCut, isPart } = await import("./resources");
  const told = (held: number, total: number) => {
    const all = page(held, total);
    return [countNodes(all), isCut(all), isPart(all)];
  };
  expect(told(12, 300)).toEqual([300, false, true]);
  expect(told(300, 300)).toEqual([300, false, false]);
  expect(told(12, 5000)).toEqual([5000, false, true]);
  expect(told(1000, 5000)).toEqual([5000, true, false]);
  expect(told(1000, 1000)).toEqual([1000, false, false]);
});
