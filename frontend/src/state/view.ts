import { Store } from "../api/store";
import type { Wanted } from "./fleet";

/** What somebody looks at in the fleet; kept while they look at a node and come back. */
export interface View extends Wanted {
  /** The last call for the search that was followed. */
  seenFind: number;
}

export const view = new Store<View>({ text: "", group: null, withInactive: false, seenFind: 0 });
