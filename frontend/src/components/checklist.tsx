import { rejected } from "../api/rejected";
import { collectorStatus } from "../api/resources";
import type { CollectorStatus, Node, RejectedPiece } from "../api/types";
import { COLLECTOR_TEXTS, type CollectorTexts } from "../i18n/collector";
import { useWords } from "../i18n/use";
import { STEPS, readProgress, type Progress, type StepName } from "../state/start";
import { useSource } from "../state/use";
import { Raw } from "./raw";
import { Said } from "./said";
import "../style/collector.css";

/** From nothing to the first chart: what is done, and what is to be done now. */
export function Checklist({ nodes }: { nodes: readonly Node[] }) {
  const { language } = useWords();
  const texts = COLLECTOR_TEXTS[language];
  const status = useSource(collectorStatus()).value;
  const pieces = useSource(rejected()).value ?? [];
  if (!status) return null;
  const progress = readProgress(status, nodes, pieces);
  return (
    <section class="panel">
      <h2>{texts.start}</h2>
      <ol class="steps">
        {STEPS.map((step, index) => (
          <Step key={step} step={step} number={index + 1} progress={progress[step]} texts={texts} status={status} newest={pieces[0]} />
        ))}
      </ol>
    </section>
  );
}

interface StepProps {
  step: StepName;
  number: number;
  progress: Progress;
  texts: CollectorTexts;
  status: CollectorStatus;
  newest: RejectedPiece | undefined;
}

function Step({ step, number, progress, texts, status, newest }: StepProps) {
  const { addresses, broker, has_push } = status.configured;
  const isNow = progress === "now";
  const trouble = status.polling.troubles[0];
  return (
    <li class={progress} aria-current={isNow ? "step" : undefined}>
      <span class="n" aria-hidden="true">
        {progress === "done" ? "✓" : number}
      </span>
      <div>
        <p class="t">
          {texts.steps[step]} <span class="vh">({texts.progress[progress]})</span>
        </p>
        {isNow && <p>{texts.hints[step]}</p>}
        {step === "configured" && !isNow && <p translate={false}>{texts.sourcesSet(addresses, broker, has_push)}</p>}
        {isNow && step === "answered" && trouble && (
          <p class="mono">
            <bdi translate={false}>{trouble.address}</bdi>: <Said text={trouble.error} />
          </p>
        )}
        {isNow && step === "stored" && newest && (
          <>
            <p>{texts.rawFirst}</p>
            <Raw piece={newest} texts={texts} />
          </>
        )}
      </div>
    </li>
  );
}
