// Where the sun stands, by the same low-precision formulas as isems/domain/sun.py (Astronomical Almanac, section C).

const J2000_MS = Date.UTC(2000, 0, 1, 12);
const DAY_MS = 86_400_000;
/** The upper rim of the sun on the horizon, with refraction. */
const HORIZON = -0.833;
const STEP_MS = 15 * 60_000;

const rad = (degrees: number): number => (degrees * Math.PI) / 180;
const deg = (radians: number): number => (radians * 180) / Math.PI;

/** Degrees of the sun above the horizon at a place (degrees north and east) and an instant (epoch ms). */
export function sunElevation(latitude: number, longitude: number, at: number): number {
  const days = (at - J2000_MS) / DAY_MS;
  const anomaly = rad(357.528 + 0.9856003 * days);
  const ecliptic = rad(280.46 + 0.9856474 * days + 1.915 * Math.sin(anomaly) + 0.02 * Math.sin(2 * anomaly));
  const obliquity = rad(23.439 - 0.0000004 * days);
  const ascension = Math.atan2(Math.cos(obliquity) * Math.sin(ecliptic), Math.cos(ecliptic));
  const declination = Math.asin(Math.sin(obliquity) * Math.sin(ecliptic));
  const hourAngle = rad((280.46062 + 360.98564737 * days + longitude) % 360) - ascension;
  const north = rad(latitude);
  return deg(
    Math.asin(Math.sin(north) * Math.sin(declination) + Math.cos(north) * Math.cos(declination) * Math.cos(hourAngle)),
  );
}

export type Span = [from: number, to: number];

/** The nights at a place within a range (epoch ms), cut to it. */
export function nights(latitude: number, longitude: number, from: number, to: number): Span[] {
  const spans: Span[] = [];
  let begin: number | null = null;
  let before = sunElevation(latitude, longitude, from);
  if (before < HORIZON) begin = from;
  for (let at = from; at < to; at += STEP_MS) {
    const next = Math.min(at + STEP_MS, to);
    const after = sunElevation(latitude, longitude, next);
    if (before < HORIZON !== after < HORIZON) {
      const crossing = at + ((HORIZON - before) / (after - before)) * (next - at);
      if (begin === null) {
        begin = crossing;
      } else {
        spans.push([begin, crossing]);
        begin = null;
      }
    }
    before = after;
  }
  if (begin !== null) spans.push([begin, to]);
  return spans;
}

const remembered = new Map<string, Span[]>();
const MAX_REMEMBERED = 500;

/** The same for many nodes of one mesh: places within 0.1 degree and ranges within a step share their nights. */
export function nightsNear(latitude: number, longitude: number, from: number, to: number): Span[] {
  const round = (value: number) => Math.round(value * 10) / 10;
  const begin = Math.floor(from / STEP_MS) * STEP_MS;
  const end = Math.ceil(to / STEP_MS) * STEP_MS;
  const key = `${round(latitude)} ${round(longitude)} ${begin} ${end}`;
  let spans = remembered.get(key);
  if (!spans) {
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    spans = nights(round(latitude), round(longitude), begin, end);
    remembered.set(key, spans);
  }
  return spans;
}
