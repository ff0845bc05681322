import { render } from "preact";
import { collectorStatus, nodes } from "./api/resources";
import { watchPage } from "./api/source";
import { App } from "./app";
import { followLocation } from "./state/route";
import { applySettings } from "./state/settings";
import "./style/tokens.css";
import "./style/base.css";
import "./style/fleet.css";
import "./style/node.css";

applySettings();
followLocation();
watchPage();
// Both were asked for with the page: mostly they are here in a blink, and nothing has to be drawn twice.
const BLINK_MS = 100;
const isKnown = nodes().get().value !== null;
const answers = Promise.all([collectorStatus().refresh(), nodes().refresh()]);
if (!isKnown) await Promise.race([answers, new Promise((resolve) => setTimeout(resolve, BLINK_MS))]);
render(<App />, document.getElementById("app") as HTMLElement);
