import type { ComponentChildren } from "preact";
import type { NodeDetail } from "../api/series";
import type { Configuration, Measurement, Node } from "../api/types";
import { placeOf } from "../charts/picture";
import type { NodeTexts } from "../i18n/node";
import type { Words } from "../i18n/use";
import { isStale } from "../state/fleet";
import { useNow } from "../state/use";
import { Age } from "./age";
import { Icon } from "./marks";

interface Props {
  node: Node;
  words: Words;
  texts: NodeTexts;
}

interface FactProps {
  name: string;
  children: ComponentChildren;
  note?: string;
  isUnknown?: boolean;
}

const Fact = ({ name, children, note, isUnknown = false }: FactProps) => (
  <div>
    <dt>{name}</dt>
    <dd class={isUnknown ? "unknown" : ""}>
      {children}
      {note && <small>{note}</small>}
    </dd>
  </div>
);

/** What a number of the newest measurement reads as: its value, or why there is none. */
type Reading = { text: string; isUnknown: boolean };

export function readNumber(newest: Measurement, field: keyof Measurement, words: Words, texts: NodeTexts, write: (value: number) => string): Reading {
  const value = newest[field] as number | null;
  if (newest.untrusted.includes(field)) return { text: texts.hiddenValue, isUnknown: true };
  return value === null ? { text: words.texts.notKnown, isUnknown: true } : { text: write(value), isUnknown: false };
}

/** Minutes of a countdown that runs for no node. */
const NO_COUNTDOWN = 0;

/** The newest values that stand nowhere above. */
export function Values({ node, words, texts }: Props) {
  const now = useNow();
  const { newest } = node;
  if (!newest) return null;
  const { format } = words;
  const read = (field: keyof Measurement, write: (value: number) => string) => readNumber(newest, field, words, texts, write);
  const volts = (decimals: number) => (value: number) => format.withUnit(value, decimals, "V");
  // A panel at 0 V is in the dark: that is weather, and no fault.
  const panel = (value: number) => (value === 0 ? texts.dark : volts(1)(value));
  const health = read("state_of_health_percent", (value) => format.withUnit(value, 0, "%"));
  const isHealthUnknown = node.findings.some((one) => one.key === "health_unknown");
  const facts: (Reading & { name: string; note?: string })[] = [
    { name: texts.fields.chargeEnd, ...read("charge_end_volts", volts(2)) },
    { name: texts.fields.panelOpen, ...read("panel_open_circuit_volts", panel) },
    { name: texts.fields.panelWork, ...read("panel_mpp_volts", panel) },
    { name: texts.fields.temperature, ...read("battery_celsius", (value) => format.withUnit(value, 1, "°C")) },
    {
      name: texts.fields.health,
      ...(isHealthUnknown && !health.isUnknown
        ? { text: words.texts.notKnown, isUnknown: true, note: `${health.text} ${texts.sinceReboot}` }
        : health),
    },
    {
      name: texts.fields.reboot,
      ...read("minutes_until_shutdown", (minutes) => {
        if (minutes === NO_COUNTDOWN) return texts.never;
        const left = Date.parse(newest.measured_at) + minutes * 60_000 - now;
        return texts.inMinutes(format.span(left));
      }),
    },
    { name: texts.fields.powerSave, ...read("power_save_level", (level) => texts.level(format.number(level))) },
  ];
  return (
    <section class="panel a-values">
      <header>
        <h2>{texts.values}</h2>
        <Age at={Date.parse(newest.measured_at)} words={words} isOld={isStale(node.state)} />
      </header>
      <dl class="values">
        {facts.map(({ name, text, isUnknown, note }) => (
          <Fact key={name} name={name} isUnknown={isUnknown} note={note}>
            {text}
          </Fact>
        ))}
        {newest.status && (
          <Fact name={texts.fields.status}>
            <code>{newest.status}</code>
          </Fact>
        )}
      </dl>
    </section>
  );
}

/** What a node is and where. */
export function About({ node, detail, words, texts }: Props & { detail: NodeDetail | null }) {
  const now = useNow();
  const { format } = words;
  const { configuration } = node;
  const place = placeOf(node);
  const named = (field: keyof Configuration) => sayConfigured(field, configuration?.[field] ?? null, words, texts);
  const fact = (field: keyof Configuration) => (
    <Fact name={texts.configurationNames[field]} isUnknown={configuration?.[field] == null}>
      <bdi translate={false}>{named(field)}</bdi>
    </Fact>
  );
  return (
    <section class="panel a-about">
      <h2>{texts.about}</h2>
      <dl class="values">
        {fact("dialect")}
        {fact("firmware")}
        {fact("rated_battery_amp_hours")}
        {fact("rated_panel_watts")}
        {fact("low_voltage_disconnect_volts")}
        <Fact name={texts.position} isUnknown={place === null}>
          {place ? `${format.number(place.latitude, 4)}°, ${format.number(place.longitude, 4)}°` : words.texts.notKnown}
        </Fact>
        {detail?.record_interval_seconds && <Fact name={texts.interval}>{format.span(Math.round(detail.record_interval_seconds) * 1000)}</Fact>}
        {detail?.first_measured_at && <Fact name={texts.firstMeasured}>{format.at(Date.parse(detail.first_measured_at), now)}</Fact>}
        <Fact name={texts.firstSeen}>{format.at(Date.parse(node.first_seen_at), now)}</Fact>
        {node.addresses.length > 0 && (
          <Fact name={texts.addresses}>
            <bdi translate={false} class="mono">
              {node.addresses.join(" ")}
            </bdi>
          </Fact>
        )}
      </dl>
    </section>
  );
}

const CONFIGURED: Partial<Record<keyof Configuration, { decimals: number; unit: string }>> = {
  low_voltage_disconnect_volts: { decimals: 2, unit: "V" },
  rated_battery_amp_hours: { decimals: 1, unit: "Ah" },
  rated_panel_watts: { decimals: 0, unit: "W" },
  latitude: { decimals: 5, unit: "°" },
  longitude: { decimals: 5, unit: "°" },
};

/** A configured value with its unit, or that it was not sent. */
export function sayConfigured(field: keyof Configuration, value: string | number | null, { format }: Words, texts: NodeTexts): string {
  if (value === null || value === "") return texts.notSent;
  if (field === "dialect") return texts.dialects[value] ?? String(value);
  const written = CONFIGURED[field];
  if (typeof value !== "number" || !written) return String(value);
  return format.withUnit(value, value % 1 === 0 && written.unit === "Ah" ? 0 : written.decimals, written.unit);
}

export interface Change {
  at: number;
  field: keyof Configuration;
  value: string | number | null;
  before: string | number | null;
}

/** What changed from each configuration to the next, the newest first. */
export function listChanges(configurations: NodeDetail["configurations"]): Change[] {
  const changes: Change[] = [];
  configurations.forEach(({ since, configuration }, index) => {
    const before = configurations[index - 1]?.configuration;
    if (!before) return;
    for (const field of Object.keys(configuration) as (keyof Configuration)[]) {
      if (configuration[field] !== before[field]) {
        changes.push({ at: Date.parse(since), field, value: configuration[field], before: before[field] });
      }
    }
  });
  return changes.reverse();
}

const SHOWN_CHANGES = 5;

/** What was set otherwise before, and when that changed. */
export function ConfigurationHistory({ detail, words, texts }: { detail: NodeDetail; words: Words; texts: NodeTexts }) {
  const now = useNow();
  const changes = listChanges(detail.configurations);
  const first = detail.configurations[0];
  const row = (change: Change) => <ChangeRow key={`${change.at} ${change.field}`} change={change} words={words} texts={texts} />;
  const older = changes.slice(SHOWN_CHANGES);
  return (
    <section class="panel a-configuration">
      <h2>{texts.configuration}</h2>
      {changes.length === 0 && first && <p class="say">{texts.noChange(words.format.at(Date.parse(first.since), now))}</p>}
      <ul class="changes">{changes.slice(0, SHOWN_CHANGES).map(row)}</ul>
      {older.length > 0 && (
        <details class="twin">
          <summary>{texts.olderChanges(older.length)}</summary>
          <ul class="changes">{older.map(row)}</ul>
        </details>
      )}
    </section>
  );
}

function ChangeRow({ change, words, texts }: { change: Change; words: Words; texts: NodeTexts }) {
  const now = useNow();
  const { at, field, value, before } = change;
  return (
    <li>
      <Icon name="configuration" />
      <div>
        <b translate={false}>
          <bdi>{texts.before(sayConfigured(field, value, words, texts), sayConfigured(field, before, words, texts))}</bdi>
        </b>
        <p class="a">{texts.configurationNames[field]}</p>
      </div>
      <time dateTime={new Date(at).toISOString()}>{words.format.at(at, now)}</time>
    </li>
  );
}
