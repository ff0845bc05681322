import { expect, it } from "vitest";
import type { NodeDetail } from "../api/series";
import { listChanges } from "./facts";

const DAY = 86_400_000;
const BEGIN = Date.parse("2026-11-20T12:00:00Z");

const since = (days: number, changes: object = {}): NodeDetail["configurations"][number] => ({
  since: new Date(BEGIN + days * DAY).toISOString(),
  configuration: {
    isems_revision: "1",
    firmware: "A",
    low_voltage_disconnect_volts: 11.9,
    rated_battery_amp_hours: 24,
    rated_panel_watts: 50,
    latitude: 52.5,
    longitude: 13.4,
    dialect: "router",
    ...changes,
  },
});

it("Changes of the configuration are listed field by field, the newest first", () => {
  expect(listChanges([since(0), since(1, { firmware: "B" }), since(2, { firmware: "B", rated_panel_watts: null })])).toEqual([
    { at: BEGIN + 2 * DAY, field: "rated_panel_watts", value: null, before: 50 },
    { at: BEGIN + DAY, field: "firmware", value: "B", before: "A" },
  ]);
});
