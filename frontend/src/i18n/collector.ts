import type { Language } from "../state/settings";
import type { Progress, StepName } from "../state/start";

/** Why input was not stored (isems/domain/rejection.py), in plain words. */
export const REASONS = [
  "no_format", "field_count", "revision", "node_name", "node_foreign", "topic", "encoding", "too_long", "too_many", "time_unreadable",
  "no_time", "time_skipped", "value_unreadable", "placeholder", "clock_unset", "clock_ahead", "conflict", "node_limit", "older_than_kept",
] as const;
export type Reason = (typeof REASONS)[number];

export const SOURCES = ["poll", "mqtt", "push", "import", "upgrade"] as const;
export type SourceName = (typeof SOURCES)[number];

export interface CollectorTexts {
  sources: string;
  lastNew: string;
  names: Record<SourceName, string>;
  polled: (count: number) => string;
  answering: (answering: number, all: number) => string;
  broker: (place: string) => string;
  replica: (name: string) => string;
  standby: string;
  sessionLost: (age: string) => string;
  lastMessage: (age: string) => string;
  noMessage: string;
  push: string;
  nothingNew: string;
  newest: (age: string) => string;
  noAnswer: (age: string | null) => string;
  moreTroubles: (count: number) => string;
  overdue: (count: number) => string;
  noSource: string;
  rejected: string;
  kept: (count: number) => string;
  dropped: (count: number) => string;
  noneRejected: string;
  reasons: Record<Reason, string>;
  times: (count: number) => string;
  more: (count: number) => string;
  fewer: string;
  from: (where: string) => string;
  cut: string;
  rejectedFailed: string;
  clocks: string;
  clocksWrong: (wrong: number, all: number) => string;
  clocksFine: string;
  clockStates: Record<"unset" | "behind" | "ahead" | "stepping", string>;
  sinceWhen: (time: string) => string;
  ourClock: string;
  ourClockFine: string;
  ourClockUnknown: string;
  noDate: string;
  storage: string;
  used: string;
  free: string;
  measurements: string;
  growth: string;
  aDay: (amount: string) => string;
  full: string;
  manyYears: string;
  written: string;
  waiting: string;
  waitingSamples: (count: number) => string;
  days: string;
  daysMeans: string;
  rowsOf: (day: string, rows: string) => string;
  version: string;
  program: string;
  revision: string;
  database: string;
  timeZone: string;
  links: { docs: string; metrics: string; licences: string };
  start: string;
  steps: Record<StepName, string>;
  hints: Record<StepName, string>;
  progress: Record<Progress, string>;
  sourcesSet: (addresses: number, broker: string | null, hasPush: boolean) => string;
  rawFirst: string;
}

const en: CollectorTexts = {
  sources: "Sources",
  lastNew: "last new data",
  names: { poll: "Polled nodes", mqtt: "MQTT", push: "Pushed", import: "Imported files", upgrade: "Taken over" },
  polled: (count) => `${count} polled ${count === 1 ? "address" : "addresses"}`,
  answering: (answering, all) => (answering === all ? "All answer" : `${answering} of ${all} answer`),
  broker: (place) => `Broker ${place}`,
  replica: (name) => `replica ${name}`,
  standby: "another one stands by",
  sessionLost: (age) => `The broker had forgotten us ${age}: what was sent while this collector was away is lost`,
  lastMessage: (age) => `last message ${age}`,
  noMessage: "no message yet",
  push: "Push",
  nothingNew: "nothing yet",
  newest: (age) => `newest ${age}`,
  noAnswer: (age) => (age === null ? "Never answered" : `Last answer ${age}`),
  moreTroubles: (count) => `${count} more fail`,
  overdue: (count) => `${count} not asked for two hours: does the program that polls run?`,
  noSource: "No source is configured. Set ISEMS_ROUTER_IPS, MQTT_SERVER or ISEMS_PUSH_TOKENS and start the collector anew.",
  rejected: "Rejected input",
  kept: (count) => `${count} kept`,
  dropped: (count) => `${count} older ones had to make room.`,
  noneRejected: "Nothing was rejected.",
  reasons: {
    no_format: "No format that we know",
    field_count: "Not the number of fields it should have",
    revision: "A revision that we do not know",
    node_name: "No usable node name",
    node_foreign: "Speaks for another node",
    topic: "A topic that names no node",
    encoding: "Not text",
    too_long: "Too long",
    too_many: "Too many lines at once",
    time_unreadable: "Time cannot be read",
    no_time: "Without a time",
    time_skipped: "A time that never was: skipped by summer time",
    value_unreadable: "A value cannot be read",
    placeholder: "Placeholders, no measurement",
    clock_unset: "Clock counts from power-on, time cannot be repaired",
    clock_ahead: "Time lies in the future",
    conflict: "Same second, other content",
    node_limit: "Too many nodes",
    older_than_kept: "Older than the raw data that are kept",
  },
  times: (count) => `${count} ${count === 1 ? "time" : "times"}`,
  more: (count) => `Show ${count} more`,
  fewer: "Show fewer",
  from: (where) => `from ${where}`,
  cut: "Only the beginning is kept.",
  rejectedFailed: "What was rejected could not be loaded.",
  clocks: "Clocks that lie",
  clocksWrong: (wrong, all) => `${wrong} of ${all}`,
  clocksFine: "No node's clock is known to be wrong.",
  clockStates: {
    unset: "Counts from power-on. Times are set right by arrival",
    behind: "Behind. Times are set right by arrival",
    ahead: "Ahead. Times are set right by arrival",
    stepping: "Went back by itself",
  },
  sinceWhen: (time) => `since ${time}`,
  ourClock: "This collector",
  ourClockFine: "Kept right",
  ourClockUnknown: "Nobody vouches for it. Input that needs a right clock waits: start a time service, or set ISEMS_CLOCK_TRUSTED",
  noDate: "no date",
  storage: "Storage",
  used: "Used",
  free: "Free on this disk",
  measurements: "Measurements",
  growth: "Grows by",
  aDay: (amount) => `${amount} a day`,
  full: "Full in about",
  manyYears: "more than 10 years",
  written: "Written to disk",
  waiting: "Waits for a right clock",
  waitingSamples: (count) => `${count} samples wait for their node's next message`,
  days: "Rows a day",
  daysMeans: "all sources, by the time of measurement; today so far",
  rowsOf: (day, rows) => `${day}: ${rows}`,
  version: "What runs here",
  program: "Program",
  revision: "Revision",
  database: "Database",
  timeZone: "Time zone",
  links: { docs: "What can be asked for", metrics: "Metrics", licences: "Licences of what is built in" },
  start: "From here to the first chart",
  steps: {
    configured: "A source is configured",
    answered: "A node answered",
    stored: "Rows can be read",
    clock: "Clock makes sense",
    position: "Position is set, for the map",
  },
  hints: {
    configured: "Set ISEMS_ROUTER_IPS (nodes to ask), MQTT_SERVER (a broker to listen to) or ISEMS_PUSH_TOKENS (who may push), then start the collector anew.",
    answered: "Nothing came yet. Is the node switched on, and can this machine reach it? It is asked again by itself.",
    stored: "Something came, and no row of it could be stored. A node started less than a minute ago is still measuring.",
    clock: "Set a time server on the node. Until then times are set right by the time of arrival.",
    position: "Set latitude and longitude on the node.",
  },
  progress: { done: "done", now: "now", todo: "to do" },
  sourcesSet: (addresses, broker, hasPush) =>
    [addresses ? `${addresses} ${addresses === 1 ? "address" : "addresses"} to ask` : "", broker ? `the broker ${broker} to listen to` : "", hasPush ? "push is allowed" : ""]
      .filter(Boolean)
      .join(", "),
  rawFirst: "What came last:",
};

const de: CollectorTexts = {
  sources: "Quellen",
  lastNew: "zuletzt Neues",
  names: { poll: "Abgefragte Knoten", mqtt: "MQTT", push: "Gesendetes", import: "Eingelesene Dateien", upgrade: "Übernommenes" },
  polled: (count) => `${count} abgefragte ${count === 1 ? "Adresse" : "Adressen"}`,
  answering: (answering, all) => (answering === all ? "Alle antworten" : `${answering} von ${all} antworten`),
  broker: (place) => `Broker ${place}`,
  replica: (name) => `Teilnehmer ${name}`,
  standby: "ein zweiter steht bereit",
  sessionLost: (age) => `Der Broker hatte uns ${age} vergessen: was gesendet wurde, während dieser Sammler weg war, ist verloren`,
  lastMessage: (age) => `letzte Nachricht ${age}`,
  noMessage: "noch keine Nachricht",
  push: "Senden an den Sammler",
  nothingNew: "noch nichts",
  newest: (age) => `Neuestes ${age}`,
  noAnswer: (age) => (age === null ? "Hat nie geantwortet" : `Letzte Antwort ${age}`),
  moreTroubles: (count) => `${count} weitere antworten nicht`,
  overdue: (count) => `${count} seit zwei Stunden nicht gefragt: läuft das Programm, das abfragt?`,
  noSource: "Keine Quelle ist eingestellt. ISEMS_ROUTER_IPS, MQTT_SERVER oder ISEMS_PUSH_TOKENS setzen und den Sammler neu starten.",
  rejected: "Abgewiesenes",
  kept: (count) => `${count} aufgehoben`,
  dropped: (count) => `${count} ältere mussten Platz machen.`,
  noneRejected: "Nichts wurde abgewiesen.",
  reasons: {
    no_format: "Kein Format, das wir kennen",
    field_count: "Nicht so viele Felder, wie es sein müssten",
    revision: "Eine Revision, die wir nicht kennen",
    node_name: "Kein brauchbarer Knotenname",
    node_foreign: "Spricht für einen anderen Knoten",
    topic: "Ein Topic, das keinen Knoten nennt",
    encoding: "Kein Text",
    too_long: "Zu lang",
    too_many: "Zu viele Zeilen auf einmal",
    time_unreadable: "Zeit nicht lesbar",
    no_time: "Ohne Zeit",
    time_skipped: "Eine Zeit, die es nicht gab: von der Sommerzeit übersprungen",
    value_unreadable: "Ein Wert ist nicht lesbar",
    placeholder: "Platzhalter, keine Messung",
    clock_unset: "Uhr zählt seit dem Einschalten, Zeit nicht zu berichtigen",
    clock_ahead: "Zeit liegt in der Zukunft",
    conflict: "Dieselbe Sekunde, anderer Inhalt",
    node_limit: "Zu viele Knoten",
    older_than_kept: "Älter als die aufgehobenen Rohdaten",
  },
  times: (count) => `${count}-mal`,
  more: (count) => `${count} weitere zeigen`,
  fewer: "Weniger zeigen",
  from: (where) => `von ${where}`,
  cut: "Nur der Anfang ist aufgehoben.",
  rejectedFailed: "Das Abgewiesene konnte nicht geladen werden.",
  clocks: "Uhren, die lügen",
  clocksWrong: (wrong, all) => `${wrong} von ${all}`,
  clocksFine: "Von keinem Knoten ist bekannt, dass seine Uhr falsch geht.",
  clockStates: {
    unset: "Zählt seit dem Einschalten. Zeiten nach der Ankunft berichtigt",
    behind: "Geht nach. Zeiten nach der Ankunft berichtigt",
    ahead: "Geht vor. Zeiten nach der Ankunft berichtigt",
    stepping: "Von selbst zurückgesprungen",
  },
  sinceWhen: (time) => `seit ${time}`,
  ourClock: "Dieser Sammler",
  ourClockFine: "Wird richtig gehalten",
  ourClockUnknown: "Niemand bürgt für sie. Was eine richtige Uhr braucht, wartet: einen Zeitdienst starten oder ISEMS_CLOCK_TRUSTED setzen",
  noDate: "ohne Datum",
  storage: "Speicher",
  used: "Belegt",
  free: "Frei auf diesem Datenträger",
  measurements: "Messungen",
  growth: "Wächst um",
  aDay: (amount) => `${amount} am Tag`,
  full: "Voll in etwa",
  manyYears: "mehr als 10 Jahren",
  written: "Auf den Datenträger geschrieben",
  waiting: "Wartet auf eine richtige Uhr",
  waitingSamples: (count) => `${count} Werte warten auf die nächste Nachricht ihres Knotens`,
  days: "Zeilen am Tag",
  daysMeans: "alle Quellen, nach der Zeit der Messung; heute bis jetzt",
  rowsOf: (day, rows) => `${day}: ${rows}`,
  version: "Was hier läuft",
  program: "Programm",
  revision: "Revision",
  database: "Datenbank",
  timeZone: "Zeitzone",
  links: { docs: "Was sich abfragen lässt", metrics: "Metriken", licences: "Lizenzen des Eingebauten" },
  start: "Von hier bis zum ersten Diagramm",
  steps: {
    configured: "Eine Quelle ist eingestellt",
    answered: "Ein Knoten hat geantwortet",
    stored: "Zeilen sind lesbar",
    clock: "Die Uhr stimmt",
    position: "Die Position ist eingestellt, für die Karte",
  },
  hints: {
    configured: "ISEMS_ROUTER_IPS (Knoten, die gefragt werden), MQTT_SERVER (ein Broker, dem zugehört wird) oder ISEMS_PUSH_TOKENS (wer senden darf) setzen, dann den Sammler neu starten.",
    answered: "Noch kam nichts. Ist der Knoten eingeschaltet, und erreicht ihn dieser Rechner? Es wird von selbst wieder gefragt.",
    stored: "Etwas kam, und keine Zeile davon ließ sich speichern. Ein Knoten, der vor weniger als einer Minute gestartet ist, misst noch.",
    clock: "Am Knoten einen Zeitserver einstellen. Bis dahin werden Zeiten nach der Ankunft berichtigt.",
    position: "Breite und Länge am Knoten einstellen.",
  },
  progress: { done: "erledigt", now: "jetzt", todo: "noch zu tun" },
  sourcesSet: (addresses, broker, hasPush) =>
    [addresses ? `${addresses} ${addresses === 1 ? "Adresse wird" : "Adressen werden"} gefragt` : "", broker ? `dem Broker ${broker} wird zugehört` : "", hasPush ? "Senden ist erlaubt" : ""]
      .filter(Boolean)
      .join(", "),
  rawFirst: "Was zuletzt kam:",
};

export const COLLECTOR_TEXTS: Record<Language, CollectorTexts> = { en, de };
