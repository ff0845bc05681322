import type { RejectedPiece } from "../api/types";
import type { CollectorTexts } from "../i18n/collector";
import { Said } from "./said";

const MAX_CHARACTERS = 600;

/** A piece of rejected input as it came, with what was found and expected; text, whatever it holds. */
export function Raw({ piece, texts }: { piece: RejectedPiece; texts: CollectorTexts }) {
  const isLong = piece.raw.length > MAX_CHARACTERS;
  return (
    <>
      <p class="aside" translate={false}>
        <Said text={piece.detail} />
      </p>
      <pre class="raw" translate={false} tabIndex={0}>
        {visible(piece.raw.slice(0, MAX_CHARACTERS))}
        {isLong && "…"}
      </pre>
      {(piece.is_cut || isLong) && <p class="aside">{texts.cut}</p>}
    </>
  );
}

/** Shows what cannot be seen: control characters, and marks that turn the direction of a text. */
export const visible = (raw: string): string =>
  raw.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, (one) =>
    `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
