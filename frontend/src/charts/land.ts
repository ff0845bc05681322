import { type Layer, type Map as LeafletMap, Polyline, divIcon, geoJSON, layerGroup, marker } from "leaflet";
import { feature, mesh } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import worldAddress from "world-atlas/countries-50m.json?url";
import { decimalsOf, niceStep, scaleTicks } from "./ticks";

/** Leaflet's name for what lies below everything else. */
const BELOW = "tilePane";

/** Coasts and borders by Natural Earth, which is in the public domain; a file of our own, loaded with the first map. */
export async function loadLand(): Promise<Layer> {
  const response = await fetch(worldAddress);
  if (!response.ok) throw new Error(response.statusText);
  const world = (await response.json()) as Topology<{ countries: GeometryCollection; land: GeometryCollection }>;
  const { countries, land } = world.objects;
  const borders = mesh(world, countries, (one, other) => one !== other);
  // Colours are those of the classes, so that the theme rules them.
  return layerGroup([
    geoJSON(feature(world, land), { pane: BELOW, interactive: false, style: { className: "land", weight: 1.2 } }),
    geoJSON(borders, { pane: BELOW, interactive: false, style: { className: "border", weight: 1, fill: false } }),
  ]);
}

/** About so many lines across the map. */
const LINES = 5;

/** Gives meridians and parallels of what is seen, with their degrees at the edge. */
export function drawGraticule(map: LeafletMap, write: (degrees: number, isLatitude: boolean, decimals: number) => string): Layer[] {
  const bounds = map.getBounds();
  const step = niceStep(Math.max(0.001, (bounds.getEast() - bounds.getWest()) / LINES));
  const decimals = decimalsOf(step);
  const layers: Layer[] = [];
  const label = (at: [number, number], text: string, className: string) =>
    marker(at, { icon: divIcon({ className, html: text, iconSize: undefined }), interactive: false, keyboard: false });
  for (const longitude of scaleTicks({ from: bounds.getWest(), to: bounds.getEast(), step })) {
    layers.push(line([[bounds.getSouth(), longitude], [bounds.getNorth(), longitude]]));
    layers.push(label([bounds.getSouth(), longitude], write(longitude, false, decimals), "degree x"));
  }
  for (const latitude of scaleTicks({ from: Math.max(-85, bounds.getSouth()), to: Math.min(85, bounds.getNorth()), step })) {
    layers.push(line([[latitude, bounds.getWest()], [latitude, bounds.getEast()]]));
    layers.push(label([latitude, bounds.getWest()], write(latitude, true, decimals), "degree y"));
  }
  return layers;
}

const line = (points: [number, number][]): Polyline => new Polyline(points, { className: "graticule", weight: 1, interactive: false });
