import type { Happening } from "../api/series";
import type { Configuration } from "../api/types";
import type { Language } from "../state/settings";
import type { Preset } from "../state/range";

/** What happened, and what is drawn as a mark. */
export type MarkKind = Happening["kind"] | "configuration";

/** The words of the node page, which are loaded with it. */
export interface NodeTexts {
  roofSheet: string;
  csvOf: (range: string) => string;
  present: string;
  partShown: string;
  intervalOf: (span: string) => string;
  off: string;
  backOn: (volts: string) => string;
  disconnect: (volts: string) => string;
  chargeEndAt: (volts: string) => string;
  lastDay: (low: string, high: string) => string;
  rulerLabel: (volts: string, margin: string) => string;
  lastBelieved: (volts: string, time: string) => string;
  history: string;
  range: string;
  presets: Record<Preset, string>;
  presetNames: Record<Preset, string>;
  zoomIn: string;
  zoomOut: string;
  earlier: string;
  later: string;
  wholeRange: string;
  chartHelp: string;
  chartLabel: (from: string, to: string) => string;
  step: (step: string) => string;
  zoneTime: (zone: string) => string;
  lanes: { battery: string; panel: string; charge: string; temperature: string };
  lowToHigh: string;
  openCircuit: string;
  atWork: string;
  highest: string;
  chargeEnd: string;
  disconnectName: string;
  charge: string;
  noData: string;
  night: string;
  marks: Record<MarkKind, string>;
  marksWhenNear: string;
  noValues: string;
  newestAt: string;
  noDataFor: (span: string) => string;
  mean: string;
  lowHigh: string;
  toDisconnect: string;
  asTable: string;
  time: string;
  summary: (low: string, lowAt: string, high: string, highAt: string) => string;
  strip: string;
  stripMeans: string;
  withinTight: string;
  full: string;
  records: string;
  day: string;
  received: string;
  ofExpected: (received: string, expected: string | null) => string;
  values: string;
  unlessSaid: (age: string) => string;
  dark: string;
  hiddenValue: string;
  fields: {
    chargeEnd: string;
    panelOpen: string;
    panelWork: string;
    temperature: string;
    health: string;
    reboot: string;
    powerSave: string;
    status: string;
  };
  level: (level: string) => string;
  inMinutes: (span: string) => string;
  never: string;
  sinceReboot: string;
  about: string;
  kind: string;
  dialects: Record<string, string>;
  notSent: string;
  position: string;
  addresses: string;
  firstSeen: string;
  firstMeasured: string;
  interval: string;
  configuration: string;
  configurationNames: Record<keyof Configuration, string>;
  before: (value: string, old: string) => string;
  firstKnown: string;
  noChange: (time: string) => string;
  olderChanges: (count: number) => string;
  notes: string;
  printedAt: (time: string) => string;
}

const plural = (count: string, unit: Record<string, string>, letter: string): string =>
  count === "1" ? (unit[letter] ?? letter) : "";

/** "hourly", "every 30 min", "daily". */
function sayStep(step: string, single: Record<string, string>, every: (count: string, unit: string) => string, days: string): string {
  const [, count = "", unit = ""] = /^(\d+)([mhd])$/.exec(step) ?? [];
  return plural(count, single, unit) || every(count, unit === "m" ? "min" : unit === "d" ? days : unit);
}

const en: NodeTexts = {
  roofSheet: "Roof sheet",
  csvOf: (range) => `CSV, ${range}`,
  present: "now",
  partShown: "what is shown",
  intervalOf: (span) => `A reading every ${span}`,
  off: "off",
  backOn: (volts) => `${volts} back on`,
  disconnect: (volts) => `${volts} disconnect`,
  chargeEndAt: (volts) => `${volts} charge end`,
  lastDay: (low, high) => `24 h: ${low} to ${high}`,
  rulerLabel: (volts, margin) => `Battery ${volts}, ${margin} to disconnect`,
  lastBelieved: (volts, time) => `Last believed: ${volts}, about ${time}`,
  history: "History",
  range: "Range",
  presets: { "1d": "1 d", "7d": "7 d", "30d": "30 d", "1y": "1 y", all: "All" },
  presetNames: { "1d": "1 day", "7d": "7 days", "30d": "30 days", "1y": "1 year", all: "all" },
  zoomIn: "Zoom in",
  zoomOut: "Zoom out",
  earlier: "Earlier",
  later: "Later",
  wholeRange: "Whole range",
  chartHelp: "Drag or pinch to zoom, double tap to go back. Keys: arrows move, + and − zoom, 0 goes back.",
  chartLabel: (from, to) => `Charts from ${from} to ${to}. The table below tells the same.`,
  step: (step) =>
    step === "raw" ? "every reading" : sayStep(step, { m: "by minute", h: "hourly", d: "daily" }, (count, unit) => `every ${count}\u202f${unit}`, "days"),
  zoneTime: (zone) => `${zone} time`,
  lanes: { battery: "Battery", panel: "Panel", charge: "Charge, node's guess", temperature: "Battery temperature" },
  lowToHigh: "mean, lowest to highest",
  openCircuit: "open circuit",
  atWork: "at work",
  highest: "highest",
  chargeEnd: "charge end",
  disconnectName: "Disconnect",
  charge: "Charge",
  noData: "no data",
  night: "night",
  marks: { reboot: "reboot", clock: "clock repaired", configuration: "configuration" },
  marksWhenNear: "Repaired clocks are marked where every reading is shown: zoom in.",
  noValues: "No values in this range.",
  newestAt: "Newest",
  noDataFor: (span) => `no data for ${span}`,
  mean: "mean",
  lowHigh: "lowest, highest",
  toDisconnect: "to disconnect",
  asTable: "As a table",
  time: "Time",
  summary: (low, lowAt, high, highAt) => `lowest ${low} (${lowAt}), highest ${high} (${highAt})`,
  strip: "30 days",
  stripMeans: "Battery, lowest to highest a day, and how much of each day is here",
  withinTight: "came within 0.2\u202fV of disconnect",
  full: "full",
  records: "rows",
  day: "Day",
  received: "Rows here",
  ofExpected: (received, expected) => (expected === null ? received : `${received} of ${expected}`),
  values: "Values",
  unlessSaid: (age) => `${age}, if not said otherwise`,
  dark: "dark",
  hiddenValue: "hidden, cannot be believed",
  fields: {
    chargeEnd: "Charge end",
    panelOpen: "Panel, open circuit",
    panelWork: "Panel, at work",
    temperature: "Battery temperature",
    health: "Battery health",
    reboot: "Next planned reboot",
    powerSave: "Power save",
    status: "Status code",
  },
  level: (level) => `level ${level}`,
  inMinutes: (span) => `in ${span}`,
  never: "not planned",
  sinceReboot: "since the last reboot",
  about: "Node",
  kind: "Kind",
  dialects: { router: "Router", board: "ESP32 board", avr_board: "ESP32 board with solar controller", unknown: "not known" },
  notSent: "not sent",
  position: "Position",
  addresses: "Addresses",
  firstSeen: "Known since",
  firstMeasured: "First reading",
  interval: "Reading every",
  configuration: "Configuration",
  configurationNames: {
    isems_revision: "Format revision",
    firmware: "Firmware",
    low_voltage_disconnect_volts: "Disconnect",
    rated_battery_amp_hours: "Rated battery",
    rated_panel_watts: "Rated panel",
    latitude: "Latitude",
    longitude: "Longitude",
    dialect: "Kind",
  },
  before: (value, old) => `${value}, before ${old}`,
  firstKnown: "First known",
  noChange: (time) => `Unchanged since ${time}.`,
  olderChanges: (count) => `${count} older ${count === 1 ? "change" : "changes"}`,
  notes: "Notes",
  printedAt: (time) => `Printed ${time}`,
};

const de: NodeTexts = {
  roofSheet: "Dachblatt",
  csvOf: (range) => `CSV, ${range}`,
  present: "jetzt",
  partShown: "was zu sehen ist",
  intervalOf: (span) => `Eine Messung alle ${span}`,
  off: "aus",
  backOn: (volts) => `${volts} wieder an`,
  disconnect: (volts) => `${volts} Abschaltung`,
  chargeEndAt: (volts) => `${volts} Ladeschluss`,
  lastDay: (low, high) => `24 h: ${low} bis ${high}`,
  rulerLabel: (volts, margin) => `Akku ${volts}, ${margin} bis zur Abschaltung`,
  lastBelieved: (volts, time) => `Zuletzt glaubhaft: ${volts}, etwa ${time}`,
  history: "Verlauf",
  range: "Zeitraum",
  presets: { "1d": "1 T", "7d": "7 T", "30d": "30 T", "1y": "1 J", all: "Alles" },
  presetNames: { "1d": "1 Tag", "7d": "7 Tage", "30d": "30 Tage", "1y": "1 Jahr", all: "alles" },
  zoomIn: "Vergrößern",
  zoomOut: "Verkleinern",
  earlier: "Früher",
  later: "Später",
  wholeRange: "Ganzer Zeitraum",
  chartHelp: "Ziehen oder zwei Finger vergrößern, zweimal tippen geht zurück. Tasten: Pfeile bewegen, + und − vergrößern und verkleinern, 0 geht zurück.",
  chartLabel: (from, to) => `Kurven von ${from} bis ${to}. Die Tabelle darunter sagt dasselbe.`,
  step: (step) =>
    step === "raw" ? "jede Messung" : sayStep(step, { m: "je Minute", h: "stündlich", d: "täglich" }, (count, unit) => `alle ${count}\u202f${unit}`, "Tage"),
  zoneTime: (zone) => `Zeit: ${zone}`,
  lanes: { battery: "Akku", panel: "Modul", charge: "Ladung, geschätzt vom Knoten", temperature: "Akkutemperatur" },
  lowToHigh: "Mittel, niedrigster bis höchster Wert",
  openCircuit: "Leerlauf",
  atWork: "in Betrieb",
  highest: "höchster Wert",
  chargeEnd: "Ladeschluss",
  disconnectName: "Abschaltung",
  charge: "Ladung",
  noData: "keine Daten",
  night: "Nacht",
  marks: { reboot: "Neustart", clock: "Uhr berichtigt", configuration: "Einstellung" },
  marksWhenNear: "Berichtigte Uhren sind da markiert, wo jede Messung gezeigt wird: vergrößern.",
  noValues: "Keine Werte in diesem Zeitraum.",
  newestAt: "Neuester Wert",
  noDataFor: (span) => `keine Daten, ${span} lang`,
  mean: "Mittel",
  lowHigh: "niedrigster, höchster",
  toDisconnect: "bis zur Abschaltung",
  asTable: "Als Tabelle",
  time: "Zeit",
  summary: (low, lowAt, high, highAt) => `niedrigster Wert ${low} (${lowAt}), höchster ${high} (${highAt})`,
  strip: "30 Tage",
  stripMeans: "Akku, niedrigster bis höchster Wert je Tag, und wie viel von jedem Tag hier ist",
  withinTight: "kam auf 0,2\u202fV an die Abschaltung",
  full: "voll",
  records: "Zeilen",
  day: "Tag",
  received: "Zeilen hier",
  ofExpected: (received, expected) => (expected === null ? received : `${received} von ${expected}`),
  values: "Werte",
  unlessSaid: (age) => `${age}, wenn nicht anders gesagt`,
  dark: "dunkel",
  hiddenValue: "verdeckt, nicht glaubhaft",
  fields: {
    chargeEnd: "Ladeschluss",
    panelOpen: "Modul, Leerlauf",
    panelWork: "Modul, in Betrieb",
    temperature: "Akkutemperatur",
    health: "Akkuzustand",
    reboot: "Nächster geplanter Neustart",
    powerSave: "Stromsparen",
    status: "Statuscode",
  },
  level: (level) => `Stufe ${level}`,
  inMinutes: (span) => `in ${span.replace(/Tage$/, "Tagen")}`,
  never: "nicht geplant",
  sinceReboot: "seit dem letzten Neustart",
  about: "Knoten",
  kind: "Art",
  dialects: { router: "Router", board: "ESP32-Platine", avr_board: "ESP32-Platine mit Solarregler", unknown: "unbekannt" },
  notSent: "nicht gesendet",
  position: "Position",
  addresses: "Adressen",
  firstSeen: "Bekannt seit",
  firstMeasured: "Erste Messung",
  interval: "Messung alle",
  configuration: "Einstellungen",
  configurationNames: {
    isems_revision: "Formatversion",
    firmware: "Firmware",
    low_voltage_disconnect_volts: "Abschaltung",
    rated_battery_amp_hours: "Akku, Nennwert",
    rated_panel_watts: "Modul, Nennwert",
    latitude: "Breite",
    longitude: "Länge",
    dialect: "Art",
  },
  before: (value, old) => `${value}, vorher ${old}`,
  firstKnown: "Zuerst bekannt",
  noChange: (time) => `Unverändert seit ${time}.`,
  olderChanges: (count) => `${count} ältere ${count === 1 ? "Änderung" : "Änderungen"}`,
  notes: "Notizen",
  printedAt: (time) => `Gedruckt ${time}`,
};

export const NODE_TEXTS: Record<Language, NodeTexts> = { en, de };
