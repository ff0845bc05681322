import type { State } from "../api/types";

export type IconName =
  | "fleet"
  | "map"
  | "compare"
  | "collector"
  | "find"
  | "back"
  | "close"
  | "settings"
  | "unplug"
  | "reboot"
  | "clock"
  | "configuration"
  | "print"
  | "download"
  | "plus"
  | "minus"
  | "whole";

/** The shape of a state, or of a note. Beside its word it is decoration; alone it says its name. */
export const Glyph = ({ state, label }: { state: State | "note"; label?: string }) => (
  <svg class="glyph" role={label ? "img" : undefined} aria-label={label} aria-hidden={label ? undefined : "true"}>
    <use href={`#g-${state}`} />
  </svg>
);

export const Icon = ({ name }: { name: IconName }) => (
  <svg class="icon" aria-hidden="true">
    <use href={`#i-${name}`} />
  </svg>
);

/** A number with its unit, which is smaller. */
export const Value = ({ text, unit }: { text: string; unit: string }) => (
  <span class="num">
    {text}
    <span class="u">{unit}</span>
  </span>
);
