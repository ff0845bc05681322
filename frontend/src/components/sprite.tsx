import { memo } from "./memo";

/** Every shape once; glyphs and icons point to them. */
export const Sprite = memo(() => (
  <svg width="0" height="0" style={{ position: "absolute" }} aria-hidden="true">
    <defs>
      <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <rect width="6" height="6" fill="var(--inset)" />
        <line x1="0" y1="0" x2="0" y2="6" stroke="var(--c-gap)" stroke-width="2.4" />
      </pattern>
    </defs>
    {/* States: the outline alone tells them apart. */}
    <symbol id="g-crit" viewBox="0 0 20 20">
      <path d="M6.3 1h7.4L19 6.3v7.4L13.7 19H6.3L1 13.7V6.3z" fill="currentColor" />
      <path d="M10 5v6.2" stroke="var(--glyph)" stroke-width="2.4" stroke-linecap="round" />
      <circle cx="10" cy="14.6" r="1.45" fill="var(--glyph)" />
    </symbol>
    <symbol id="g-warn" viewBox="0 0 20 20">
      <path
        d="M10 1.6 19 17.4a.8.8 0 0 1-.7 1.2H1.7a.8.8 0 0 1-.7-1.2z"
        fill="currentColor"
        stroke="var(--rim, none)"
        stroke-width="1.2"
      />
      <path d="M10 7.4v5" stroke="var(--glyph)" stroke-width="2.2" stroke-linecap="round" />
      <circle cx="10" cy="15.6" r="1.3" fill="var(--glyph)" />
    </symbol>
    <symbol id="g-fine" viewBox="0 0 20 20">
      <circle cx="10" cy="10" r="8.2" fill="none" stroke="currentColor" stroke-width="2" />
      <path d="m6.2 10.3 2.6 2.6 5-5.4" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round" />
    </symbol>
    <symbol id="g-late" viewBox="0 0 20 20">
      <circle cx="10" cy="10" r="9" fill="currentColor" />
      <path d="M10 4.8V10l3.6 2.4" fill="none" stroke="var(--glyph)" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round" />
    </symbol>
    <symbol id="g-silent" viewBox="0 0 20 20">
      <circle cx="10" cy="10" r="8" fill="none" stroke="currentColor" stroke-width="2.2" stroke-dasharray="3.9 2.38" />
      <path d="M6.8 10h6.4" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" />
    </symbol>
    <symbol id="g-lost" viewBox="0 0 20 20">
      <circle cx="10" cy="10" r="8" fill="none" stroke="currentColor" stroke-width="2.2" stroke-dasharray="3.9 2.38" />
      <path d="m7.2 7.2 5.6 5.6m0-5.6-5.6 5.6" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" />
    </symbol>
    {/* Nothing to do, but no tick either: worth knowing. */}
    <symbol id="g-note" viewBox="0 0 20 20">
      <circle cx="10" cy="10" r="8.2" fill="none" stroke="currentColor" stroke-width="2" />
      <circle cx="10" cy="6.3" r="1.3" fill="currentColor" />
      <path d="M10 9.6v4.6" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" />
    </symbol>
    <symbol id="i-fleet" viewBox="0 0 24 24">
      <path d="M4 6.5h3M4 12h3M4 17.5h3M11 6.5h9M11 12h9M11 17.5h9" />
    </symbol>
    <symbol id="i-map" viewBox="0 0 24 24">
      <path d="M12 21s7-6.2 7-11.3A7 7 0 0 0 5 9.7C5 14.8 12 21 12 21z" />
      <circle cx="12" cy="9.7" r="2.5" />
    </symbol>
    <symbol id="i-compare" viewBox="0 0 24 24">
      <path d="M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z" />
    </symbol>
    <symbol id="i-collector" viewBox="0 0 24 24">
      <path d="M4 13.5 6.5 5h11L20 13.5V19H4z" />
      <path d="M4 13.5h4.5l1.2 2.5h4.6l1.2-2.5H20" />
    </symbol>
    <symbol id="i-find" viewBox="0 0 24 24">
      <circle cx="10.5" cy="10.5" r="6.5" />
      <path d="m15.5 15.5 5 5" />
    </symbol>
    <symbol id="i-back" viewBox="0 0 24 24">
      <path d="M14.5 5 7.5 12l7 7" />
    </symbol>
    <symbol id="i-close" viewBox="0 0 24 24">
      <path d="m6 6 12 12M18 6 6 18" />
    </symbol>
    <symbol id="i-settings" viewBox="0 0 24 24">
      <path d="M4 7h9m5 0h2M4 17h2m5 0h9" />
      <circle cx="15.5" cy="7" r="2.4" />
      <circle cx="8.5" cy="17" r="2.4" />
    </symbol>
    <symbol id="i-unplug" viewBox="0 0 24 24">
      <path d="M3 3l18 18M8.5 5A10 10 0 0 1 21 10.5M3 10.5a13 13 0 0 1 4-2.7M6.5 14.5a8 8 0 0 1 4-2.2M15 13.4a8 8 0 0 1 2.5 1.3M12 19h.01" />
    </symbol>
    <symbol id="i-reboot" viewBox="0 0 24 24">
      <path d="M18.5 8.5A8 8 0 1 0 20 13M19 4v5h-5" />
    </symbol>
    <symbol id="i-clock" viewBox="0 0 24 24">
      <circle cx="12" cy="12" r="8.5" />
      <path d="M12 7v5l3.5 2" />
    </symbol>
    <symbol id="i-configuration" viewBox="0 0 24 24">
      <path d="M6 4v6m0 4v6M12 4v2m0 4v10M18 4v9m0 4v3M3.5 12h5M9.5 8h5M15.5 15h5" />
    </symbol>
    <symbol id="i-print" viewBox="0 0 24 24">
      <path d="M7 9V4h10v5M7 17H4V9h16v8h-3M7 14h10v6H7z" />
    </symbol>
    <symbol id="i-download" viewBox="0 0 24 24">
      <path d="M12 4v11m-5-4.5 5 5 5-5M5 20h14" />
    </symbol>
    <symbol id="i-plus" viewBox="0 0 24 24">
      <path d="M12 5v14M5 12h14" />
    </symbol>
    <symbol id="i-minus" viewBox="0 0 24 24">
      <path d="M5 12h14" />
    </symbol>
    <symbol id="i-whole" viewBox="0 0 24 24">
      <path d="M3 12h18M7 8l-4 4 4 4M17 8l4 4-4 4" />
    </symbol>
    <symbol id="mark" viewBox="0 0 34 34">
      <rect x="4" y="9" width="24" height="17" rx="4" fill="none" stroke="currentColor" stroke-width="2.5" />
      <path d="M31 15v5" stroke="currentColor" stroke-width="2.5" stroke-linecap="round" />
      <circle cx="16" cy="17.5" r="3.6" fill="var(--warn-fill)" />
      <path d="M16 11.3v1.3M16 22.4v1.3M9.8 17.5h1.3M20.9 17.5h1.3" stroke="var(--warn-fill)" stroke-width="1.8" stroke-linecap="round" />
    </symbol>
  </svg>
));
