import { Store } from "../api/store";

export const LANGUAGES = ["en", "de"] as const;
export type Language = (typeof LANGUAGES)[number];
export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

/** Gives the first language of ours that the browser wants; a region makes no difference. */
export function chooseLanguage(wanted: readonly string[]): Language {
  const tags = wanted.map((tag) => tag.split("-")[0]?.toLowerCase());
  return LANGUAGES.find((language) => language === tags.find((tag) => LANGUAGES.includes(tag as Language))) ?? "en";
}

function remembered<T extends string>(key: string, allowed: readonly T[]): T | null {
  try {
    const value = localStorage.getItem(key);
    return allowed.find((one) => one === value) ?? null;
  } catch {
    return null;
  }
}

function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // A browser that keeps nothing asks the system again next time.
  }
}

export const language = new Store<Language>(
  remembered("isems.language", LANGUAGES) ?? chooseLanguage(globalThis.navigator?.languages ?? []),
);
export const theme = new Store<Theme>(remembered("isems.theme", THEMES) ?? "system");

/** Makes the page follow language and theme from now on, and remembers what is chosen. */
export function applySettings(): void {
  const root = document.documentElement;
  const isDark = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => {
    const chosen = theme.get();
    root.dataset.theme = chosen === "system" ? (isDark.matches ? "dark" : "light") : chosen;
  };
  const speak = () => {
    root.lang = language.get();
  };
  paint();
  speak();
  isDark.addEventListener("change", paint);
  // Paper is white, whatever the screen is.
  addEventListener("beforeprint", () => {
    root.dataset.theme = "light";
  });
  addEventListener("afterprint", paint);
  theme.listen(() => {
    paint();
    remember("isems.theme", theme.get());
  });
  language.listen(() => {
    speak();
    remember("isems.language", language.get());
  });
}
