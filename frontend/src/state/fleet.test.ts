import { describe, expect, it } from "vitest";
import type { Finding, Node } from "../api/types";
import { areVoltsHidden, batteryVolts, compareNames, countNeeding, filterNodes, fold, leadingFinding, marginVolts, markOf, newestMeasuredAt, sortNodes, tally } from "./fleet";

function make(node: string, changes: Partial<Node> & { volts?: number | null; disconnect?: number | null; untrusted?: string[] } = {}): Node {
  const { volts = 13, disconnect = 11.9, untrusted = [], ...rest } = changes;
  return {
    node,
    state: "fine",
    findings: [],
    is_active: true,
    first_seen_at: "2026-01-01T00:00:00Z",
    newest: {
      measured_at: "2026-01-10T12:00:00Z",
      minutes_until_shutdown: null,
      power_save_level: null,
      panel_open_circuit_volts: null,
      panel_mpp_volts: null,
      battery_volts: volts,
      state_of_charge_percent: null,
      state_of_health_percent: null,
      battery_celsius: null,
      charge_end_volts: null,
      status: null,
      time_repaired: false,
      untrusted,
    },
    configuration: {
      isems_revision: null,
      firmware: null,
      low_voltage_disconnect_volts: disconnect,
      rated_battery_amp_hours: null,
      rated_panel_watts: null,
      latitude: null,
      longitude: null,
      dialect: "router",
    },
    clock: null,
    conflict_count: 0,
    addresses: [],
    ...rest,
  };
}
const finding = (key: Finding["key"], severity: Finding["severity"] = "fine"): Finding => ({ key, severity, values: {} });
const names = (nodes: Node[]) => nodes.map((one) => one.node);
const everything = { text: "", group: null, withInactive: true };

describe("the order", () => {
  it("is by state, then smallest margin, then name with numbers as numbers", () => {
    const nodes = [
      make("Dach 10"),
      make("Dach 9"),
      make("low but fine", { volts: 12.2 }),
      make("silent", { state: "silent", volts: 11.9 }),
      make("lost", { state: "lost" }),
      make("late", { state: "late" }),
      make("crit", { state: "crit" }),
      make("warn", { state: "warn" }),
    ];
    expect(names(sortNodes(nodes))).toEqual(["crit", "lost", "warn", "late", "silent", "low but fine", "Dach 9", "Dach 10"]);
  });

  it("of names takes no notice of case and accents, unless nothing else tells them apart", () => {
    expect(["Zaun", "Öre", "ofen 2", "Ofen 10", "Ofen 2", "äpfel"].sort(compareNames)).toEqual(["äpfel", "Ofen 2", "ofen 2", "Ofen 10", "Öre", "Zaun"]);
  });

  it("puts a node whose margin nobody knows behind those that are known to be low", () => {
    const nodes = [make("unknown", { state: "crit", volts: null }), make("low", { state: "crit", volts: 12 })];
    expect(names(sortNodes(nodes))).toEqual(["low", "unknown"]);
  });

  it("compares margins, not volts: each node has its own disconnect", () => {
    const nodes = [make("a", { volts: 12.2, disconnect: 11.6 }), make("b", { volts: 12.3, disconnect: 12.1 })];
    expect(names(sortNodes(nodes))).toEqual(["b", "a"]);
  });
});

describe("volts", () => {
  it("that cannot be believed are not shown, nor is a margin made of them", () => {
    const node = make("hidden", { volts: 0, untrusted: ["battery_volts"] });
    expect(batteryVolts(node)).toBeNull();
    expect(marginVolts(node)).toBeNull();
  });

  it("without a known disconnect have no margin", () => {
    expect(marginVolts(make("a", { disconnect: null }))).toBeNull();
    expect(marginVolts(make("a", { disconnect: 0 }))).toBeNull();
    expect(marginVolts(make("a", { configuration: null }))).toBeNull();
    expect(batteryVolts(make("a", { newest: null }))).toBeNull();
  });
});

describe("the filter", () => {
  const nodes = [
    make("Balkon Süderstraße", { state: "warn" }),
    make("Elektra-Dach"),
    make("Campingplatz", { state: "lost" }),
    make("Alter Schuppen", { state: "lost", is_active: false }),
  ];

  it("hides inactive nodes until they are asked for, or searched", () => {
    expect(names(filterNodes(nodes, { ...everything, withInactive: false }))).not.toContain("Alter Schuppen");
    expect(names(filterNodes(nodes, everything))).toContain("Alter Schuppen");
    expect(names(filterNodes(nodes, { ...everything, withInactive: false, text: "schup" }))).toEqual(["Alter Schuppen"]);
  });

  it("finds without case, accents and blanks around", () => {
    expect(names(filterNodes(nodes, { ...everything, text: " suderstrasse " }))).toEqual(["Balkon Süderstraße"]);
    expect(fold("ÄÖÜß é")).toBe("aouss e");
  });

  it("takes what is typed as it is", () => {
    expect(filterNodes(nodes, { ...everything, text: ".*" })).toEqual([]);
    expect(names(filterNodes([make("a.*b")], { ...everything, text: ".*" }))).toEqual(["a.*b"]);
  });

  it("counts lost nodes among those that need you", () => {
    expect(names(filterNodes(nodes, { ...everything, withInactive: false, group: "crit" }))).toEqual(["Campingplatz"]);
    const states = { crit: 2, lost: 3, warn: 1, late: 4, silent: 5, fine: 6 };
    expect(tally(states)).toEqual({ crit: 5, warn: 1, late: 4, silent: 5, fine: 6 });
    expect(countNeeding(states)).toBe(5);
  });
});

describe("the finding that a list shows", () => {
  it("is the worst one", () => {
    const node = make("a", { state: "warn", findings: [finding("battery_low", "warn"), finding("discharging")] });
    expect(leadingFinding(node)?.key).toBe("battery_low");
  });

  it("of a fine node is what it does", () => {
    expect(leadingFinding(make("a", { findings: [finding("health_unknown"), finding("charging")] }))?.key).toBe("charging");
    expect(leadingFinding(make("a", { findings: [finding("health_unknown")] }))?.key).toBe("health_unknown");
    expect(leadingFinding(make("a"))).toBeNull();
  });
});

it("a voltage that the collector does not believe is hidden, one that was not sent is not known", () => {
  const absurd = make("a", { volts: 1e9, findings: [finding("battery_unknown", "warn")] });
  expect([batteryVolts(absurd), areVoltsHidden(absurd)]).toEqual([null, true]);
  const unknown = make("a", { volts: null, findings: [finding("battery_unknown", "warn")] });
  expect([batteryVolts(unknown), areVoltsHidden(unknown)]).toEqual([null, false]);
});

it("a finding that asks for nothing gets a tick only where it is good news", () => {
  expect(["full", "upgrade_not_advised", "health_unknown"].map((key) => markOf(finding(key as Finding["key"])))).toEqual(["fine", "note", "note"]);
  expect(markOf(finding("battery_low", "warn"))).toBe("warn");
});

it("the newest reading is that of any node", () => {
  expect(newestMeasuredAt([])).toBeNull();
  expect(newestMeasuredAt([make("a"), make("b", { newest: null })])).toBe(Date.parse("2026-01-10T12:00:00Z"));
});
