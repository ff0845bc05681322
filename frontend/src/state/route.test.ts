import { describe, expect, it } from "vitest";
import { readQuery, readRoute, writeRoute } from "./route";
import { chooseLanguage } from "./settings";

describe("a route", () => {
  it.each(["Dach", "a/b", "a%2Fb", "#?&=", "<script>", "‮עמוס", "100 %", "..", "ä".repeat(127)])("of the node %s comes back as it was", (node) => {
    const hash = writeRoute({ page: "node", node });
    expect(hash).toMatch(/^#\/nodes\/[^/#?]+$/);
    expect(readRoute(hash)).toEqual({ page: "node", node });
  });

  it("that was typed by hand is understood", () => {
    expect(readRoute("#/nodes/a/b")).toEqual({ page: "node", node: "a/b" });
    expect(readRoute("#/nodes/100%")).toEqual({ page: "node", node: "100%" });
    expect(readRoute("#nodes/Dach?range=7d")).toEqual({ page: "node", node: "Dach" });
    expect(readQuery("#/nodes/Dach?range=7d").get("range")).toBe("7d");
  });

  it.each(["", "#", "#/", "#/nothing", "#/nodes", "#/nodes/"])("%j is the fleet", (hash) => {
    expect(readRoute(hash)).toEqual({ page: "fleet" });
  });
});

it.each([
  [["de-AT", "en"], "de"],
  [["fr", "de"], "de"],
  [["en-US", "de"], "en"],
  [["fr"], "en"],
  [[], "en"],
])("of %j the language is %s", (wanted, language) => {
  expect(chooseLanguage(wanted)).toBe(language);
});
