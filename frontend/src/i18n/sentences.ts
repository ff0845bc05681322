/** What a hole of a template may hold. None of the expressions can match a text in two ways, so none is ever slow. */
const NUMBER = /^-?\d{1,20}(\.\d{1,6})?$/;
const WORD = /^\S{1,300}$/;
const TEXT = /^/;
/** Is said in German as well where it is a sentence of its own, or several with "; " between them, all of which are. */
const REASON = "reason";
const LIST = "list";

/** The holes; what holds numbers has a comma in German. */
const HOLES = {
  seconds: NUMBER, port: NUMBER, bytes: NUMBER, most: NUMBER, lines: NUMBER, status: NUMBER, count: NUMBER, position: NUMBER,
  characters: NUMBER, number: NUMBER,
  path: WORD, host: WORD, setting: WORD, version: WORD, needed: WORD, hex: WORD, zone: WORD, table: WORD,
  name: TEXT, place: TEXT, file: TEXT, found: TEXT, speaker: TEXT, time: TEXT, said: TEXT, values: TEXT,
  reason: REASON, tried: LIST,
} as const;
type Hole = keyof typeof HOLES;

/**
 * Sentences that the collector makes, in German. The English is the key, as it is made (tests/test_sentences.py holds that
 * none is missing); the same holes stand in both.
 */
export const GERMAN: Record<string, string> = {
  // Why polling an address fails.
  "accepted no connection within {seconds} s": "Innerhalb von {seconds} s keine Verbindung angenommen",
  "gave no answer within {seconds} s": "Innerhalb von {seconds} s keine Antwort",
  "was not found: the name '{name}' could not be looked up": "Nicht gefunden: zum Namen „{name}“ ist keine Adresse bekannt",
  "has a certificate that is not trusted: '{said}'": "Seinem Zertifikat wird nicht vertraut: „{said}“",
  "speaks no TLS that we understand on port {port}": "Spricht auf Port {port} kein TLS, das wir verstehen",
  "refused the connection on port {port}": "Verbindung auf Port {port} abgelehnt",
  "cannot be reached: no route to it": "Nicht erreichbar: kein Weg dorthin",
  "cannot be reached: no route to its network": "Nicht erreichbar: kein Weg in sein Netz",
  "cannot be reached: '{said}'": "Nicht erreichbar: „{said}“",
  "reset the connection before it answered": "Verbindung abgebrochen, bevor eine Antwort kam",
  "closed the connection before it answered": "Verbindung geschlossen, bevor eine Antwort kam",
  "cannot be asked for the path '{name}'": "Lässt sich nicht nach dem Pfad „{name}“ fragen",
  "sent a header larger than {bytes} bytes": "Kopf von mehr als {bytes} Byte gesendet",
  "sent a body larger than {bytes} bytes": "Mehr als {bytes} Byte gesendet",
  "sent more than {lines} lines": "Mehr als {lines} Zeilen gesendet",
  "answers with nonsense: '{found}'": "Antwortet mit Unsinn: „{found}“",
  "answers with nonsense in its chunked body: '{found}'": "Antwortet in Stücken, und eines ist Unsinn: „{found}“",
  "answers with a redirect to '{found}', which is not followed": "Leitet nach „{found}“ um, dem wird nicht gefolgt",
  "the answer was cut off after {bytes} bytes, before its first line ended": "Die Antwort brach nach {bytes} Byte ab, vor dem Ende der ersten Zeile",
  "no log: {tried}": "Kein Log: {tried}",
  "{path}: status {status}": "{path}: Status {status}",
  "{path}: an empty answer": "{path}: eine leere Antwort",
  "{path}: {bytes} bytes that are no log": "{path}: {bytes} Byte, die kein Log sind",
  "{path}: {bytes} bytes that are no log, then no more": "{path}: {bytes} Byte, die kein Log sind, dann nichts mehr",

  // How it stands with the broker.
  connecting: "Verbindung wird aufgebaut",
  "not running: it was stopped": "Läuft nicht: wurde angehalten",
  "not running: its process ended without a word": "Läuft nicht: der Prozess endete ohne ein Wort",
  "whether it is running cannot be told: {reason}": "Ob es läuft, ist nicht zu sagen: {reason}",
  "what came could not be stored, the broker keeps it: {reason}": "Was kam, ließ sich nicht speichern, der Broker behält es: {reason}",
  "the connection to the broker was lost": "Die Verbindung zum Broker ging verloren",
  "another client took our session, which has the same client id: is a copy of this database receiving, too?":
    "Ein anderer mit derselben Client-ID hat unsere Sitzung übernommen: empfängt auch eine Kopie dieser Datenbank?",
  "no address is known for {host}: is MQTT_SERVER right, and does this machine know the name?":
    "Zu {host} ist keine Adresse bekannt: stimmt MQTT_SERVER, und kennt dieser Rechner den Namen?",
  "the broker cannot be reached ({reason}): does it run, and is MQTT_SERVER right?":
    "Der Broker ist nicht erreichbar ({reason}): läuft er, und stimmt MQTT_SERVER?",
  "the broker cannot be reached, nothing answers there: is MQTT_SERVER right, and the network up?":
    "Der Broker ist nicht erreichbar, dort antwortet nichts: stimmt MQTT_SERVER, und geht das Netz?",
  "the broker takes the connection, but does not answer as one does: is it MQTT on this port?":
    "Der Broker nimmt die Verbindung an, antwortet aber nicht wie einer: ist es MQTT auf diesem Port?",
  "the broker hung up before it answered: is it MQTT on this port?":
    "Der Broker hat aufgelegt, bevor er antwortete: ist es MQTT auf diesem Port?",
  "the broker hung up before it answered: if this port wants TLS, MQTT_SERVER has to begin with mqtts://":
    "Der Broker hat aufgelegt, bevor er antwortete: will dieser Port TLS, muss MQTT_SERVER mit mqtts:// beginnen",
  "the broker hung up before it answered: does it want a client certificate (ISEMS_MQTT_CERTIFICATE)?":
    "Der Broker hat aufgelegt, bevor er antwortete: will er ein Client-Zertifikat (ISEMS_MQTT_CERTIFICATE)?",
  "the broker refuses the connection: {said}": "Der Broker lehnt die Verbindung ab: {said}",
  "the broker lets nobody in without a login: set user and password (MQTT_SERVER, ISEMS_MQTT_USER, ISEMS_MQTT_PASSWORD)":
    "Der Broker lässt niemanden ohne Anmeldung ein: Benutzer und Passwort setzen (MQTT_SERVER, ISEMS_MQTT_USER, ISEMS_MQTT_PASSWORD)",
  "the broker refuses the login: check user and password (MQTT_SERVER, ISEMS_MQTT_USER, ISEMS_MQTT_PASSWORD)":
    "Der Broker lehnt die Anmeldung ab: Benutzer und Passwort prüfen (MQTT_SERVER, ISEMS_MQTT_USER, ISEMS_MQTT_PASSWORD)",
  "the broker cannot share messages out: without ISEMS_MQTT_SHARE one collector receives them all":
    "Der Broker kann Nachrichten nicht aufteilen: ohne ISEMS_MQTT_SHARE empfängt ein Sammler alle",
  "the broker lets us in, but not receive: its access list must allow the topics to be read":
    "Der Broker lässt uns ein, aber nicht empfangen: seine Zugriffsliste muss das Lesen der Topics erlauben",
  "the broker lets us in, but not receive: its access list must allow the topics to be read, and groups be known to it (ISEMS_MQTT_SHARE)":
    "Der Broker lässt uns ein, aber nicht empfangen: seine Zugriffsliste muss das Lesen der Topics erlauben, und er muss Gruppen kennen (ISEMS_MQTT_SHARE)",
  "the broker speaks only a TLS older than 1.2, which is not safe: update it":
    "Der Broker spricht nur ein TLS vor 1.2, das nicht sicher ist: ihn erneuern",
  "the broker speaks no TLS on this port: without TLS MQTT_SERVER begins with mqtt:// and names another port":
    "Der Broker spricht auf diesem Port kein TLS: ohne TLS beginnt MQTT_SERVER mit mqtt:// und nennt einen anderen Port",
  "the broker lets nobody in without a client certificate: name ours in ISEMS_MQTT_CERTIFICATE":
    "Der Broker lässt niemanden ohne Client-Zertifikat ein: unseres in ISEMS_MQTT_CERTIFICATE nennen",
  "the broker refuses our client certificate ({said}): is the one in ISEMS_MQTT_CERTIFICATE still right?":
    "Der Broker lehnt unser Client-Zertifikat ab ({said}): stimmt das in ISEMS_MQTT_CERTIFICATE noch?",
  "the broker's certificate has expired: renew it there, or set this machine's clock if that is wrong":
    "Das Zertifikat des Brokers ist abgelaufen: dort erneuern, oder die Uhr dieses Rechners stellen, wenn sie falsch geht",
  "the broker's certificate is not valid yet: set this machine's clock, or the broker's when it was made":
    "Das Zertifikat des Brokers gilt noch nicht: die Uhr dieses Rechners stellen, oder die des Brokers, mit der es entstand",
  "the broker's certificate is not for {host}: name it in MQTT_SERVER as its certificate does":
    "Das Zertifikat des Brokers gilt nicht für {host}: ihn in MQTT_SERVER so nennen wie das Zertifikat",
  "the broker's certificate is signed by an authority that is not known here: name its file in ISEMS_MQTT_CA":
    "Das Zertifikat des Brokers ist von einer Stelle, die hier nicht bekannt ist: deren Datei in ISEMS_MQTT_CA nennen",
  "the broker's certificate is signed by an authority that is not known here: the file of ISEMS_MQTT_CA has another":
    "Das Zertifikat des Brokers ist von einer Stelle, die hier nicht bekannt ist: in der Datei von ISEMS_MQTT_CA steht eine andere",
  "the broker's certificate is not trusted: {said}": "Dem Zertifikat des Brokers wird nicht vertraut: {said}",
  "{setting} is {file}, expected certificates in PEM form: {reason}": "{setting} ist {file}, erwartet sind Zertifikate in PEM-Form: {reason}",
  "{setting} is {file}, expected a file that we may read: {reason}": "{setting} ist {file}, erwartet ist eine Datei, die wir lesen dürfen: {reason}",
  "{setting} is {file}, expected a certificate in PEM form in it": "{setting} ist {file}, darin wird ein Zertifikat in PEM-Form erwartet",
  "{setting} is {file}, expected a private key in PEM form in it": "{setting} ist {file}, darin wird ein privater Schlüssel in PEM-Form erwartet",
  "{setting} is {file}, expected a certificate and its key in PEM form: {reason}":
    "{setting} ist {file}, erwartet ist ein Zertifikat mit seinem Schlüssel in PEM-Form: {reason}",
  "{setting} is {file}, expected the private key of the certificate: {reason}":
    "{setting} ist {file}, erwartet ist der private Schlüssel des Zertifikats: {reason}",
  "{setting} is {file}, expected a private key without a passphrase: {reason}":
    "{setting} ist {file}, erwartet ist ein privater Schlüssel ohne Passphrase: {reason}",

  // Why the collector cannot answer or store.
  "the database {place} cannot be used: {reason}": "Die Datenbank {place} ist nicht zu benutzen: {reason}",
  "the database {place} refused: {reason}": "Die Datenbank {place} hat abgelehnt: {reason}",
  "the database {place} is of version {version}, this program needs {needed}: run 'flask db upgrade'":
    "Die Datenbank {place} hat Version {version}, dieses Programm braucht {needed}: „flask db upgrade“ aufrufen",
  "the database {place} is of version {version}, which this program does not know: it belongs to a newer program, or to another one":
    "Die Datenbank {place} hat Version {version}, die dieses Programm nicht kennt: sie gehört einem neueren Programm oder einem anderen",
  "{place} is no database of ISEMS: it holds the table {table}": "{place} ist keine Datenbank von ISEMS: darin ist die Tabelle {table}",
  "the folder of the database {place} does not exist": "Den Ordner der Datenbank {place} gibt es nicht",
  "the lock {file} cannot be held: {reason}": "Die Sperre {file} lässt sich nicht halten: {reason}",
  "the lock {file} cannot be made: {reason}": "Die Sperre {file} lässt sich nicht anlegen: {reason}",
  "the lock {file} cannot be looked at: {reason}": "Die Sperre {file} lässt sich nicht ansehen: {reason}",
  "PostgreSQL refused rows: {reason}": "PostgreSQL hat Zeilen abgelehnt: {reason}",
  "{bytes} bytes of input wait for this machine's clock to be right, no more fits: set the clock":
    "{bytes} Byte warten darauf, dass die Uhr dieses Rechners stimmt, mehr passt nicht: die Uhr stellen",
  "{count} long answers are on their way already: try again in {seconds} s":
    "{count} lange Antworten sind schon unterwegs: in {seconds} s nochmal versuchen",

  // What was found in rejected input, and what was expected.
  "the payload is empty": "Nichts steht darin",
  "{bytes} bytes in no known format, beginning with {found}": "{bytes} Byte in keinem bekannten Format, am Anfang {found}",
  "{count} lines in one payload, the first {most} were read": "{count} Zeilen auf einmal, die ersten {most} wurden gelesen",
  "not UTF-8: byte 0x{hex} at position {position}": "Kein UTF-8: Byte 0x{hex} an Position {position}",
  "line has {characters} characters, expected at most {most}": "Die Zeile hat {characters} Zeichen, erwartet sind höchstens {most}",
  "{count} fields, expected 19 (18 from the oldest software)": "{count} Felder, erwartet sind 19 (18 von der ältesten Software)",
  "field 2 is {found}, expected the format revision '1'": "Feld 2 ist {found}, erwartet ist die Formatrevision „1“",
  "two records in one line: the line end between them is missing": "Zwei Datensätze in einer Zeile: das Zeilenende dazwischen fehlt",
  "node id has {bytes} bytes, expected 1 to {most}": "Der Knotenname hat {bytes} Byte, erwartet sind 1 bis {most}",
  "node id holds a control character": "Im Knotennamen ist ein Steuerzeichen",
  "time is {found}, expected seconds since 1970": "Die Zeit ist {found}, erwartet sind Sekunden seit 1970",
  "JSON of {bytes} bytes, expected at most {most}": "JSON von {bytes} Byte, erwartet sind höchstens {most}",
  "no JSON object: {said}": "Kein JSON-Objekt: {said}",
  "a JSON object without any member of a board's sample": "Ein JSON-Objekt, in dem nichts von der Messung einer Platine steht",
  "a board's JSON names no node, and neither does the way it came": "Das JSON einer Platine nennt keinen Knoten, und der Weg, auf dem es kam, auch nicht",
  "no router's JSON: it begins with {found}": "Nicht das JSON eines Routers: am Anfang steht {found}",
  "a router's JSON of {bytes} bytes, expected at most {most}": "JSON eines Routers von {bytes} Byte, erwartet sind höchstens {most}",
  "a router's JSON that is not UTF-8: {said}": "JSON eines Routers, das kein UTF-8 ist: {said}",
  "the record is cut: it has no 'Battery voltage'": "Der Datensatz ist abgeschnitten: „Battery voltage“ fehlt",
  "the topic is no node's": "Das Topic gehört zu keinem Knoten",
  "the path names no node: {reason}": "Der Pfad nennt keinen Knoten: {reason}",
  "a record of {name} came where only {speaker} may speak": "Ein Datensatz von {name} kam, wo nur {speaker} sprechen darf",
  "a record of {name} came where only {count} other nodes may speak": "Ein Datensatz von {name} kam, wo nur {count} andere Knoten sprechen dürfen",
  "it carries no time, and nothing tells when it was sent": "Ohne Zeit, und nichts sagt, wann es gesendet wurde",
  "it carries no time, and the node's counter does not run, so nothing tells how long it waited in the broker":
    "Ohne Zeit, und der Zähler des Knotens läuft nicht: nichts sagt, wie lange es im Broker lag",
  "it carries no time, and there is no room for it to wait for the node's next payload":
    "Ohne Zeit, und es ist kein Platz, um auf die nächste Nachricht des Knotens zu warten",
  "it does not tell its time, and neither does a later message of the same boot":
    "Nennt keine Zeit, und eine spätere Nachricht seit demselben Einschalten auch nicht",
  "the record carries no time and none is known": "Der Datensatz nennt keine Zeit, und keine ist bekannt",
  "the line a node shows before its controller has reported: nothing was measured":
    "Die Zeile, die ein Knoten zeigt, bevor sein Solarregler sich meldet: nichts wurde gemessen",
  "the node's clock is {seconds} s ahead of ours": "Die Uhr des Knotens geht um {seconds} s vor",
  "the node's clock was not set ({seconds} s after 1970) and nothing tells when it was":
    "Die Uhr des Knotens war nicht gestellt ({seconds} s nach 1970), und nichts sagt, wann das war",
  "another record of this node and second is stored and differs": "Von diesem Knoten ist zu dieser Sekunde schon ein anderer Datensatz gespeichert",
  "another sample with this tick of the node's counter is stored and differs":
    "Zu diesem Stand des Zählers ist von diesem Knoten schon eine andere Messung gespeichert",
  "moved to its repaired time, where another record of this node and second is stored and differs":
    "An seine berichtigte Zeit gerückt, und dort ist von diesem Knoten schon ein anderer Datensatz gespeichert",
  "it is older than the raw data that are kept of this node: of that time there are only roll-ups":
    "Älter als die Rohdaten, die von diesem Knoten aufgehoben sind: aus jener Zeit gibt es nur Zusammenfassungen",
  "too many nodes are known already": "Es sind schon zu viele Knoten bekannt",
  // Of the predecessor's table.
  "the row has no time": "Die Zeile hat keine Zeit",
  "time is {found}": "Die Zeit ist {found}",
  "time is {found}, expected YYYY-MM-DD HH:MM:SS": "Die Zeit ist {found}, erwartet ist JJJJ-MM-TT HH:MM:SS",
  "clocks of {zone} were never at {time}": "Uhren von {zone} zeigten nie {time}",
  "the node's clock was not set at {time}": "Die Uhr des Knotens war bei {time} nicht gestellt",
  "the node's clock was ahead of ours at {time}": "Die Uhr des Knotens ging bei {time} vor",
  "the node id is {found}, expected a text": "Der Knotenname ist {found}, erwartet ist ein Text",
  "{values}: nothing that the predecessor wrote": "{values}: nichts, was der Vorgänger schrieb",

  // What systems and SQLite say, as a reason.
  "[Errno {number}] {reason}": "[Errno {number}] {reason}",
  "[Errno {number}] {reason}: {file}": "[Errno {number}] {reason}: {file}",
  "Connection refused": "Verbindung abgelehnt",
  "Connection reset by peer": "Verbindung abgebrochen",
  "Connection timed out": "keine Antwort",
  "No route to host": "kein Weg dorthin",
  "Network is unreachable": "kein Weg in sein Netz",
  "Host is down": "Gegenstelle ist aus",
  "No such file or directory": "gibt es nicht",
  "Permission denied": "keine Berechtigung",
  "Read-only file system": "Dateisystem ist schreibgeschützt",
  "No space left on device": "kein Platz mehr auf dem Datenträger",
  "Input/output error": "Lese- oder Schreibfehler",
  "disk I/O error": "Lese- oder Schreibfehler",
  "database is locked": "ein anderer Prozess schreibt zu lange",
  "database or disk is full": "kein Platz mehr auf dem Datenträger",
  "unable to open database file": "die Datei lässt sich nicht öffnen",
  "attempt to write a readonly database": "in die Datei darf nicht geschrieben werden",
  "database disk image is malformed": "die Datei ist beschädigt",
  "file is not a database": "die Datei ist keine Datenbank",
};

interface Template {
  /** What stands before, between and behind the holes. */
  literals: string[];
  holes: Hole[];
  german: string;
}

/** What fits several says most in the one that has the least in its holes. */
const TEMPLATES: Template[] = Object.entries(GERMAN)
  .map(([english, german]) => {
    const parts = english.split(/[{}]/);
    return { literals: parts.filter((_, index) => index % 2 === 0), holes: parts.filter((_, index) => index % 2) as Hole[], german };
  })
  .sort((one, other) => other.literals.join("").length - one.literals.join("").length);

/** Longer than any sentence of ours. */
const MAX_CHARACTERS = 2000;
/** A sentence in a sentence in a sentence. */
const MAX_DEPTH = 3;

/** Gives the German of a sentence that the collector made; null where it is none that is known. Text, whatever it holds. */
export function inGerman(sentence: string, depth = 0): string | null {
  if (sentence.length > MAX_CHARACTERS || depth > MAX_DEPTH) return null;
  for (const template of TEMPLATES) {
    const held = read(template, sentence);
    const said = held && fill(template, held, depth);
    if (said) return said;
  }
  return null;
}

/** Gives what is in the holes. Each ends where the next literal first comes, the last one with the sentence: nothing is tried twice. */
function read({ literals, holes }: Template, sentence: string): string[] | null {
  const first = literals[0] ?? "";
  if (holes.length === 0) return sentence === first ? [] : null;
  if (!sentence.startsWith(first)) return null;
  const held: string[] = [];
  let at = first.length;
  for (const [index, hole] of holes.entries()) {
    const next = literals[index + 1] ?? "";
    const end = index === holes.length - 1 ? sentence.length - next.length : sentence.indexOf(next, at);
    if (end < at || !sentence.startsWith(next, end)) return null;
    const text = sentence.slice(at, end);
    const kind = HOLES[hole];
    if (typeof kind !== "string" && !kind.test(text)) return null;
    held.push(text);
    at = end + next.length;
  }
  return held;
}

function fill({ holes, german }: Template, held: readonly string[], depth: number): string | null {
  const said = new Map<string, string>();
  for (const [index, hole] of holes.entries()) {
    const text = held[index] ?? "";
    const kind = HOLES[hole];
    if (kind === LIST) {
      const items = text.split("; ").map((one) => inGerman(one, depth + 1));
      if (items.includes(null)) return null;
      said.set(hole, items.join("; "));
    } else {
      said.set(hole, kind === REASON ? (inGerman(text, depth + 1) ?? text) : kind === NUMBER ? text.replace(".", ",") : text);
    }
  }
  // In one go: what is filled in may look like a hole.
  return german.replace(/\{(\w+)\}/g, (_, hole: string) => said.get(hole) ?? "");
}
