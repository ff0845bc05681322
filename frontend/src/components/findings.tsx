import type { Finding, Node } from "../api/types";
import { sayFinding } from "../i18n/findings";
import type { Words } from "../i18n/use";
import { isStale, markOf } from "../state/fleet";
import { useNow } from "../state/use";
import { Age } from "./age";
import { Glyph } from "./marks";

/** Everything that was found at a node, the worst first. */
export function Findings({ node, words }: { node: Node; words: Words }) {
  return (
    <section class="panel a-findings">
      <h2>{words.texts.findings}</h2>
      <ul class="findings">
        {node.findings.map((finding) => (
          <FindingRow key={finding.key} finding={finding} node={node} words={words} />
        ))}
      </ul>
    </section>
  );
}

function FindingRow({ finding, node, words }: { finding: Finding; node: Node; words: Words }) {
  const now = useNow();
  const { title, advice, value } = sayFinding(finding, words.language, words.format, now);
  const mark = markOf(finding);
  const isFine = finding.severity === "fine" && !advice;
  const at = finding.values.heard_at ?? node.newest?.measured_at;
  return (
    <li class={`s-${mark}${isFine ? " ok" : ""}`}>
      <Glyph state={mark} label={mark === "note" ? words.texts.note : words.texts.states[mark]} />
      <div>
        <p class="t">{title}</p>
        {advice && <p class="a">{advice}</p>}
      </div>
      <p class="v num">
        {value}
        {at && <Age at={Date.parse(at)} words={words} isOld={isStale(node.state)} />}
      </p>
    </li>
  );
}
