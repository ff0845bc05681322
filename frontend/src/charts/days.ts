// Marks on the axis of time, as the clock at the site shows them.

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export interface Mark {
  at: number;
  label: string;
}

/** Gives marks for a range (epoch ms): hours of up to two days, else days, weeks or months; at most about `count`. */
export function makeMarks(from: number, to: number, locale: string, timeZone: string | undefined, count: number): Mark[] {
  const format = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(locale, { ...options, timeZone: known(timeZone) });
  const span = to - from;
  if (span > 60 * DAY) {
    const month = format({ month: "short" });
    return thin(localStarts(from, to, format({ month: "numeric" })).map((at) => ({ at, label: month.format(at) })), count);
  }
  if (span > 2 * DAY) {
    const day = span > 8 * DAY ? format({ day: "numeric", month: "short" }) : format({ weekday: "short", day: "numeric" });
    return thin(localStarts(from, to, format({ day: "numeric" })).map((at) => ({ at, label: day.format(at) })), count);
  }
  const clock = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const hour = format({ hour: "numeric", hourCycle: "h23" });
  const hours = localStarts(from, to, hour).filter((at) => Number.parseInt(hour.format(at)) % 6 === 0);
  return hours.map((at) => ({ at, label: clock.format(at) }));
}

/** Gives the instants, to the quarter of an hour, at which what a format writes becomes another. */
function localStarts(from: number, to: number, format: Intl.DateTimeFormat): number[] {
  const starts: number[] = [];
  // Whole hours are looked at first: every zone's clock shows a full or a half hour, or a quarter, then.
  let before = format.format(from);
  for (let at = Math.ceil(from / HOUR) * HOUR; at <= to; at += HOUR) {
    const text = format.format(at);
    if (text === before) continue;
    let begin = at;
    while (begin - HOUR / 4 > from && format.format(begin - HOUR / 4) === text) begin -= HOUR / 4;
    starts.push(begin);
    before = text;
  }
  return starts;
}

const thin = (marks: Mark[], count: number): Mark[] => {
  const every = Math.ceil(marks.length / count);
  return marks.filter((_, index) => index % every === 0);
};

/** Old browsers do not know every zone: then their own. */
function known(timeZone: string | undefined): string | undefined {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
    return timeZone;
  } catch {
    return undefined;
  }
}
