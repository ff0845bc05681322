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
// Asked for before anything is drawn: on a phone the one takes as long as the other.
void nodes().refresh();
void collectorStatus().refresh();
render(<App />, document.getElementById("app") as HTMLElement);
