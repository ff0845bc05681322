import type { Span } from "../state/range";

/** An axis with round steps. */
export interface Scale {
  from: number;
  to: number;
  step: number;
}

/** Steps are 1, 2 or 5 times a power of ten. */
export function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const share = rough / power;
  // A ratio of whole numbers is a whisker off: 0.2 / 0.1 is more than 2 for no machine, 0.3 / 0.1 is less than 3.
  const factor = [1, 2, 5, 10].find((one) => share <= one * 1.000001) ?? 10;
  return Number((factor * power).toPrecision(1));
}

/** The scale that holds these values and is at least `minimum` high, with about `count` steps; it ends at half ones. */
export function niceScale(low: number, high: number, minimum: number, count: number): Scale {
  const lacking = Math.max(0, minimum - (high - low));
  const [from, to] = [low - lacking / 2, high + lacking / 2];
  const step = niceStep((to - from) / count);
  const half = step / 2;
  return { from: Math.floor(from / half + 1e-9) * half, to: Math.ceil(to / half - 1e-9) * half, step };
}

/** The values of a scale that get a label. */
export function scaleTicks({ from, to, step }: Scale): number[] {
  const first = Math.ceil(from / step - 1e-9);
  const count = Math.floor(to / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

/** Decimals that tell the labels of a step apart. */
export const decimalsOf = (step: number): number => Math.max(0, -Math.floor(Math.log10(step) + 1e-9));

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** What may stand between two labels of the time axis: minutes below a day, days, then months. */
const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720];
const DAYS = [1, 2, 7, 14];
const MONTHS = [1, 3, 6, 12, 24, 60];
const MONTH_MS = 30.4 * DAY_MS;

export interface Tick {
  at: number;
  label: string;
}

/** Labels of the time axis, no more than `count`, at round times of the clock at the site. */
export function timeTicks({ from, to }: Span, count: number, locale: string, timeZone: string | undefined): Tick[] {
  const rough = (to - from) / Math.max(1, count);
  const minutes = MINUTES.find((one) => one * MINUTE_MS >= rough);
  if (minutes !== undefined) return clockTicks(from, to, minutes, locale, timeZone);
  const days = DAYS.find((one) => one * DAY_MS >= rough);
  const starts = dayStarts(from, to, timeZone);
  if (days !== undefined) {
    const label = writer(locale, days === 1 ? { weekday: "short", day: "numeric" } : { day: "numeric", month: "short" }, timeZone);
    // Counted from a fixed day, so that labels stay where they are while one moves along.
    return starts.filter(({ day }) => day % days === 0).map(({ at }) => ({ at, label: label(at) }));
  }
  const months = MONTHS.find((one) => one * MONTH_MS >= rough) ?? 120;
  const name = writer(locale, { month: "short" }, timeZone);
  const withYear = writer(locale, { year: "numeric" }, timeZone);
  return starts
    .filter(({ date, month }) => date === 1 && month % months === 0)
    .map(({ at, month }) => ({ at, label: month % 12 === 0 || months >= 12 ? withYear(at) : name(at) }));
}

/** Every so many minutes of the clock. The hour that comes twice has two labels, the second with the zone's name. */
function clockTicks(from: number, to: number, minutes: number, locale: string, timeZone: string | undefined): Tick[] {
  const clock = writer(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }, timeZone);
  const day = writer(locale, { weekday: "short", day: "numeric" }, timeZone);
  const zone = writer(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" }, timeZone);
  const readClock = clockReader(timeZone);
  // Every zone in use is a multiple of a quarter of an hour from UTC.
  const stride = Math.min(minutes, 15) * MINUTE_MS;
  const ticks: Tick[] = [];
  let before: { at: number; minute: number } | null = null;
  for (let at = Math.ceil(from / stride) * stride; at <= to; at += stride) {
    const minute = readClock(at);
    if (minute % minutes !== 0) continue;
    const isAgain = before !== null && before.minute === minute && at - before.at < DAY_MS;
    ticks.push({ at, label: isAgain ? zone(at) : minute === 0 ? day(at) : clock(at) });
    before = { at, minute };
  }
  return ticks;
}

interface DayStart {
  at: number;
  /** Days since 1970, months since the year 0 (January is 0), day of the month: as the calendar at the site has it. */
  day: number;
  month: number;
  date: number;
}

/** Where the local days begin within a span. */
export function dayStarts(from: number, to: number, timeZone: string | undefined): DayStart[] {
  const readDay = dayReader(timeZone);
  const readClock = clockReader(timeZone);
  const starts: DayStart[] = [];
  for (let noon = (Math.floor(from / DAY_MS) + 0.5) * DAY_MS; noon <= to + DAY_MS; noon += DAY_MS) {
    const { day, month, date } = readDay(noon);
    let at = noon - readClock(noon) * MINUTE_MS;
    if (readDay(at).day !== day) at += HOUR_MS; // 23 hours: the day began later than its clock says
    else if (readClock(at) !== 0) at -= readClock(at) * MINUTE_MS; // 25 hours
    if (at >= from && at <= to && starts.at(-1)?.day !== day) starts.push({ at, day, month, date });
  }
  return starts;
}

type Options = Intl.DateTimeFormatOptions;

const formatters = new Map<string, Intl.DateTimeFormat>();

/** Made once: each lane writes the same times, and making one is slow. */
function formatter(locale: string, options: Options, timeZone: string | undefined): Intl.DateTimeFormat {
  const key = JSON.stringify([locale, options, timeZone]);
  const format = formatters.get(key) ?? makeFormatter(locale, options, timeZone);
  formatters.set(key, format);
  return format;
}

function makeFormatter(locale: string, options: Options, timeZone: string | undefined): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat(locale, { ...options, timeZone });
  } catch {
    return new Intl.DateTimeFormat(locale, options); // a zone that this browser does not know
  }
}

const writer = (locale: string, options: Options, timeZone: string | undefined): ((at: number) => string) => {
  const format = formatter(locale, options, timeZone);
  return (at) => format.format(at);
};

/** Minutes since midnight by the clock at the site. */
function clockReader(timeZone: string | undefined): (at: number) => number {
  const format = formatter("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }, timeZone);
  return (at) => {
    const [hour = 0, minute = 0] = format.format(at).split(":").map(Number);
    return hour * 60 + minute;
  };
}

function dayReader(timeZone: string | undefined): (at: number) => { day: number; month: number; date: number } {
  const format = formatter("en-CA", { year: "numeric", month: "2-digit", day: "2-digit" }, timeZone);
  return (at) => {
    const [year = 0, month = 1, date = 1] = format.format(at).split("-").map(Number);
    return { day: Math.round(Date.UTC(year, month - 1, date) / DAY_MS), month: year * 12 + month - 1, date };
  };
}

/** The local day of an instant, as the collector writes it: "2026-11-21". */
export function dayKey(timeZone: string | undefined): (at: number) => string {
  return writer("en-CA", { year: "numeric", month: "2-digit", day: "2-digit" }, timeZone);
}
