// Scales that people can read: steps of 1, 2 or 5 times a power of ten.

/** Gives the shortest such step that is not below `least`, which is above 0. */
export function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  const factor = [1, 2, 5, 10].find((one) => one * power >= least * (1 - 1e-9)) ?? 10;
  return factor * power;
}

export interface Scale {
  low: number;
  high: number;
  /** Where the lines are, the lowest first. */
  ticks: number[];
  decimals: number;
}

/** Gives a scale that holds the values from `min` to `max`, is at least `span` high and has about `count` lines. */
export function makeScale(min: number, max: number, span: number, count: number): Scale {
  const missing = Math.max(0, span - (max - min)) / 2;
  const [low, high] = [min - missing, max + missing];
  const step = roundStep((high - low) / count);
  const first = Math.ceil(low / step - 1e-6);
  const last = Math.floor(high / step + 1e-6);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toFixed(decimals)));
  return { low, high, ticks, decimals };
}
