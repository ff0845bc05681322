import { useEffect, useRef } from "preact/hooks";
import { useWords } from "../i18n/use";
import { LANGUAGES, THEMES, language, theme } from "../state/settings";
import { useStore } from "../state/use";

/** Language and colours, over the page. */
export function Settings({ close }: { close: () => void }) {
  const { texts } = useWords();
  const dialog = useRef<HTMLDialogElement>(null);
  const chosenLanguage = useStore(language);
  const chosenTheme = useStore(theme);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={close} aria-labelledby="settings-title">
      <h2 id="settings-title">{texts.settings}</h2>
      <fieldset>
        <legend>{texts.language}</legend>
        <div class="segmented">
          {LANGUAGES.map((one) => (
            <button key={one} type="button" lang={one} aria-pressed={one === chosenLanguage} onClick={() => language.set(one)}>
              {texts.languages[one]}
            </button>
          ))}
        </div>
      </fieldset>
      <fieldset>
        <legend>{texts.theme}</legend>
        <div class="segmented">
          {THEMES.map((one) => (
            <button key={one} type="button" aria-pressed={one === chosenTheme} onClick={() => theme.set(one)}>
              {texts.themes[one]}
            </button>
          ))}
        </div>
      </fieldset>
      <button type="button" class="btn primary" onClick={() => dialog.current?.close()}>
        {texts.done}
      </button>
    </dialog>
  );
}
