import { collectorStatus } from "../api/resources";
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

const made = new Map<string, Words>();

/** Gives the words of the chosen language, with times as at the site. */
export function useWords(): Words {
  const chosen = useStore(language);
  const timeZone = useStore(collectorStatus()).value?.time_zone;
  const key = `${chosen} ${timeZone}`;
  let words = made.get(key);
  if (!words) {
    words = { texts: TEXTS[chosen], format: makeFormat(chosen, timeZone), language: chosen, timeZone };
    made.set(key, words);
  }
  return words;
}
