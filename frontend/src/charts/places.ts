import { type LatLngBounds, type Layer, type Map as LeafletMap, divIcon, marker } from "leaflet";

/** Degrees north and east. */
export type PlaceName = [name: string, latitude: number, longitude: number, population: number];

/** By squares of ten degrees, and the largest of the world (places.js); files of our own, the greatest place first. */
const FILES = import.meta.glob<string>("../places/*.json", { query: "?url", import: "default", eager: true });
const DEGREES = 10;
/** From here on a view is a few squares at most. */
const NEAR_ZOOM = 8;
/** The box of a name, and the room around it, in pixels. */
const LETTER = 6.5;
const LINE = 16;
const ROOM = 14;
const MAX_NAMES = 40;
/** What stands at the lower edge: scale, credits, degrees. */
const FOOT = 64;

const loaded = new Map<string, Promise<PlaceName[]>>();

function load(file: string): Promise<PlaceName[]> {
  const address = FILES[`../places/${file}.json`];
  if (!address) return Promise.resolve([]); // the open sea
  let places = loaded.get(file);
  if (!places) {
    places = fetch(address).then((response) => (response.ok ? response.json() : []));
    // Names are no more than a help: without them the map is right, and the next move asks again.
    places = places.catch(() => {
      loaded.delete(file);
      return [];
    });
    loaded.set(file, places);
  }
  return places;
}

/** Gives the names of the squares that a view touches; the edges in degrees. */
export function squaresOf(west: number, south: number, east: number, north: number): string[] {
  const squares: string[] = [];
  const first = (degrees: number) => Math.floor(degrees / DEGREES) * DEGREES;
  for (let latitude = first(south); latitude < north; latitude += DEGREES) {
    for (let longitude = first(west); longitude < east; longitude += DEGREES) squares.push(`${latitude}_${longitude}`);
  }
  return squares;
}

async function placesIn(bounds: LatLngBounds, zoom: number): Promise<PlaceName[]> {
  const files = zoom < NEAR_ZOOM ? ["large"] : squaresOf(bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth());
  const all = (await Promise.all(files.map(load))).flat();
  return all.filter(([, latitude, longitude]) => bounds.contains([latitude, longitude])).sort((a, b) => b[3] - a[3]);
}

export interface Box {
  x: number;
  y: number;
  width: number;
}

/** Gives those that have room beside the ones before them. */
export function thinOut<T>(wanted: readonly T[], boxOf: (one: T) => Box, most: number): T[] {
  const kept: { one: T; box: Box }[] = [];
  for (const one of wanted) {
    if (kept.length >= most) break;
    const box = boxOf(one);
    const isFree = kept.every(
      ({ box: other }) => Math.abs(box.y - other.y) > LINE + ROOM || Math.abs(box.x - other.x) > (box.width + other.width) / 2 + ROOM,
    );
    if (isFree) kept.push({ one, box });
  }
  return kept.map(({ one }) => one);
}

/** Gives the names of the greatest places of a view, as many as there is room for. */
export async function drawPlaces(map: LeafletMap, isGone: () => boolean): Promise<Layer[]> {
  const places = await placesIn(map.getBounds(), map.getZoom());
  if (isGone()) return []; // the page was left while they were loaded, and a removed map answers nothing
  const boxOf = ([name, latitude, longitude]: PlaceName): Box => {
    const { x, y } = map.latLngToContainerPoint([latitude, longitude]);
    return { x, y, width: name.length * LETTER };
  };
  const { x: width, y: height } = map.getSize();
  const isWhole = (place: PlaceName) => {
    const box = boxOf(place);
    return Math.min(box.x, width - box.x) > box.width / 2 && box.y > LINE && box.y < height - FOOT;
  };
  return thinOut(places.filter(isWhole), boxOf, MAX_NAMES).map(([name, latitude, longitude]) => {
    const text = document.createElement("span");
    text.textContent = name;
    const icon = divIcon({ className: "placename", html: text, iconSize: undefined });
    return marker([latitude, longitude], { icon, interactive: false, keyboard: false, zIndexOffset: -10_000 });
  });
}
