import type { Position } from "geojson";
import { feature } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import { describe, expect, it, vi } from "vitest";
import countries from "world-atlas/countries-50m.json";

// Leaflet looks at the browser while it is loaded, and is not what is tested here.
vi.mock("leaflet", () => ({}));
const { cutRing, flatten } = await import("./land");

/** The longest step to the east or west; those along the south pole are below what a map shows. */
const longest = (ring: Position[]): number => {
  const steps = ring.slice(1).map((point, index) => [point, ring[index] as Position] as const);
  const shown = steps.filter((step) => step.some(([, north = 0]) => north > -89));
  return Math.max(0, ...shown.map(([[to = 0], [from = 0]]) => Math.abs(to - from)));
};

describe("outlines", () => {
  it("of the whole world never run back across the map", () => {
    const world = countries as unknown as Topology<{ land: GeometryCollection }>;
    const rings = flatten(feature(world, world.objects.land)).features.flatMap(({ geometry }) =>
      geometry.type === "MultiPolygon" ? geometry.coordinates.flat() : [],
    );
    expect(rings.length).toBeGreaterThan(1400);
    expect(rings.filter((ring) => longest(ring) > 90)).toEqual([]);
  });

  it("of an island on both sides of 180 degrees become two, wherever they begin", () => {
    const west = [[180, 0], [178, 0], [178, 2], [180, 2], [180, 0]];
    const east = [[-180, 2], [-179, 2], [-179, 0], [-180, 0], [-180, 2]];
    expect(cutRing([[178, 0], [178, 2], [-179, 2], [-179, 0], [178, 0]])).toEqual([east, west]);
    expect(cutRing([[-179, 2], [-179, 0], [178, 0], [178, 2], [-179, 2]])).toEqual([west, east]);
  });

  it("around a pole are closed behind it, and others are left as they are", () => {
    const ring = [[0, -70], [100, -70], [-160, -70], [-50, -70], [0, -70]];
    expect(cutRing(ring)).toEqual([
      [[-180, -70], [-160, -70], [-50, -70], [0, -70], [100, -70], [180, -70], [180, -90], [-180, -90], [-180, -70]],
    ]);
    const island = [[10, 10], [11, 10], [11, 11], [10, 10]];
    expect(cutRing(island)).toEqual([island]);
  });
});
