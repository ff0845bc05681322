import { site } from "../api/site";
import { language } from "../state/settings";
import type { Language } from "../state/settings";
import { useStore } from "../state/use";
import { makeFormat, type Format } from "./format";
import { TEXTS, type Texts } from "./texts";

export interface Words {
  texts: Texts;
  format: Format;
  language: Language;
  timeZone: string | undefined;
}

/** Gives "at 14:05", of another day "20 Nov, 14:05"; in epoch milliseconds. */
export const sayTime = ({ texts, format }: Words, at: number, now: number): string =>
  format.isToday(at, now) ? texts.since(format.at(at, now)) : format.at(at, now);

const made = new Map<string, Words>();

/** Gives the words of the chosen language, with times as at the site. */
export function useWords(): Words {
  const chosen = useStore(language);
  const timeZone = useStore(site)?.time_zone;
  const key = `${chosen} ${timeZone}`;
  let words = made.get(key);
  if (!words) {
    words = { texts: TEXTS[chosen], format: makeFormat(chosen, timeZone), language: chosen, timeZone };
    made.set(key, words);
  }
  return words;
}
