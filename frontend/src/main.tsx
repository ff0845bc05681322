import { render } from "preact";
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
render(<App />, document.getElementById("app") as HTMLElement);
