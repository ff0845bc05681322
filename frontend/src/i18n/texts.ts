import type { State } from "../api/types";
import type { Group } from "../state/fleet";
import type { PageName } from "../state/route";
import type { Language, Theme } from "../state/settings";

/** Everything that is said outside findings. A language that lacks a text does not compile. */
export interface Texts {
  skip: string;
  pages: string;
  pageNames: Record<PageName, string>;
  find: string;
  findNode: string;
  clear: string;
  settings: string;
  language: string;
  languages: Record<Language, string>;
  theme: string;
  themes: Record<Theme, string>;
  done: string;
  simulated: string;
  simulatedMeans: string;
  states: Record<State, string>;
  note: string;
  groups: Record<Group, string>;
  filter: string;
  headline: (count: number, isPast: boolean) => string;
  ofNodes: (count: number) => string;
  nodes: (count: number) => string;
  onlyWorst: (count: number) => string;
  onlyWorstHere: (count: number, all: number) => string;
  onlyWorstCame: (count: number, all: number) => string;
  asOf: (time: string) => string;
  since: (time: string) => string;
  needsYouBadge: (count: number) => string;
  newest: (age: string) => string;
  noReading: string;
  marginOfEach: string;
  marginLabel: string;
  margin: (volts: string) => string;
  notUrgent: string;
  hidden: string;
  notKnown: string;
  days: (count: number) => string;
  batteryOf: (name: string, hours: number) => string;
  showInactive: (count: number) => string;
  hideInactive: string;
  noneFound: string;
  empty: string;
  emptyMeans: string;
  loading: string;
  unreachable: (span: string) => string;
  unreachableNow: string;
  unreachableMeans: (time: string) => string;
  nothingKept: string;
  refused: string;
  refusedMeans: (time: string | null) => string;
  tryAgain: string;
  notFound: string;
  back: string;
  battery: string;
  toDisconnect: string;
  findings: string;
}

const en: Texts = {
  skip: "Skip to the content",
  pages: "Pages",
  pageNames: { fleet: "Fleet", node: "Node", compare: "Compare", map: "Map", collector: "Collector" },
  find: "Find",
  findNode: "Find a node",
  clear: "Clear the search",
  settings: "Settings",
  language: "Language",
  languages: { en: "English", de: "Deutsch" },
  theme: "Colours",
  themes: { system: "As the system", light: "Light", dark: "Dark" },
  done: "Done",
  simulated: "Simulated.",
  simulatedMeans: "These nodes are not real.",
  states: { crit: "Needs you", lost: "Lost", warn: "Warning", late: "Late", silent: "Silent", fine: "Fine" },
  note: "Note",
  groups: { crit: "Needs you", warn: "Warning", late: "Late", silent: "Silent", fine: "Fine" },
  filter: "Filter by state",
  headline: (count, isPast) => {
    if (count === 0) return isPast ? "Nobody needed you" : "Nobody needs you";
    return isPast ? `${count} needed you` : `${count} ${count === 1 ? "needs" : "need"} you`;
  },
  ofNodes: (count) => `of ${count} ${count === 1 ? "node" : "nodes"}`,
  nodes: (count) => `${count} ${count === 1 ? "node" : "nodes"}`,
  onlyWorst: (count) => `The list ends after the ${count} worst nodes. Search for the beginning of a name, as it is spelt, to find any other.`,
  onlyWorstCame: (count, all) => `Only the ${count} worst of ${all} nodes have come. It tries again by itself.`,
  onlyWorstHere: (count, all) => `Only the ${count} worst of ${all} nodes are here.`,
  asOf: (time) => `As of ${time}`,
  since: (time) => `at ${time}`,
  needsYouBadge: (count) => `${count} ${count === 1 ? "needs" : "need"} you`,
  newest: (age) => `Newest reading ${age}`,
  noReading: "No reading yet",
  marginOfEach: "Margin to disconnect, each node",
  marginLabel: "Margin to disconnect of every node, worst first",
  margin: (volts) => `${volts} above disconnect`,
  notUrgent: "Not urgent",
  hidden: "hidden",
  notKnown: "not known",
  days: (count) => `${count} days`,
  batteryOf: (name, hours) => `Battery of ${name}, last ${hours} hours`,
  showInactive: (count) => `Show ${count} inactive ${count === 1 ? "node" : "nodes"}`,
  hideInactive: "Hide inactive nodes",
  noneFound: "No node is like that.",
  empty: "No node has reported yet",
  emptyMeans:
    "Nodes appear here by themselves, with up to five days of what they remember. The collector asks the nodes in ISEMS_ROUTER_IPS, listens to the broker in MQTT_SERVER, and takes what is pushed to it.",
  loading: "Loading",
  unreachable: (span) => `Collector out of reach for ${span}`,
  unreachableNow: "Collector out of reach",
  unreachableMeans: (time) => `You see what this device kept at ${time}. Nodes may be fine. It tries again by itself.`,
  nothingKept: "This device has kept nothing yet. It tries again by itself.",
  refused: "The collector cannot answer",
  refusedMeans: (time) => (time === null ? "It tries again by itself." : `What you see is of ${time}. It tries again by itself.`),
  tryAgain: "Try again",
  notFound: "No such node",
  back: "Back to the fleet",
  battery: "Battery",
  toDisconnect: "To disconnect",
  findings: "What we see",
};

const de: Texts = {
  skip: "Zum Inhalt springen",
  pages: "Seiten",
  pageNames: { fleet: "Flotte", node: "Knoten", compare: "Vergleich", map: "Karte", collector: "Sammler" },
  find: "Suchen",
  findNode: "Knoten suchen",
  clear: "Suche leeren",
  settings: "Einstellungen",
  language: "Sprache",
  languages: { en: "English", de: "Deutsch" },
  theme: "Farben",
  themes: { system: "Wie das System", light: "Hell", dark: "Dunkel" },
  done: "Fertig",
  simulated: "Simuliert.",
  simulatedMeans: "Diese Knoten gibt es nicht.",
  states: { crit: "Braucht Hilfe", lost: "Verschollen", warn: "Warnung", late: "Verspätet", silent: "Stumm", fine: "In Ordnung" },
  note: "Hinweis",
  groups: { crit: "Hilfe", warn: "Warnung", late: "Verspätet", silent: "Stumm", fine: "Gut" },
  filter: "Nach Zustand filtern",
  headline: (count, isPast) => {
    if (count === 0) return isPast ? "Keiner brauchte Hilfe" : "Keiner braucht Hilfe";
    const verb = isPast ? (count === 1 ? "brauchte" : "brauchten") : count === 1 ? "braucht" : "brauchen";
    return `${count} ${verb} Hilfe`;
  },
  ofNodes: (count) => `von ${count} Knoten`,
  nodes: (count) => `${count} Knoten`,
  onlyWorst: (count) => `Die Liste endet nach den ${count} schlechtesten Knoten. Jeden anderen findest du, wenn du den Anfang seines Namens suchst, so wie er geschrieben wird.`,
  onlyWorstCame: (count, all) => `Nur die ${count} schlechtesten von ${all} Knoten sind angekommen. Es wird von selbst weiter versucht.`,
  onlyWorstHere: (count, all) => `Hier sind nur die ${count} schlechtesten von ${all} Knoten.`,
  asOf: (time) => `Stand ${time}`,
  since: (time) => `um ${time}`,
  needsYouBadge: (count) => `${count} ${count === 1 ? "braucht" : "brauchen"} Hilfe`,
  newest: (age) => `Neueste Messung ${age}`,
  noReading: "Noch keine Messung",
  marginOfEach: "Abstand zur Abschaltung, je Knoten",
  marginLabel: "Abstand jedes Knotens zur Abschaltung, die schlechtesten zuerst",
  margin: (volts) => `${volts} über der Abschaltung`,
  notUrgent: "Nicht eilig",
  hidden: "verdeckt",
  notKnown: "unbekannt",
  days: (count) => `${count} Tage`,
  batteryOf: (name, hours) => `Akku von ${name}, die letzten ${hours} Stunden`,
  showInactive: (count) => `${count} ${count === 1 ? "inaktiven" : "inaktive"} Knoten zeigen`,
  hideInactive: "Inaktive Knoten verbergen",
  noneFound: "So ist kein Knoten.",
  empty: "Noch hat sich kein Knoten gemeldet",
  emptyMeans:
    "Knoten erscheinen hier von selbst, mit bis zu fünf Tagen aus ihrem Gedächtnis. Der Sammler fragt die Knoten aus ISEMS_ROUTER_IPS, hört den Broker aus MQTT_SERVER und nimmt, was ihm gesendet wird.",
  loading: "Lädt",
  unreachable: (span) => `Sammler nicht erreichbar seit ${span.replace(/Tage$/, "Tagen")}`,
  unreachableNow: "Sammler nicht erreichbar",
  unreachableMeans: (time) => `Du siehst, was dieses Gerät behalten hat, Stand ${time}. Den Knoten kann es gut gehen. Es wird von selbst weiter versucht.`,
  nothingKept: "Dieses Gerät hat noch nichts behalten. Es wird von selbst weiter versucht.",
  refused: "Der Sammler kann nicht antworten",
  refusedMeans: (time) => (time === null ? "Es wird von selbst weiter versucht." : `Du siehst den Stand von ${time}. Es wird von selbst weiter versucht.`),
  tryAgain: "Nochmal versuchen",
  notFound: "Diesen Knoten gibt es nicht",
  back: "Zurück zur Flotte",
  battery: "Akku",
  toDisconnect: "Bis zur Abschaltung",
  findings: "Was wir sehen",
};

export const TEXTS: Record<Language, Texts> = { en, de };
