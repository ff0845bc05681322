import { describe, expect, it } from "vitest";
import { GERMAN, inGerman } from "./sentences";

const holesOf = (template: string) => (template.match(/\{\w+\}/g) ?? []).sort();
/** What fits in each hole; the holes themselves are words. */
const filled = (template: string) =>
  template.replace(/\{(\w+)\}/g, (_, hole: string) => (hole === "tried" ? "/csv.log: status 404" : NUMBERS.has(hole) ? "7" : hole));
const NUMBERS = new Set(["seconds", "port", "bytes", "most", "lines", "status", "count", "position", "characters", "number"]);

describe("every sentence", () => {
  for (const [english, german] of Object.entries(GERMAN)) {
    it(`has one form in German: ${english}`, () => {
      expect(german).not.toBe("");
      expect(german).not.toContain("!");
      expect(holesOf(german)).toEqual(holesOf(english));
      expect(new Set(holesOf(english)).size).toBe(holesOf(english).length);
      // Its own one, and none of a template that says less.
      expect(inGerman(filled(english))).toBe(german.replace("{tried}", "/csv.log: Status 404").replace(/\{(\w+)\}/g, (hole) => filled(hole)));
    });
  }
});

describe("what the collector makes", () => {
  for (const [english, german] of [
    ["accepted no connection within 2.5 s", "Innerhalb von 2,5 s keine Verbindung angenommen"],
    ["refused the connection on port 80", "Verbindung auf Port 80 abgelehnt"],
    ["answers with nonsense: 'SSH-2.0-dropbear\\r\\n'", "Antwortet mit Unsinn: „SSH-2.0-dropbear\\r\\n“"],
    ["answers with a redirect to '', which is not followed", "Leitet nach „“ um, dem wird nicht gefolgt"],
    [
      "no log: /ISEMS/ffopenmppt.log: status 500; /csv.log: 112 bytes that are no log, then no more",
      "Kein Log: /ISEMS/ffopenmppt.log: Status 500; /csv.log: 112 Byte, die kein Log sind, dann nichts mehr",
    ],
    [
      "the broker cannot be reached (Connection refused): does it run, and is MQTT_SERVER right?",
      "Der Broker ist nicht erreichbar (Verbindung abgelehnt): läuft er, und stimmt MQTT_SERVER?",
    ],
    [
      "ISEMS_MQTT_CA is '/etc/isems/ca.pem', expected a file that we may read: No such file or directory",
      "ISEMS_MQTT_CA ist '/etc/isems/ca.pem', erwartet ist eine Datei, die wir lesen dürfen: gibt es nicht",
    ],
    [
      "whether it is running cannot be told: the lock /var/lib/my isems/isems.db.subscriber-lock cannot be looked at: Permission denied",
      "Ob es läuft, ist nicht zu sagen: Die Sperre /var/lib/my isems/isems.db.subscriber-lock lässt sich nicht ansehen: keine Berechtigung",
    ],
    [
      "the database /var/lib/isems/isems.db cannot be used: disk I/O error",
      "Die Datenbank /var/lib/isems/isems.db ist nicht zu benutzen: Lese- oder Schreibfehler",
    ],
    [
      "the lock /isems.db.poll-lock cannot be made: [Errno 13] Permission denied: '/isems.db.poll-lock'",
      "Die Sperre /isems.db.poll-lock lässt sich nicht anlegen: [Errno 13] keine Berechtigung: '/isems.db.poll-lock'",
    ],
    ["a record of 'a' came where only 3 other nodes may speak", "Ein Datensatz von 'a' kam, wo nur 3 andere Knoten sprechen dürfen"],
    ["a record of 'a' came where only 'b' may speak", "Ein Datensatz von 'a' kam, wo nur 'b' sprechen darf"],
    ["time is 'yesterday', expected seconds since 1970", "Die Zeit ist 'yesterday', erwartet sind Sekunden seit 1970"],
    ["the path names no node: node id holds a control character", "Der Pfad nennt keinen Knoten: Im Knotennamen ist ein Steuerzeichen"],
  ] as const) {
    it(`is said in German: ${english}`, () => expect(inGerman(english)).toBe(german));
  }

  it("keeps in English what others say", () => {
    expect(inGerman("the database isems refused: division by zero")).toBe("Die Datenbank isems hat abgelehnt: division by zero");
  });
});

describe("what is no sentence of the collector", () => {
  for (const text of [
    "",
    "Service Unavailable",
    "refused the connection on port 80 ",
    " refused the connection on port 80",
    "he refused the connection on port 80",
    "refused the connection on port eighty",
    "accepted no connection within 2..5 s",
    "accepted no connection within  s",
    "no log: /csv.log: status 404; and a song",
    "answers with nonsense: 'x",
    "toString",
    "constructor",
  ]) {
    it(`has no German: ${JSON.stringify(text)}`, () => expect(inGerman(text)).toBeNull());
  }

  it("stays text, and no hole is filled twice", () => {
    expect(inGerman("answers with nonsense: '<b onclick=alert(1)>{port}{found}$&'")).toBe("Antwortet mit Unsinn: „<b onclick=alert(1)>{port}{found}$&“");
    expect(inGerman("time is '{found}, expected seconds', expected seconds since 1970")).toBe("Die Zeit ist '{found}, expected seconds', erwartet sind Sekunden seit 1970");
  });

  it("is told quickly, however long it is and whatever it repeats", () => {
    const began = performance.now();
    for (const length of [2000, 2_000_000]) {
      for (const one of [
        "no log: ", "a: status 4; ", "[Errno 1] ", "the database ", " cannot be used: ", " is of version ", "; ", ": ", "1", "a record of ",
        " came where only ", "whether it is running cannot be told: ", "the lock ",
      ]) {
        const text = one.repeat(length / one.length);
        const said = inGerman(text);
        if (length > 2000) expect(said).toBeNull();
        expect(inGerman(`no log: ${text}`.slice(0, 2000))).toSatisfy((given: unknown) => given === null || typeof given === "string");
      }
    }
    expect(performance.now() - began).toBeLessThan(500);
  });
});
