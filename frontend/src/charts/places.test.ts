import { describe, expect, it, vi } from "vitest";

// Leaflet looks at the browser while it is loaded, and is not what is tested here.
vi.mock("leaflet", () => ({}));
const { squaresOf, thinOut } = await import("./places");

describe("squares", () => {
  it("are those that a view touches", () => {
    expect(squaresOf(13.1, 52.3, 13.8, 52.7)).toEqual(["50_10"]);
    expect(squaresOf(-0.5, 49.9, 0.5, 50.1)).toEqual(["40_-10", "40_0", "50_-10", "50_0"]);
  });
});

describe("names", () => {
  it("give way to greater ones beside them, and to no others", () => {
    const boxes = { Berlin: { x: 100, y: 100 }, Mitte: { x: 104, y: 104 }, Potsdam: { x: 40, y: 160 } };
    const names = Object.keys(boxes) as (keyof typeof boxes)[];
    expect(thinOut(names, (name) => ({ ...boxes[name], width: 40 }), 10)).toEqual(["Berlin", "Potsdam"]);
    expect(thinOut(names, (name) => ({ ...boxes[name], width: 40 }), 1)).toEqual(["Berlin"]);
  });
});
