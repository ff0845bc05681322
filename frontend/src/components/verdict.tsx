import type { Bars, NodeDetail, Recent } from "../api/series";
import type { Node } from "../api/types";
import { Ruler } from "../charts/ruler";
import { sayFinding } from "../i18n/findings";
import type { NodeTexts } from "../i18n/node";
import type { Words } from "../i18n/use";
import { TIGHT_VOLTS, areVoltsHidden, batteryVolts, isStale, leadingFinding, marginVolts } from "../state/fleet";
import { useNow } from "../state/use";
import { Age } from "./age";
import { Glyph, Value } from "./marks";

export interface VerdictProps {
  node: Node;
  detail: NodeDetail | null;
  recent: Recent | null;
  words: Words;
  texts: NodeTexts;
}

/** How a node is: state, sentence, what to do, volts and how far they are from the disconnect. */
export function Verdict({ node, detail, recent, words, texts }: VerdictProps) {
  const { texts: common, format, language } = words;
  const now = useNow();
  const leading = leadingFinding(node);
  const said = leading && sayFinding(leading, language, format, now);
  const volts = batteryVolts(node);
  const disconnect = node.configuration?.low_voltage_disconnect_volts || null;
  const isOld = isStale(node.state);
  const interval = detail?.record_interval_seconds;
  return (
    <section class={`verdict s-${node.state}`}>
      <div>
        <p class="state">
          <Glyph state={node.state} />
          {common.states[node.state]}
          {node.newest && <Age at={Date.parse(node.newest.measured_at)} words={words} isOld={isOld} />}
        </p>
        {said && <p class="line">{said.title}</p>}
        <p class="sub">
          {said?.advice} {interval ? `${texts.intervalOf(format.span(Math.round(interval) * 1000))}.` : ""}
        </p>
      </div>
      <div>
        <Trio node={node} words={words} texts={texts} />
        {volts === null && <LastBelieved recent={recent} words={words} texts={texts} />}
        {volts !== null && disconnect !== null && (
          <Ruler
            volts={volts}
            disconnect={disconnect}
            chargeEnd={believed(node, "charge_end_volts") || null}
            day={recent && dayExtremes(recent.hours)}
            isOld={isOld}
            words={words}
            texts={texts}
          />
        )}
      </div>
    </section>
  );
}

/** A value of the newest measurement that can be believed; null: there is none. */
export function believed(node: Node, field: "charge_end_volts" | "state_of_charge_percent"): number | null {
  return node.newest?.untrusted.includes(field) ? null : (node.newest?.[field] ?? null);
}

function Trio({ node, words, texts }: { node: Node; words: Words; texts: NodeTexts }) {
  const { texts: common, format } = words;
  const volts = batteryVolts(node);
  const margin = marginVolts(node);
  const charge = believed(node, "state_of_charge_percent");
  const isOld = isStale(node.state);
  const unknown = (
    <span class="unknown">
      – <small>{areVoltsHidden(node) ? common.hidden : common.notKnown}</small>
    </span>
  );
  return (
    <dl class={isOld ? "trio was" : "trio"}>
      <div>
        <dt>{common.battery}</dt>
        <dd>{volts === null ? unknown : <Value text={format.number(volts, 2)} unit="V" />}</dd>
      </div>
      <div>
        <dt>{common.toDisconnect}</dt>
        <dd class={margin !== null && margin < TIGHT_VOLTS && !isOld ? "tight" : ""}>
          {margin === null ? unknown : <Value text={format.signed(margin, 2)} unit="V" />}
        </dd>
      </div>
      <div class="minor">
        <dt>{texts.lanes.charge}</dt>
        <dd>{charge === null ? <span class="unknown">–</span> : format.withUnit(charge, 0, "%")}</dd>
      </div>
    </dl>
  );
}

/** Least and greatest battery volts of these bars; null: none has any. */
export function dayExtremes({ low, high }: Bars): [number, number] | null {
  const lows = low.filter((value) => value !== null);
  const highs = high.filter((value) => value !== null);
  return lows.length && highs.length ? [Math.min(...lows), Math.max(...highs)] : null;
}

const HOUR_MS = 3_600_000;

/** The last battery volts that could be believed, of a node that sends none now. */
function LastBelieved({ recent, words, texts }: { recent: Recent | null; words: Words; texts: NodeTexts }) {
  const now = useNow();
  const { format } = words;
  const hour = recent && lastOf(recent.hours);
  const day = recent && lastOf(recent.days);
  if (!hour && !day) return null;
  const time = hour ? format.at(hour.at + HOUR_MS / 2, now) : format.day((day?.at ?? 0) + 12 * HOUR_MS, now);
  return <p class="sub">{texts.lastBelieved(format.withUnit((hour ?? day)?.volts ?? 0, 2, "V"), time)}</p>;
}

function lastOf({ startsAt, last }: Bars): { at: number; volts: number } | null {
  for (let index = last.length - 1; index >= 0; index -= 1) {
    const volts = last[index] ?? null;
    if (volts !== null) return { at: startsAt[index] ?? 0, volts };
  }
  return null;
}
