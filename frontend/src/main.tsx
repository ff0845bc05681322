import { render } from "preact";
import { isDrawn, whenIdle } from "./api/idle";
import { fleet } from "./api/resources";
import { watchPage } from "./api/source";
import type { Store } from "./api/store";
import { App } from "./app";
import { followLocation, route } from "./state/route";
import { applySettings } from "./state/settings";

applySettings();
followLocation();
watchPage();
// They were asked for with the page, whose outlines are seen until they are here, so that nothing has to be drawn twice.
// Other pages have something of their own to ask for meanwhile.
const PATIENCE_MS = route.get().page === "fleet" ? 1500 : 100;
const isKnown = fleet().get().value !== null;
const nodes = answered(fleet());
if (!isKnown) await Promise.race([nodes, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
const place = document.getElementById("app") as HTMLElement;
place.replaceChildren();
render(<App />, place);
whenIdle(() => isDrawn.set(true));

/** Waits for the first answer, or for the news that there is none. */
function answered(source: Store<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const stop = source.listen(() => {
      stop();
      resolve();
    });
  });
}
