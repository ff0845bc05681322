// The last good answers, on this device: shown with their age when the collector is out of reach.

const ALL = "isems.kept.";
/** The number goes up with each change of what an answer holds: nobody could read the older ones. */
const PREFIX = `${ALL}2.`;
/** Together well below the 5 MB that browsers give. */
const MAX_CHARACTERS = 1_500_000;
const MAX_ANSWERS = 12;

export interface Kept<T> {
  at: number;
  value: T;
}

/** Gives what was kept under a name; null where nothing was, or what is there cannot be read. */
export function recall<T>(name: string): Kept<T> | null {
  try {
    const kept = JSON.parse(localStorage.getItem(PREFIX + name) ?? "null") as Kept<T> | null;
    return kept !== null && typeof kept.at === "number" ? kept : null;
  } catch {
    return null;
  }
}

/** Keeps a value as of `at`; the oldest ones make room. A browser that keeps nothing is no error. */
export function keep<T>(name: string, at: number, value: T): void {
  try {
    const text = JSON.stringify({ at, value });
    if (text.length > MAX_CHARACTERS) return;
    for (const key of Object.keys(localStorage)) if (key.startsWith(ALL) && !key.startsWith(PREFIX)) localStorage.removeItem(key);
    while (keptNames().filter((one) => one !== name).length >= MAX_ANSWERS) forgetOldest(name);
    try {
      localStorage.setItem(PREFIX + name, text);
    } catch {
      forgetOldest(name);
      localStorage.setItem(PREFIX + name, text);
    }
  } catch {
    // Private windows and full disks.
  }
}

const keptNames = (): string[] =>
  Object.keys(localStorage).flatMap((key) => (key.startsWith(PREFIX) ? [key.slice(PREFIX.length)] : []));

function forgetOldest(except: string): void {
  const ages = keptNames()
    .filter((name) => name !== except)
    .map((name) => ({ name, at: recall(name)?.at ?? 0 }))
    .sort((a, b) => a.at - b.at);
  if (ages[0]) localStorage.removeItem(PREFIX + ages[0].name);
}
