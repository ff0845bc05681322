import type { Field, Series } from "../api/series";
import type { NodeTexts } from "../i18n/node";
import type { Words } from "../i18n/use";
import type { Span } from "../state/range";
import { useNow } from "../state/use";

/** Rows of the table: as many as can be listened to. */
const ROWS = 12;

export interface Extremes {
  low: number;
  lowAt: number;
  high: number;
  highAt: number;
}

/** The least and the greatest value of a field in a span, and when; null: there is none. */
export function extremes(series: Series, field: Field, { from, to }: Span): Extremes | null {
  let found: Extremes | null = null;
  series.at.forEach((at, index) => {
    const low = series.low[field][index] ?? null;
    const high = series.high[field][index] ?? null;
    if (low === null || high === null || at < from || at > to) return;
    found ??= { low, lowAt: at, high, highAt: at };
    if (low < found.low) [found.low, found.lowAt] = [low, at];
    if (high > found.high) [found.high, found.highAt] = [high, at];
  });
  return found;
}

/** What the charts show, in words and as a table. */
export function Twin({ series, span, words, texts }: { series: Series; span: Span; words: Words; texts: NodeTexts }) {
  const now = useNow();
  const { format } = words;
  const columns: { field: Field; name: string; decimals: number; unit: string }[] = [
    { field: "battery_volts", name: texts.lanes.battery, decimals: 2, unit: "V" },
    { field: "panel_open_circuit_volts", name: `${texts.lanes.panel}, ${texts.openCircuit}`, decimals: 1, unit: "V" },
    { field: "state_of_charge_percent", name: texts.lanes.charge, decimals: 0, unit: "%" },
    { field: "battery_celsius", name: texts.lanes.temperature, decimals: 1, unit: "°C" },
  ];
  const length = (span.to - span.from) / ROWS;
  const parts = Array.from({ length: ROWS }, (_, index) => ({ from: span.from + index * length, to: span.from + (index + 1) * length }));
  return (
    <details class="twin">
      <summary>{texts.asTable}</summary>
      <ul>
        {columns.map(({ field, name, decimals, unit }) => {
          const found = extremes(series, field, span);
          return (
            <li key={field}>
              <b>{name}:</b>{" "}
              {found
                ? texts.summary(format.withUnit(found.low, decimals, unit), format.at(found.lowAt, now), format.withUnit(found.high, decimals, unit), format.at(found.highAt, now))
                : texts.noValues}
            </li>
          );
        })}
      </ul>
      <div class="scroll" tabIndex={0} role="region" aria-label={texts.asTable}>
        <table>
          <thead>
            <tr>
              <th scope="col">{texts.time}</th>
              {columns.map(({ field, name }) => (
                <th key={field} scope="col">
                  {name}
                  <small>{texts.lowHigh}</small>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {parts.map((part) => (
              <tr key={part.from}>
                <th scope="row">{format.at(part.from, now)}</th>
                {columns.map(({ field, decimals, unit }) => {
                  const found = extremes(series, field, part);
                  return (
                    <td key={field}>{found ? `${format.number(found.low, decimals)}; ${format.withUnit(found.high, decimals, unit)}` : texts.noData}</td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
