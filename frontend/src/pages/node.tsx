import { nodes } from "../api/resources";
import type { Finding, Node as NodeData } from "../api/types";
import { Age, FrozenAt } from "../components/age";
import { AppBar } from "../components/layout";
import { Glyph, Icon, Value } from "../components/marks";
import { Notice, Standing, frozenSince } from "../components/notices";
import { sayFinding } from "../i18n/findings";
import { useWords, type Words } from "../i18n/use";
import { TIGHT_VOLTS, batteryVolts, isStale, leadingFinding, marginVolts } from "../state/fleet";
import { useNow, useSource } from "../state/use";

/** One node: how it is, and everything that was found at it. */
export default function Node({ name, isBeside }: { name: string; isBeside: boolean }) {
  const words = useWords();
  const source = nodes();
  const snapshot = useSource(source);
  const frozenAt = frozenSince(snapshot, useNow());
  const node = snapshot.value?.find((one) => one.node === name);
  const back = !isBeside && (
    <a class="iconbtn" href="#/" aria-label={words.texts.back}>
      <Icon name="back" />
    </a>
  );
  return (
    <FrozenAt.Provider value={frozenAt}>
      <div class={frozenAt === null ? "" : "frozen"}>
        <AppBar title={<bdi translate={false}>{name}</bdi>} before={back} />
        {!isBeside && <Standing source={source} snapshot={snapshot} />}
        {snapshot.value && !node && (
          <Notice title={words.texts.notFound}>
            <a class="btn" href="#/">
              {words.texts.back}
            </a>
          </Notice>
        )}
        {node && <Verdict node={node} words={words} />}
        {node && <Findings node={node} words={words} />}
      </div>
    </FrozenAt.Provider>
  );
}

function Verdict({ node, words }: { node: NodeData; words: Words }) {
  const { texts, format, language } = words;
  const now = useNow();
  const leading = leadingFinding(node);
  const volts = batteryVolts(node);
  const margin = marginVolts(node);
  const charge = node.newest?.untrusted.includes("state_of_charge_percent") ? null : node.newest?.state_of_charge_percent;
  const isOld = isStale(node.state);
  return (
    <section class={`verdict s-${node.state}`}>
      <p class="state">
        <Glyph state={node.state} />
        {texts.states[node.state]}
        {node.newest && <Age at={Date.parse(node.newest.measured_at)} words={words} isOld={isOld} />}
      </p>
      {leading && <p class="line">{sayFinding(leading, language, format, now).title}</p>}
      <dl class={isOld ? "trio was" : "trio"}>
        <div>
          <dt>{texts.battery}</dt>
          <dd>{volts === null ? <span class="unknown">–</span> : <Value text={format.number(volts, 2)} unit="V" />}</dd>
        </div>
        <div>
          <dt>{texts.toDisconnect}</dt>
          <dd class={margin !== null && margin < TIGHT_VOLTS && !isOld ? "tight" : ""}>
            {margin === null ? <span class="unknown">–</span> : <Value text={format.signed(margin, 2)} unit="V" />}
          </dd>
        </div>
        <div class="minor">
          <dt>{texts.chargeGuess}</dt>
          <dd>{charge == null ? "–" : format.withUnit(charge, 0, "%")}</dd>
        </div>
      </dl>
    </section>
  );
}

function Findings({ node, words }: { node: NodeData; words: Words }) {
  return (
    <section class="panel">
      <h2>{words.texts.findings}</h2>
      <ul class="findings">
        {node.findings.map((finding) => (
          <FindingRow key={finding.key} finding={finding} words={words} />
        ))}
      </ul>
    </section>
  );
}

function FindingRow({ finding, words }: { finding: Finding; words: Words }) {
  const now = useNow();
  const { title, advice, value } = sayFinding(finding, words.language, words.format, now);
  const isFine = finding.severity === "fine";
  return (
    <li class={`s-${finding.severity}${isFine ? " ok" : ""}`}>
      <Glyph state={finding.severity} label={words.texts.states[finding.severity]} />
      <div>
        <p class="t">{title}</p>
        {advice && <p class="a">{advice}</p>}
      </div>
      <p class="v num">{value}</p>
    </li>
  );
}
