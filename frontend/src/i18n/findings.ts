import type { Finding, FindingKey, FindingValues } from "../api/types";
import type { Language } from "../state/settings";
import type { Format } from "./format";

/** What a finding is called, what to do about it, and the value it rests on; empty where there is none. */
export interface FindingWords {
  title: string;
  advice: string;
  value: string;
}

/** One language's words for a finding; `now` in epoch milliseconds. */
type Say = (values: FindingValues, format: Format, now: number) => { title: string; advice?: string };

const known = (value: number | undefined): value is number => value !== undefined;
const heardAt = (values: FindingValues): number | null => (values.heard_at ? Date.parse(values.heard_at) : null);

/** How many of its intervals a node has missed; null: not known. */
export function missed(values: FindingValues, now: number): number | null {
  const heard = heardAt(values);
  if (heard === null || !known(values.interval_seconds) || values.interval_seconds <= 0) return null;
  return Math.floor((now - heard) / 1000 / values.interval_seconds);
}

const en: Record<FindingKey, Say> = {
  near_disconnect: () => ({
    title: "Battery close to disconnect",
    advice: "Bring a charged battery, or switch the load off before night.",
  }),
  controller_silent: () => ({
    title: "Solar controller silent, values hidden",
    advice: "The router runs. Check the serial cable and the fuse. If the controller is dead, the battery is not charging.",
  }),
  battery_worn: () => ({ title: "Battery worn out", advice: "Plan for a new one: what it still holds is too little for its panel." }),
  lost: (values, format, now) => {
    const heard = heardAt(values);
    return {
      title: heard === null ? "No data for days" : `No data for ${format.span(now - heard)}`,
      advice: "Look for the link first, then for power.",
    };
  },
  late: (values, _format, now) => {
    const count = missed(values, now);
    return { title: count === null ? "Readings missed" : `${count} readings missed`, advice: "Nothing to do yet." };
  },
  silent: (values, format, now) => {
    const heard = heardAt(values);
    return {
      title: heard === null ? "No data, cause unknown" : `No data since ${format.at(heard, now)}, cause unknown`,
      advice: "It may be the link, the power, or the night.",
    };
  },
  no_measurement: () => ({ title: "Nothing of it is stored", advice: "See at the collector whether its input was rejected." }),
  heard_unknown: () => ({ title: "All that is stored of it lies in the future", advice: "Its clock is wrong: set it right." }),
  clock_unset: () => ({
    title: "Clock not set: it counts from power-on",
    advice: "Times are set right by the time of arrival. Give it a time server.",
  }),
  clock_behind: (values, format) => ({
    title: known(values.offset_seconds) ? `Clock ${format.span(Math.abs(values.offset_seconds) * 1000)} behind` : "Clock behind",
    advice: "Times are set right by the time of arrival. Give it a time server.",
  }),
  clock_ahead: (values, format) => ({
    title: known(values.offset_seconds) ? `Clock ${format.span(Math.abs(values.offset_seconds) * 1000)} ahead` : "Clock ahead",
    advice: "Times are set right by the time of arrival. Give it a time server.",
  }),
  clock_stepping: () => ({ title: "Clock went back by itself", advice: "It may be set by two time servers, or lose power." }),
  id_shared: () => ({ title: "Two devices send under this name", advice: "Give one of them another name: their values are mixed." }),
  status_unknown: () => ({ title: "No status sent", advice: "What its flags would tell is not known." }),
  battery_unknown: () => ({ title: "No battery voltage that can be believed", advice: "Check the sensor wires of the controller." }),
  battery_low: () => ({ title: "Battery low", advice: "Clean the panel, look for new shade, save load." }),
  battery_hot: () => ({ title: "Battery too hot. Charging is held back", advice: "Give it shade and air." }),
  battery_cold: () => ({ title: "Battery cold", advice: "A low battery can freeze: keep it charged or insulate it." }),
  storage_too_small: (values, format) => ({
    title: "Storage too small for its panel",
    advice:
      known(values.rated_battery_amp_hours) && known(values.rated_panel_watts)
        ? `${format.withUnit(values.rated_battery_amp_hours, 0, "Ah")} and ${format.withUnit(values.rated_panel_watts, 0, "W")} are set. Use a bigger battery.`
        : "Use a bigger battery, or correct what is set.",
  }),
  sensor_missing: () => ({ title: "Temperature sensor missing", advice: "Frost and heat cannot be seen. Check its plug." }),
  sensor_missing_or_frost: () => ({
    title: "Frost, or the temperature sensor is missing",
    advice: "This router sends the same for both. Look again on a warm day.",
  }),
  sensor_faulty: () => ({ title: "Temperature sensor faulty", advice: "Frost and heat cannot be seen. Replace it." }),
  frost_unseen: () => ({ title: "Frost possible: below 0 °C this router sends 0" }),
  health_unknown: () => ({ title: "Battery health not known" }),
  upgrade_not_advised: (values, format) => ({
    title: "Do not upgrade firmware now",
    advice:
      known(values.margin_volts) && values.margin_volts < 0.2
        ? `Less than ${format.withUnit(0.2, 1, "V")} above disconnect.`
        : "It will restart or switch off soon.",
  }),
  power_save: (values, format) => ({
    title: known(values.power_save_level) ? `Saves power, level ${format.number(values.power_save_level)}` : "Saves power",
    advice: "As its owner has set it.",
  }),
  full: () => ({ title: "Battery full" }),
  charging: () => ({ title: "Charging" }),
  discharging: () => ({ title: "Discharging" }),
  charging_unknown: () => ({ title: "Not known whether it charges" }),
};

const de: Record<FindingKey, Say> = {
  near_disconnect: () => ({
    title: "Akku kurz vor der Abschaltung",
    advice: "Geladenen Akku bringen oder die Last vor der Nacht abschalten.",
  }),
  controller_silent: () => ({
    title: "Solarregler stumm, Werte verdeckt",
    advice: "Der Router läuft. Serielles Kabel und Sicherung prüfen. Ist der Regler tot, lädt der Akku nicht.",
  }),
  battery_worn: () => ({ title: "Akku verbraucht", advice: "Einen neuen einplanen: Was er noch fasst, ist zu wenig für das Modul." }),
  lost: (values, format, now) => {
    const heard = heardAt(values);
    return {
      title: heard === null ? "Seit Tagen keine Daten" : `Seit ${format.span(now - heard).replace(/Tage$/, "Tagen")} keine Daten`,
      advice: "Erst die Funkstrecke prüfen, dann den Strom.",
    };
  },
  late: (values, _format, now) => {
    const count = missed(values, now);
    return { title: count === null ? "Messungen ausgeblieben" : `${count} Messungen ausgeblieben`, advice: "Noch ist nichts zu tun." };
  },
  silent: (values, format, now) => {
    const heard = heardAt(values);
    return {
      title: heard === null ? "Keine Daten, Ursache unbekannt" : `Keine Daten seit ${format.at(heard, now)} Uhr, Ursache unbekannt`,
      advice: "Es kann an der Funkstrecke, am Strom oder an der Nacht liegen.",
    };
  },
  no_measurement: () => ({ title: "Von ihm ist nichts gespeichert", advice: "Beim Sammler nachsehen, ob etwas abgewiesen wurde." }),
  heard_unknown: () => ({ title: "Alles Gespeicherte liegt in der Zukunft", advice: "Seine Uhr geht falsch: stellen." }),
  clock_unset: () => ({
    title: "Uhr nicht gestellt: zählt seit dem Einschalten",
    advice: "Zeiten sind nach der Ankunft berichtigt. Ihm einen Zeitserver geben.",
  }),
  clock_behind: (values, format) => ({
    title: known(values.offset_seconds) ? `Uhr geht ${format.span(Math.abs(values.offset_seconds) * 1000)} nach` : "Uhr geht nach",
    advice: "Zeiten sind nach der Ankunft berichtigt. Ihm einen Zeitserver geben.",
  }),
  clock_ahead: (values, format) => ({
    title: known(values.offset_seconds) ? `Uhr geht ${format.span(Math.abs(values.offset_seconds) * 1000)} vor` : "Uhr geht vor",
    advice: "Zeiten sind nach der Ankunft berichtigt. Ihm einen Zeitserver geben.",
  }),
  clock_stepping: () => ({ title: "Uhr ist von selbst zurückgesprungen", advice: "Vielleicht stellen sie zwei Zeitserver, oder der Strom fällt aus." }),
  id_shared: () => ({ title: "Zwei Geräte senden unter diesem Namen", advice: "Einem einen anderen Namen geben: Ihre Werte sind vermischt." }),
  status_unknown: () => ({ title: "Kein Status gesendet", advice: "Was seine Bits sagen würden, ist nicht bekannt." }),
  battery_unknown: () => ({ title: "Keine glaubhafte Akkuspannung", advice: "Messleitungen des Reglers prüfen." }),
  battery_low: () => ({ title: "Akku schwach", advice: "Modul putzen, nach neuem Schatten sehen, Last sparen." }),
  battery_hot: () => ({ title: "Akku zu heiß. Laden ist gedrosselt", advice: "Für Schatten und Luft sorgen." }),
  battery_cold: () => ({ title: "Akku kalt", advice: "Ein leerer Akku kann einfrieren: geladen halten oder dämmen." }),
  storage_too_small: (values, format) => ({
    title: "Speicher zu klein für das Modul",
    advice:
      known(values.rated_battery_amp_hours) && known(values.rated_panel_watts)
        ? `${format.withUnit(values.rated_battery_amp_hours, 0, "Ah")} und ${format.withUnit(values.rated_panel_watts, 0, "W")} sind eingestellt. Größeren Akku einbauen.`
        : "Größeren Akku einbauen oder die Einstellung berichtigen.",
  }),
  sensor_missing: () => ({ title: "Temperatursensor fehlt", advice: "Frost und Hitze sind nicht zu sehen. Stecker prüfen." }),
  sensor_missing_or_frost: () => ({
    title: "Frost, oder der Temperatursensor fehlt",
    advice: "Dieser Router sendet für beides dasselbe. An einem warmen Tag nachsehen.",
  }),
  sensor_faulty: () => ({ title: "Temperatursensor defekt", advice: "Frost und Hitze sind nicht zu sehen. Ersetzen." }),
  frost_unseen: () => ({ title: "Frost möglich: Unter 0 °C sendet dieser Router 0" }),
  health_unknown: () => ({ title: "Akkuzustand unbekannt" }),
  upgrade_not_advised: (values, format) => ({
    title: "Jetzt keine Firmware aufspielen",
    advice:
      known(values.margin_volts) && values.margin_volts < 0.2
        ? `Weniger als ${format.withUnit(0.2, 1, "V")} bis zur Abschaltung.`
        : "Er startet bald neu oder schaltet ab.",
  }),
  power_save: (values, format) => ({
    title: known(values.power_save_level) ? `Spart Strom, Stufe ${format.number(values.power_save_level)}` : "Spart Strom",
    advice: "So hat es sein Betreiber eingestellt.",
  }),
  full: () => ({ title: "Akku voll" }),
  charging: () => ({ title: "Lädt" }),
  discharging: () => ({ title: "Entlädt" }),
  charging_unknown: () => ({ title: "Nicht bekannt, ob er lädt" }),
};

const SAYS: Record<Language, Record<FindingKey, Say>> = { en, de };

/** Gives the words for a finding. A newer collector may find what this page has no words for: then its key. */
export function sayFinding(finding: Finding, language: Language, format: Format, now: number): FindingWords {
  const say = SAYS[language][finding.key] as Say | undefined;
  if (!say) return { title: String(finding.key).replaceAll("_", " "), advice: "", value: "" };
  const { title, advice = "" } = say(finding.values, format, now);
  return { title, advice, value: sayValue(finding, format) };
}

function sayValue({ key, values }: Finding, format: Format): string {
  if (key.startsWith("battery_") && known(values.battery_celsius)) return format.withUnit(values.battery_celsius, 1, "°C");
  if (key === "upgrade_not_advised" && known(values.margin_volts)) return `${format.signed(values.margin_volts, 2)}\u202fV`;
  if ((key === "health_unknown" || key === "battery_worn") && known(values.state_of_health_percent)) {
    return format.withUnit(values.state_of_health_percent, 0, "%");
  }
  if (known(values.battery_volts)) return format.withUnit(values.battery_volts, 2, "V");
  return "";
}
