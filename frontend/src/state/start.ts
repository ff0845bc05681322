import type { CollectorStatus, Node, RejectedPiece } from "../api/types";
import { positionOf } from "./place";

export const STEPS = ["configured", "answered", "stored", "clock", "position"] as const;
export type StepName = (typeof STEPS)[number];

export type Progress = "done" | "now" | "todo";

/** How far a new collector has come; the first step that is not done is the one to look at. */
export function readProgress(status: CollectorStatus, nodes: readonly Node[], rejected: readonly RejectedPiece[]): Record<StepName, Progress> {
  const { configured, polling, mqtt, newest } = status;
  const hasStored = nodes.length > 0;
  const hasHeard =
    hasStored ||
    rejected.length > 0 ||
    polling.answered_at !== null ||
    Object.keys(newest).length > 0 ||
    Object.values(mqtt).some((one) => one.last_message_at !== null);
  const isDone: Record<StepName, boolean> = {
    configured: hasStored || configured.addresses > 0 || configured.broker !== null || configured.has_push,
    answered: hasHeard,
    stored: hasStored,
    clock: hasStored && nodes.every((one) => one.clock === null || one.clock.state === "good"),
    position: hasStored && nodes.every((one) => positionOf(one) !== null),
  };
  const first = STEPS.find((one) => !isDone[one]);
  const progress = (one: StepName): Progress => (isDone[one] ? "done" : one === first ? "now" : "todo");
  return Object.fromEntries(STEPS.map((one) => [one, progress(one)])) as Record<StepName, Progress>;
}
