import { describe, expect, it } from "vitest";
import type { CollectorStatus, Node, RejectedPiece } from "../api/types";
import { readProgress } from "./start";

const status = (addresses: number): CollectorStatus =>
  ({
    configured: { addresses, broker: null, has_push: false },
    polling: { answering: 0, failing: 0, overdue: 0, answered_at: null, troubles: [] },
    mqtt: {},
    newest: {},
  }) as unknown as CollectorStatus;
const node = (clock: string, latitude: number): Node =>
  ({ node: "Dach", clock: { state: clock, since: null, offset_seconds: 0 }, configuration: { latitude, longitude: 13 } }) as Node;
const now = (progress: Record<string, string>) => Object.entries(progress).find(([, one]) => one === "now")?.[0];

describe("the first start", () => {
  it("begins with a source", () => {
    const progress = readProgress(status(0), [], []);
    expect(progress).toEqual({ configured: "now", answered: "todo", stored: "todo", clock: "todo", position: "todo" });
  });

  it("waits for an answer once there is a source", () => {
    expect(now(readProgress(status(1), [], []))).toBe("answered");
  });

  it("takes rejected input for an answer, and asks to look at it", () => {
    expect(now(readProgress(status(1), [], [{} as RejectedPiece]))).toBe("stored");
  });

  it("goes on with a wrong clock, then with a missing position", () => {
    expect(now(readProgress(status(1), [node("behind", 0)], []))).toBe("clock");
    expect(now(readProgress(status(1), [node("good", 91)], []))).toBe("position");
  });

  it("is over when a node is here with everything, whatever it was that brought it", () => {
    expect(now(readProgress(status(0), [node("good", 52.5)], []))).toBeUndefined();
  });
});
