import type { RefObject } from "preact";
import { LOST_SPARK_HOURS, SPARK_HOURS, type History } from "../api/resources";
import type { Node, State } from "../api/types";
import { sayFinding } from "../i18n/findings";
import type { Words } from "../i18n/use";
import { TIGHT_VOLTS, areVoltsHidden, batteryVolts, isStale, leadingFinding, marginVolts, needsYou } from "../state/fleet";
import { writeRoute } from "../state/route";
import { Age } from "./age";
import { lazily } from "./lazy";
import { Glyph, Value } from "./marks";
import { memo } from "./memo";
import { useSeen } from "./seen";

const Spark = lazily(() => import("../charts/fleet").then((part) => part.Spark), NoSpark);

export interface NodeProps {
  node: Node;
  words: Words;
  history: History | undefined;
  /** Where sparklines end, in epoch ms. */
  now: number;
  isChosen: boolean;
}

/** A node in the list: a card where a person must act, else a row. */
export const NodeItem = memo((props: NodeProps) => (needsYou(props.node.state) ? <Card {...props} /> : <Row {...props} />));

const linkTo = ({ node, isChosen }: NodeProps) => ({
  href: writeRoute({ page: "node", node: node.node }),
  "data-node": node.node,
  "aria-current": isChosen ? ("true" as const) : undefined,
});

function Card(props: NodeProps) {
  const { node } = props;
  return (
    <a class={`card s-${node.state}`} {...linkTo(props)}>
      <Glyph state={node.state} />
      <Said {...props} />
      <Numbers {...props} />
      <div class="foot">
        <Sparkline {...props} width={236} height={40} />
        <NodeAge {...props} />
      </div>
    </a>
  );
}

function Row(props: NodeProps) {
  const { node } = props;
  return (
    <a class={`row s-${node.state}`} {...linkTo(props)}>
      <Glyph state={node.state} label={node.state === "fine" ? props.words.texts.states.fine : undefined} />
      <Said {...props} />
      <Numbers {...props} />
      <div>
        <Sparkline {...props} width={70} height={26} />
        <NodeAge {...props} />
      </div>
    </a>
  );
}

/** Name and one sentence. The word of the state is left out where nothing is to be done. */
function Said({ node, words, now }: NodeProps) {
  const finding = leadingFinding(node);
  return (
    <div>
      <h3 translate={false}>
        <bdi>{node.node}</bdi>
      </h3>
      <p class="say">
        {node.state !== "fine" && <b>{words.texts.states[node.state]}. </b>}
        {finding && sayFinding(finding, words.language, words.format, now).title}
      </p>
    </div>
  );
}

/** Volts before anything else, then how far that is from the disconnect. */
function Numbers({ node, words }: NodeProps) {
  const { texts, format } = words;
  const volts = batteryVolts(node);
  const margin = marginVolts(node);
  const isOld = isStale(node.state);
  if (volts === null) {
    return (
      <div class="nums">
        <div class="volts unknown">
          <Value text="–" unit="V" />
        </div>
        <div class="margin">{areVoltsHidden(node) ? texts.hidden : texts.notKnown}</div>
      </div>
    );
  }
  return (
    <div class="nums">
      <div class={isOld ? "volts was" : "volts"}>
        <Value text={format.number(volts, 2)} unit="V" />
      </div>
      <Margin volts={margin} words={words} isTight={margin !== null && margin < TIGHT_VOLTS && !isOld} />
    </div>
  );
}

function Margin({ volts, words, isTight }: { volts: number | null; words: Words; isTight: boolean }) {
  if (volts === null) return <div class="margin">{words.texts.notKnown}</div>;
  const text = `${words.format.signed(volts, 2)}\u202fV`;
  return (
    <div class={isTight ? "margin num tight" : "margin num"}>
      <span aria-hidden="true">{text}</span>
      <span class="vh">{words.texts.margin(text)}</span>
    </div>
  );
}

function NodeAge({ node, words }: NodeProps) {
  if (!node.newest) return <span class="age">{words.texts.noReading}</span>;
  return <Age at={Date.parse(node.newest.measured_at)} words={words} isOld={isStale(node.state)} />;
}

const hoursFor = (state: State): number => (state === "lost" ? LOST_SPARK_HOURS : SPARK_HOURS);

function Sparkline({ node, words, history, now, width, height }: NodeProps & { width: number; height: number }) {
  const { ref, isSeen } = useSeen<SVGSVGElement>();
  if (!history || !isSeen) return <NoSpark svg={ref} width={width} height={height} />;
  const { configuration } = node;
  const hours = hoursFor(node.state);
  return (
    <Spark
      history={history}
      hours={hours}
      now={now}
      disconnect={configuration?.low_voltage_disconnect_volts || null}
      latitude={configuration?.latitude || configuration?.longitude ? (configuration?.latitude ?? null) : null}
      longitude={configuration?.longitude ?? null}
      width={width}
      height={height}
      label={words.texts.batteryOf(node.node, hours)}
      note={hours === SPARK_HOURS ? undefined : words.texts.days(hours / 24)}
    />
  );
}

/** As high as the line will be, so that nothing jumps when it arrives. */
function NoSpark({ svg, width, height }: { svg?: RefObject<SVGSVGElement | null>; width: number; height: number }) {
  return <svg ref={svg} class="spark" width={width} height={height} viewBox={`0 0 ${width} ${height}`} aria-hidden="true" />;
}
