import { describe, expect, it } from "vitest";
import { readSeries } from "../api/comparison";
import type { Comparison, Node, State } from "../api/types";
import { orderNodes, readCompared, writeCompared } from "./compare";

const node = (name: string, state: State): Node => ({
  node: name,
  state,
  findings: [],
  is_active: true,
  first_seen_at: "2026-01-01T00:00:00Z",
  newest: null,
  configuration: null,
  clock: null,
  conflict_count: 0,
  addresses: [],
});
const series = (...min: (number | null)[]) => ({ from: 0, stepMs: 1, mean: min, min, max: min });
const nodes = [node("Dach 10", "fine"), node("Dach 9", "crit"), node("Süd", "fine")];
const usual = readCompared(new URLSearchParams());

describe("the order", () => {
  it("is worst first, unless something else is wanted", () => {
    expect(orderNodes(nodes, usual, {}).map((one) => one.node)).toEqual(["Dach 9", "Dach 10", "Süd"]);
  });

  it("by the lowest value has those without one last", () => {
    const all = { "Dach 10": series(12.2, null), Süd: series(null, 11.9) };
    expect(orderNodes(nodes, { ...usual, sort: "lowest" }, all).map((one) => one.node)).toEqual(["Süd", "Dach 10", "Dach 9"]);
  });

  it("holds only what was looked for, whatever the accents", () => {
    expect(orderNodes(nodes, { ...usual, text: "sud" }, {}).map((one) => one.node)).toEqual(["Süd"]);
  });
});

describe("an address", () => {
  it("gives back what was written to it", () => {
    const chosen = { field: "battery_celsius", range: "30d", sort: "name", text: "a&b" } as const;
    expect(readCompared(new URLSearchParams(writeCompared(chosen).split("?")[1]))).toEqual(chosen);
  });

  it("that asks for what there is not gives the usual", () => {
    expect(readCompared(new URLSearchParams("field=__proto__&range=2d&sort="))).toEqual(usual);
  });
});

describe("a panel", () => {
  it("shows its greatest voltage, and none at night, when nothing is measured", () => {
    const one = { node: "a", count: [1, 1], min: [0, 11], max: [0, 18], mean: [0, 15.004], last: [0, 18] };
    const body: Comparison = { field: "panel_mpp_volts", step: "1h", from: "", to: "", starts_at: ["2026-01-01T00:00:00Z"], nodes: [one] };
    expect(readSeries(body, 3_600_000).a).toMatchObject({ mean: [null, 18], min: [0, 18] });
  });
});
