import { describe, expect, it } from "vitest";
import { visible } from "./raw";

describe("raw input", () => {
  it("shows what would not be seen, or would turn the text around", () => {
    expect(visible("a\u0000b\u202ec\ufeff")).toBe("a\\u0000b\\u202ec\\ufeff");
  });

  it("is else as it came, line ends and umlauts too", () => {
    expect(visible("Süd;1\n<b>;☀")).toBe("Süd;1\n<b>;☀");
  });
});
