import { inGerman } from "../i18n/sentences";
import { useWords } from "../i18n/use";
import { English } from "./notices";

/** A sentence that the collector made, in the reader's language; in English where that is not known to have it. */
export function Said({ text }: { text: string }) {
  const { language } = useWords();
  const said = language === "de" ? inGerman(text) : null;
  return said === null ? <English text={text} /> : <>{said}</>;
}
