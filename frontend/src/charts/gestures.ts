import { useEffect, useRef } from "preact/hooks";
import { type Span, pinchSpan, zoomSpan } from "../state/range";
import { GUTTER, RIGHT } from "./lane";

/** What a hand does to the chart, by finger, mouse or key. */
export interface Hands {
  /** Points at an instant, or at nothing any more. */
  point: (at: number | null) => void;
  /** Marks a part, before it is let go; null: no more. */
  select: (part: Span | null) => void;
  /** Shows a span while the fingers are still down. */
  preview: (span: Span) => void;
  /** Shows a span from now on. */
  choose: (span: Span) => void;
  /** Back to the whole range. */
  back: () => void;
}

const DRAG_PIXELS = 8;
const DOUBLE_TAP_MS = 350;
const WHEEL_PAUSE_MS = 250;

/** Lets hands move over a box whose lanes show `span`. One finger up or down still scrolls the page. */
export function useGestures(box: { current: HTMLElement | null }, span: Span, limits: Span, hands: Hands): void {
  const state = useRef({ span, limits, hands });
  state.current = { span, limits, hands };
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    return listen(element, () => state.current);
  }, []);
}

interface Touch {
  share: number;
  x: number;
}

function listen(element: HTMLElement, now: () => { span: Span; limits: Span; hands: Hands }): () => void {
  const touches = new Map<number, Touch>();
  let begin: Touch | null = null;
  let isDragging = false;
  let held: [number, number] | null = null;
  let shown: Span | null = null;
  let lastTap = 0;
  let wheelEnd: ReturnType<typeof setTimeout> | undefined;

  const touchOf = (event: PointerEvent | WheelEvent): Touch => {
    const { left, width } = element.getBoundingClientRect();
    const share = (event.clientX - left - GUTTER) / (width - GUTTER - RIGHT);
    return { share: Math.min(1, Math.max(0, share)), x: event.clientX };
  };
  const instant = ({ share }: Touch, { from, to } = now().span) => from + share * (to - from);
  const part = (one: Touch, other: Touch): Span => ({
    from: Math.min(instant(one), instant(other)),
    to: Math.max(instant(one), instant(other)),
  });

  const down = (event: PointerEvent) => {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    const touch = touchOf(event);
    touches.set(event.pointerId, touch);
    if (touches.size === 1) {
      begin = touch;
    } else if (touches.size === 2) {
      const [one, other] = [...touches.values()].sort((a, b) => a.share - b.share) as [Touch, Touch];
      held = [instant(one), instant(other)];
      isDragging = false;
      now().hands.select(null);
    }
  };
  const move = (event: PointerEvent) => {
    const touch = touchOf(event);
    const { hands, limits } = now();
    if (!touches.has(event.pointerId)) {
      if (event.pointerType === "mouse") hands.point(instant(touch));
      return;
    }
    touches.set(event.pointerId, touch);
    if (held && touches.size >= 2) {
      const [one, other] = [...touches.values()].map((each) => each.share).sort((a, b) => a - b) as [number, number];
      shown = pinchSpan(held, [one, other], limits) ?? shown;
      if (shown) hands.preview(shown);
    } else if (begin && !held && (isDragging || Math.abs(touch.x - begin.x) > DRAG_PIXELS)) {
      if (!isDragging) element.setPointerCapture(event.pointerId);
      isDragging = true;
      hands.select(part(begin, touch));
    }
  };
  const up = (event: PointerEvent) => {
    const touch = touchOf(event);
    const { hands } = now();
    touches.delete(event.pointerId);
    if (held) {
      if (touches.size > 0) return;
      held = null;
      if (shown) hands.choose(shown);
      shown = null;
    } else if (begin && isDragging) {
      hands.select(null);
      hands.choose(part(begin, touch));
    } else if (begin) {
      const isDouble = event.timeStamp - lastTap < DOUBLE_TAP_MS;
      lastTap = isDouble ? 0 : event.timeStamp;
      if (isDouble) hands.back();
      else hands.point(instant(touch));
    }
    begin = null;
    isDragging = false;
  };
  const cancel = (event: PointerEvent) => {
    // The browser scrolls instead: nothing was meant for us.
    touches.delete(event.pointerId);
    begin = null;
    isDragging = false;
    if (touches.size === 0) held = shown = null;
    now().hands.select(null);
  };
  const leave = (event: PointerEvent) => {
    if (event.pointerType === "mouse" && touches.size === 0) now().hands.point(null);
  };
  /** Two fingers on a trackpad arrive as a wheel with Ctrl. */
  const wheel = (event: WheelEvent) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    const { span, limits, hands } = now();
    const base = shown ?? span;
    shown = zoomSpan(base, Math.exp(event.deltaY / 100), instant(touchOf(event), base), limits);
    hands.preview(shown);
    clearTimeout(wheelEnd);
    wheelEnd = setTimeout(() => {
      if (shown) now().hands.choose(shown);
      shown = null;
    }, WHEEL_PAUSE_MS);
  };

  element.addEventListener("pointerdown", down);
  element.addEventListener("pointermove", move);
  element.addEventListener("pointerup", up);
  element.addEventListener("pointercancel", cancel);
  element.addEventListener("pointerleave", leave);
  element.addEventListener("wheel", wheel, { passive: false });
  return () => {
    clearTimeout(wheelEnd);
    element.removeEventListener("pointerdown", down);
    element.removeEventListener("pointermove", move);
    element.removeEventListener("pointerup", up);
    element.removeEventListener("pointercancel", cancel);
    element.removeEventListener("pointerleave", leave);
    element.removeEventListener("wheel", wheel);
  };
}
