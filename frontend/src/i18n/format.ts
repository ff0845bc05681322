import type { Language } from "../state/settings";

/** Between a number and its unit; no line breaks there. */
const BLANK = "\u202f";
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const UNITS = {
  en: { day: ["day", "days"], ago: (span: string) => `${span} ago`, point: ".", group: "," },
  de: { day: ["Tag", "Tage"], ago: (span: string) => `vor ${span.replace(/Tage$/, "Tagen")}`, point: ",", group: "." },
} as const;
/** 12.045 is a little less in binary: so much more, and halves are rounded up as on paper. */
const A_HAIR_MORE = 1 + 1e-12;

/** How numbers and times are written in a language, times as the clock at the site shows them. */
export interface Format {
  /** With this many decimals and a real minus; no unit. */
  number: (value: number, decimals?: number) => string;
  /** "12.04 V" */
  withUnit: (value: number, decimals: number, unit: string) => string;
  /** "+0.14": how far above or below. */
  signed: (value: number, decimals: number) => string;
  /** "12 s", "4 min", "3 h", "2 days"; whole units, rounded down. */
  span: (ms: number) => string;
  /** "4 min ago"; over seven days the date. */
  ago: (at: number, now: number) => string;
  /** "14:05", on another day than `now` "21 Nov, 14:05", in another year "21 Nov 2025". */
  at: (at: number, now: number) => string;
  isToday: (at: number, now: number) => boolean;
  /** "21 Nov", or with the year where that is another one. */
  day: (at: number, now: number) => string;
}

export function makeFormat(language: Language, timeZone?: string): Format {
  const locale = language === "de" ? "de-DE" : "en-GB";
  const format = (options: Intl.DateTimeFormatOptions) => once(() => dateFormat(locale, options, timeZone));
  const clock = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const shortDay = format({ day: "numeric", month: "short" });
  const longDay = format({ day: "numeric", month: "short", year: "numeric" });
  const dayKey = once(() => dateFormat("en-CA", { year: "numeric", month: "2-digit", day: "2-digit" }, timeZone));
  const words = UNITS[language];

  const number = (value: number, decimals = 0) => {
    const [whole = "", fraction] = (Math.abs(value) * A_HAIR_MORE).toFixed(decimals).split(".");
    const grouped = whole.replace(/\B(?=(\d{3})+$)/g, words.group);
    const text = fraction === undefined ? grouped : grouped + words.point + fraction;
    return value < 0 && /[1-9]/.test(text) ? `−${text}` : text; // no "−0.00"
  };
  const span = (ms: number) => {
    const [count, unit] = inUnits(Math.max(0, ms));
    return `${count}${BLANK}${unit === "day" ? words.day[count === 1 ? 0 : 1] : unit}`;
  };
  const day = (at: number, now: number) =>
    (dayKey().format(at).slice(0, 4) === dayKey().format(now).slice(0, 4) ? shortDay() : longDay()).format(at);
  const isToday = (at: number, now: number) => dayKey().format(at) === dayKey().format(now);
  return {
    number,
    withUnit: (value, decimals, unit) => number(value, decimals) + BLANK + unit,
    signed: (value, decimals) => {
      const text = number(value, decimals);
      return text.startsWith("−") ? text : `+${text}`;
    },
    span,
    ago: (at, now) => (now - at > 7 * DAY ? day(at, now) : words.ago(span(now - at))),
    isToday,
    at: (at, now) => (isToday(at, now) ? clock().format(at) : `${day(at, now)}, ${clock().format(at)}`),
    day,
  };
}

/** Makes something when it is first asked for: the first formatter of a kind takes a slow phone as long as a few nodes. */
function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

function inUnits(ms: number): [number, string] {
  if (ms < MINUTE) return [Math.floor(ms / SECOND), "s"];
  if (ms < HOUR) return [Math.floor(ms / MINUTE), "min"];
  if (ms < DAY) return [Math.floor(ms / HOUR), "h"];
  return [Math.floor(ms / DAY), "day"];
}

/** Old browsers do not know every time zone: their own is better than nothing. */
function dateFormat(locale: string, options: Intl.DateTimeFormatOptions, timeZone?: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat(locale, { ...options, timeZone });
  } catch {
    return new Intl.DateTimeFormat(locale, options);
  }
}
