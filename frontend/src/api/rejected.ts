import { Source, source } from "./source";
import type { RejectedPage, RejectedPiece } from "./types";

const PIECES = 100;

/** The latest distinct pieces of input that could not be stored, of one reason or of any. */
export const rejected = (reason: string | null = null): Source<RejectedPiece[]> => {
  const name = reason === null ? "rejected" : `rejected ${reason}`;
  const query = reason === null ? "" : `&reason=${encodeURIComponent(reason)}`;
  return source(name, () => new Source(name, (ask) => ask(`rejected?limit=${PIECES}${query}`, (page: RejectedPage) => page.rejected)));
};
