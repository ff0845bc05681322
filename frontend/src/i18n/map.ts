import type { Language } from "../state/settings";

export interface MapTexts {
  map: string;
  zoomIn: string;
  zoomOut: string;
  all: (count: number) => string;
  urgent: (count: number) => string;
  withoutPosition: (count: number) => string;
  withoutMeans: string;
  here: (count: number) => string;
  close: string;
  source: string;
  nothing: string;
  nothingMeans: string;
  baseFailed: string;
  archiveFailed: string;
  graticule: { north: string; south: string; east: string; west: string };
}

const en: MapTexts = {
  map: "Map of the nodes. The tab key goes from node to node, the arrow keys move the map.",
  zoomIn: "Zoom in",
  zoomOut: "Zoom out",
  all: (count) => `All ${count}`,
  urgent: (count) => `${count} ${count === 1 ? "needs" : "need"} you`,
  withoutPosition: (count) => `${count} without position`,
  withoutMeans: "Latitude and longitude are set on the node itself; until then it sends 0.",
  here: (count) => `${count} nodes here`,
  close: "Close",
  source: "Coasts: Natural Earth (public domain). Places: GeoNames (CC BY 4.0)",
  nothing: "No node has a position yet",
  nothingMeans: "Set latitude and longitude on the node. It appears here with its next record.",
  baseFailed: "The outlines could not be loaded. The nodes are right.",
  archiveFailed: "The map file could not be loaded. The nodes are right.",
  graticule: { north: "N", south: "S", east: "E", west: "W" },
};

const de: MapTexts = {
  map: "Karte der Knoten. Die Tabulatortaste geht von Knoten zu Knoten, die Pfeiltasten schieben die Karte.",
  zoomIn: "Näher heran",
  zoomOut: "Weiter weg",
  all: (count) => `Alle ${count}`,
  urgent: (count) => `${count} ${count === 1 ? "braucht" : "brauchen"} Hilfe`,
  withoutPosition: (count) => `${count} ohne Position`,
  withoutMeans: "Breite und Länge werden am Knoten eingestellt; bis dahin sendet er 0.",
  here: (count) => `${count} Knoten hier`,
  close: "Schließen",
  source: "Küsten: Natural Earth (gemeinfrei). Orte: GeoNames (CC BY 4.0)",
  nothing: "Noch hat kein Knoten eine Position",
  nothingMeans: "Breite und Länge am Knoten einstellen. Mit seinem nächsten Datensatz erscheint er hier.",
  baseFailed: "Die Umrisse konnten nicht geladen werden. Die Knoten stimmen.",
  archiveFailed: "Die Kartendatei konnte nicht geladen werden. Die Knoten stimmen.",
  graticule: { north: "N", south: "S", east: "O", west: "W" },
};

export const MAP_TEXTS: Record<Language, MapTexts> = { en, de };
