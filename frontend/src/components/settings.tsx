import { useEffect, useRef } from "preact/hooks";
import { Store } from "../api/store";
import { useWords } from "../i18n/use";
import { LANGUAGES, THEMES, language, theme } from "../state/settings";
import { useStore } from "../state/use";
import { Icon } from "./marks";

const isOpen = new Store(false);

/** Opens the settings: in the rail, and on phones in the corner of a page, where rare things are. */
export function SettingsButton({ isInBar }: { isInBar: boolean }) {
  const { texts } = useWords();
  return (
    <button
      type="button"
      class={isInBar ? "iconbtn only-phone" : "end"}
      aria-label={isInBar ? texts.settings : undefined}
      onClick={() => isOpen.set(true)}
    >
      <Icon name="settings" />
      {!isInBar && texts.settings}
    </button>
  );
}

/** The settings over the page, while they are open. */
export const Settings = () => (useStore(isOpen) ? <Dialog /> : null);

/** Language and colours. */
function Dialog() {
  const { texts } = useWords();
  const dialog = useRef<HTMLDialogElement>(null);
  const chosenLanguage = useStore(language);
  const chosenTheme = useStore(theme);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={() => isOpen.set(false)} aria-labelledby="settings-title">
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
