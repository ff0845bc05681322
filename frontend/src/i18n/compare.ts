import type { Field, RangeName } from "../api/comparison";
import type { Sort } from "../state/compare";
import type { Language } from "../state/settings";

export interface CompareTexts {
  field: string;
  fields: Record<Field, string>;
  range: string;
  ranges: Record<RangeName, string>;
  steps: Record<RangeName, string>;
  order: string;
  orders: Record<Sort, string>;
  summary: (count: number) => string;
  firstOf: (count: number, all: number) => string;
  charts: string;
  cursor: (time: string) => string;
  noCursor: string;
  low: (value: string) => string;
  high: string;
  noData: string;
  nothing: string;
  dark: string;
  legend: { line: string; greatest: string; band: string; disconnect: string; night: string; gap: string };
  describe: (field: string, range: string, low: string | null, high: string | null) => string;
}

const en: CompareTexts = {
  field: "Field",
  fields: { battery_volts: "Battery, V", panel_mpp_volts: "Panel, V", state_of_charge_percent: "Charge, %", battery_celsius: "Temp., °C" },
  range: "Range",
  ranges: { "1d": "1 d", "3d": "3 d", "7d": "7 d", "30d": "30 d", "1y": "1 y" },
  steps: { "1d": "every 10 min", "3d": "every 30 min", "7d": "hourly", "30d": "every 6 h", "1y": "daily" },
  order: "Order",
  orders: { worst: "Worst first", lowest: "Lowest first", name: "Name" },
  summary: (count) => `${count} ${count === 1 ? "node" : "nodes"}, one scale for all`,
  firstOf: (count, all) => `The first ${count} of ${all}. Find others by name.`,
  charts: "Charts of all nodes. The arrow keys move the cursor.",
  cursor: (time) => `Cursor: ${time}`,
  noCursor: "Touch a chart to read all",
  low: (value) => `low ${value}`,
  high: "high",
  noData: "no data",
  nothing: "Nothing to compare yet",
  dark: "dark",
  legend: { line: "mean", greatest: "greatest of each step", band: "lowest to highest", disconnect: "disconnect of that node", night: "night", gap: "no data" },
  describe: (field, range, low, high) =>
    low === null || high === null ? `${field}, ${range}: no data` : `${field}, ${range}: from ${low} to ${high}`,
};

const de: CompareTexts = {
  field: "Feld",
  fields: { battery_volts: "Akku, V", panel_mpp_volts: "Modul, V", state_of_charge_percent: "Ladung, %", battery_celsius: "Temp., °C" },
  range: "Zeitraum",
  ranges: { "1d": "1 T", "3d": "3 T", "7d": "7 T", "30d": "30 T", "1y": "1 J" },
  steps: { "1d": "alle 10 min", "3d": "alle 30 min", "7d": "stündlich", "30d": "alle 6 h", "1y": "täglich" },
  order: "Reihenfolge",
  orders: { worst: "Schlechteste", lowest: "Niedrigste", name: "Name" },
  summary: (count) => `${count} Knoten, ein Maßstab für alle`,
  firstOf: (count, all) => `Die ersten ${count} von ${all}. Andere über den Namen suchen.`,
  charts: "Diagramme aller Knoten. Die Pfeiltasten bewegen den Zeiger.",
  cursor: (time) => `Zeiger: ${time}`,
  noCursor: "Ein Diagramm berühren, um alle zu lesen",
  low: (value) => `min. ${value}`,
  high: "max.",
  noData: "keine Daten",
  nothing: "Noch gibt es nichts zu vergleichen",
  dark: "dunkel",
  legend: { line: "Mittel", greatest: "Größtes jedes Schritts", band: "niedrigster bis höchster", disconnect: "Abschaltung dieses Knotens", night: "Nacht", gap: "keine Daten" },
  describe: (field, range, low, high) =>
    low === null || high === null ? `${field}, ${range}: keine Daten` : `${field}, ${range}: von ${low} bis ${high}`,
};

export const COMPARE_TEXTS: Record<Language, CompareTexts> = { en, de };
