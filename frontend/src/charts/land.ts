import { type Layer, type Map as LeafletMap, Polyline, divIcon, geoJSON, layerGroup, marker } from "leaflet";
import type { FeatureCollection, Position } from "geojson";
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
    geoJSON(flatten(feature(world, land)), { pane: BELOW, interactive: false, style: { className: "land", weight: 1.2 } }),
    geoJSON(borders, { pane: BELOW, interactive: false, style: { className: "border", weight: 1, fill: false } }),
  ]);
}

/** Fits what is made for a globe to a flat map. */
export function flatten(land: FeatureCollection): FeatureCollection {
  const features = land.features.map((one) => {
    if (one.geometry.type !== "MultiPolygon") return one;
    const coordinates = one.geometry.coordinates.map((rings) => rings.flatMap(cutRing));
    return { ...one, geometry: { ...one.geometry, coordinates } };
  });
  return { ...land, features };
}

/** Where a flat map ends, in degrees. */
const EDGE = 180;

/** Cuts a ring that goes over the edge, and would come back across the whole map, into one for each side of it. */
export function cutRing(ring: Position[]): Position[][] {
  let arc: Position[] = [];
  const arcs = [arc];
  for (const [index, point] of ring.entries()) {
    const before = ring[index - 1];
    if (before && Math.abs(east(point) - east(before)) > EDGE) {
      const [edge, latitude] = crossing(before, point);
      arc.push([edge, latitude]);
      arc = [[-edge, latitude]];
      arcs.push(arc);
    }
    arc.push(point);
  }
  if (arcs.length === 1) return [ring];
  // A ring begins anywhere: what comes last goes on with what came first.
  const [first = [], ...others] = arcs;
  others.at(-1)?.push(...first.slice(1));
  return others.map(close);
}

const east = (point: Position): number => point[0] as number;
const north = (point: Position): number => point[1] as number;

function crossing(before: Position, after: Position): [number, number] {
  const edge = east(before) < 0 ? -EDGE : EDGE;
  const [way, rest] = [Math.abs(edge - east(before)), Math.abs(edge + east(after))];
  return [edge, north(before) + (way + rest && (way / (way + rest)) * (north(after) - north(before)))];
}

/** Closes what begins and ends at the edge: along it, or around the pole if at both ends of the map. */
function close(arc: Position[]): Position[] {
  const [first, last] = [arc[0] as Position, arc.at(-1) as Position];
  const pole = Math.sign(north(first)) * 90;
  const around = east(first) === east(last) ? [] : [[east(last), pole], [east(first), pole]];
  return [...arc, ...around, first];
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
