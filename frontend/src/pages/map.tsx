import { Control, DomUtil, Map as LeafletMap, LatLngBounds, Marker, control, divIcon, layerGroup, point, tileLayer, type Layer, type LayerGroup, type LeafletKeyboardEvent } from "leaflet";
import "leaflet/dist/leaflet.css";
import { useEffect, useRef, useState } from "preact/hooks";
import { collectorStatus, fleet, sparks, type Histories } from "../api/resources";
import { STATES, type CollectorStatus, type Node } from "../api/types";
import { drawGraticule, loadLand } from "../charts/land";
import { drawPlaces } from "../charts/places";
import { FrozenAt } from "../components/age";
import { NodeItem } from "../components/card";
import { AppBar } from "../components/layout";
import { Glyph, Icon } from "../components/marks";
import { Notice, OnlyWorst, Standing, frozenSince } from "../components/notices";
import { MAP_TEXTS, type MapTexts } from "../i18n/map";
import { useWords, type Words } from "../i18n/use";
import { needsYou, sortNodes } from "../state/fleet";
import { positionOf, type Place } from "../state/place";
import { theme } from "../state/settings";
import { useMedia, useNodes, useNow, useSource, useStore } from "../state/use";
import "../style/map.css";

/** Where the nodes are. The map is made of outlines that come with the collector: it needs no internet. */
export default function MapPage() {
  const words = useWords();
  const texts = MAP_TEXTS[words.language];
  const snapshot = useNodes();
  const status = useSource(collectorStatus()).value;
  const frozenAt = frozenSince(snapshot, useNow());
  const active = sortNodes((snapshot.value ?? []).filter((one) => one.is_active));
  const placed = active.filter((one) => positionOf(one) !== null);
  const others = active.filter((one) => positionOf(one) === null);
  return (
    <FrozenAt.Provider value={frozenAt}>
      <div class={frozenAt === null ? "atlas" : "atlas frozen"}>
        <AppBar title={words.texts.pageNames.map} />
        <Standing source={fleet()} snapshot={snapshot} />
        <OnlyWorst />
        {snapshot.value && placed.length === 0 && (
          <Notice title={texts.nothing}>
            <p>{texts.nothingMeans}</p>
          </Notice>
        )}
        {placed.length > 0 && status && <Atlas nodes={placed} without={others.length} status={status} words={words} texts={texts} />}
        {others.length > 0 && <Without nodes={others} words={words} texts={texts} />}
      </div>
    </FrozenAt.Provider>
  );
}

interface Props {
  words: Words;
  texts: MapTexts;
}

/** Nodes without a position are not on the map, and not forgotten. */
function Without({ nodes, words, texts }: Props & { nodes: Node[] }) {
  return (
    <section id="without" tabIndex={-1}>
      <h2 class="group">{texts.withoutPosition(nodes.length)}</h2>
      <Items nodes={nodes} words={words} />
      <p class="group">{texts.withoutMeans}</p>
    </section>
  );
}

const MINUTE_MS = 60_000;

function Items({ nodes, words }: { nodes: Node[]; words: Words }) {
  const histories: Histories = useSource(sparks()).value ?? {};
  const now = Math.ceil(useNow() / MINUTE_MS) * MINUTE_MS;
  return (
    <ul class="rows">
      {nodes.map((node) => (
        <li key={node.node}>
          <NodeItem node={node} words={words} history={histories[node.node]} now={now} isChosen={false} />
        </li>
      ))}
    </ul>
  );
}

/** Outlines say nothing any more from here on; tiles do. */
const MAX_ZOOM = { outlines: 15, tiles: 19 };
const FIRST_ZOOM = { outlines: 12, tiles: 16 };
/** Nodes that a finger cannot tell apart are shown together, in pixels. */
const NEAR = 18;

interface AtlasProps extends Props {
  nodes: Node[];
  without: number;
  status: CollectorStatus;
}

function Atlas({ nodes, without, status, words, texts }: AtlasProps) {
  const box = useRef<HTMLDivElement>(null);
  const atlas = useRef<{ map: LeafletMap; marks: LayerGroup } | null>(null);
  const [chosen, choose] = useState<string[]>([]);
  const [isBare, setBare] = useState(false);
  const tiles = status.map_tiles;
  const archive = tiles?.url.endsWith(".pmtiles") ? tiles.url : null;
  const kind = tiles ? "tiles" : "outlines";
  const isDark = useIsDark();
  const fit = (some: Node[]) => atlas.current?.map.fitBounds(boundsOf(some), { padding: [40, 40], maxZoom: FIRST_ZOOM[kind] });

  useEffect(() => {
    const map = new LeafletMap(box.current as HTMLElement, { zoomControl: false, maxZoom: MAX_ZOOM[kind], minZoom: 1, attributionControl: false, worldCopyJump: true });
    const quiet = matchMedia("(prefers-reduced-motion: reduce)").matches;
    Object.assign(map.options, quiet ? { zoomAnimation: false, fadeAnimation: false, markerZoomAnimation: false } : {});
    control.scale({ imperial: false, position: "bottomleft" }).addTo(map);
    atlas.current = { map, marks: layerGroup().addTo(map) };
    fit(nodes);
    if (tiles && !archive) tileLayer(tiles.url, { maxZoom: MAX_ZOOM.tiles }).addTo(map);
    if (!tiles) {
      loadLand().then(
        (land) => atlas.current?.map === map && land.addTo(map),
        () => setBare(true),
      );
    }
    const names = layerGroup().addTo(map);
    // Drawn only if the map has not moved on while they were loaded.
    const draw = async () => {
      const bounds = map.getBounds();
      const isGone = () => atlas.current?.map !== map;
      const drawn = await drawPlaces(map, isGone);
      if (isGone() || !map.getBounds().equals(bounds)) return;
      names.clearLayers();
      for (const one of drawn) names.addLayer(one);
    };
    if (!tiles) {
      void draw();
      map.on("moveend", () => void draw());
    }
    map.on("click", () => choose([]));
    const resized = new ResizeObserver(() => map.invalidateSize());
    resized.observe(box.current as HTMLElement);
    return () => {
      resized.disconnect();
      atlas.current = null;
      map.stop(); // or an animation goes on without it
      map.remove();
    };
  }, [kind]);

  // A map that is a file has its own names and colours; what reads it is loaded for nothing else.
  useEffect(() => {
    const map = atlas.current?.map;
    if (!map || !archive) return;
    let layer: Layer | null = null;
    let isGone = false;
    import("../charts/archive")
      .then(({ openArchive }) => openArchive(archive, isDark, words.language, MAX_ZOOM.tiles))
      .then(
        (opened) => {
          if (!isGone) layer = opened.addTo(map);
        },
        () => setBare(true),
      );
    return () => {
      isGone = true;
      layer?.remove();
    };
  }, [archive, isDark, words.language]);

  // What depends on the language is drawn anew with it.
  useEffect(() => {
    const map = atlas.current?.map;
    if (!map) return;
    const lines = layerGroup().addTo(map);
    const draw = () => {
      lines.clearLayers();
      if (!tiles) for (const one of drawGraticule(map, (degrees, isLatitude, decimals) => writeDegrees(degrees, isLatitude, decimals, words, texts))) lines.addLayer(one);
    };
    draw();
    map.on("moveend", draw);
    const buttons = control.zoom({ position: "bottomright", zoomInTitle: texts.zoomIn, zoomOutTitle: texts.zoomOut }).addTo(map);
    const due = new Due(tiles ? tiles.attribution : texts.source).addTo(map);
    return () => {
      map.off("moveend", draw);
      lines.remove();
      buttons.remove();
      due.remove();
    };
  }, [kind, texts, words]);

  useEffect(() => {
    if (!atlas.current) return;
    const { map, marks } = atlas.current;
    const focused = (document.activeElement as HTMLElement | null)?.dataset.mark;
    marks.clearLayers();
    // The worst first: the keyboard finds it first, and of two at one place it is on top all the same.
    for (const node of nodes) {
      const mark = markerOf(node, words, chosen.includes(node.node));
      mark.on("click", () => choose(near(map, node, nodes)));
      mark.on("keypress", ({ originalEvent: { key } }: LeafletKeyboardEvent) => {
        if (key === "Enter" || key === " ") choose(near(map, node, nodes));
      });
      mark.addTo(marks);
      if (focused === node.node) mark.getElement()?.focus({ preventScroll: true });
    }
  }, [kind, nodes.map((one) => `${one.node}\n${one.state}`).join("\n"), words, chosen.join("\n")]);

  const urgent = nodes.filter((one) => needsYou(one.state));
  const shown = nodes.filter((one) => chosen.includes(one.node));
  return (
    <section class="mapframe">
      <div class={tiles ? "map tiled" : "map"} ref={box} role="region" aria-label={texts.map} />
      <div class="chips">
        {urgent.length > 0 && (
          <button type="button" class="chip s-crit" onClick={() => fit(urgent)}>
            <Glyph state="crit" />
            {texts.urgent(urgent.length)}
          </button>
        )}
        <button type="button" class="chip" onClick={() => fit(nodes)}>
          {texts.all(nodes.length)}
        </button>
        {without > 0 && (
          <button type="button" class="chip end" onClick={showWithout}>
            {texts.withoutPosition(without)}
          </button>
        )}
      </div>
      {isBare && <p class="bare" role="status">{archive ? texts.archiveFailed : texts.baseFailed}</p>}
      {shown.length > 0 && (
        <div class="mapsheet" role="dialog" aria-label={shown.length > 1 ? texts.here(shown.length) : shown[0]?.node} onKeyDown={(event) => closeOn(event, () => choose([]))}>
          <header>
            <b>{shown.length > 1 ? texts.here(shown.length) : ""}</b>
            <button type="button" class="iconbtn" aria-label={texts.close} onClick={() => choose([])}>
              <Icon name="close" />
            </button>
          </header>
          <Items nodes={shown} words={words} />
        </div>
      )}
    </section>
  );
}

function useIsDark(): boolean {
  const chosen = useStore(theme);
  const isSystemDark = useMedia("(prefers-color-scheme: dark)");
  return chosen === "system" ? isSystemDark : chosen === "dark";
}

function closeOn(event: KeyboardEvent, close: () => void): void {
  if (event.key !== "Escape") return;
  event.stopPropagation();
  close();
}

function showWithout(): void {
  const list = document.getElementById("without");
  list?.scrollIntoView();
  list?.focus({ preventScroll: true });
}

/** Whom the map is due to. Leaflet's own control would take it for HTML. */
class Due extends Control {
  constructor(private readonly text: string) {
    super({ position: "bottomleft" });
  }
  override onAdd(): HTMLElement {
    const element = DomUtil.create("div", "due");
    element.textContent = this.text;
    return element;
  }
}

const boundsOf = (nodes: Node[]): LatLngBounds =>
  new LatLngBounds(nodes.flatMap((node) => pairOf(positionOf(node))));
const pairOf = (place: Place | null): [number, number][] => (place ? [[place.latitude, place.longitude]] : []);

/** A node on the map: its shape in its colour, larger where a person must act. */
function markerOf(node: Node, words: Words, isChosen: boolean): Marker {
  const { latitude, longitude } = positionOf(node) as Place;
  const isUrgent = needsYou(node.state);
  const size = isUrgent ? 34 : 28;
  const icon = divIcon({ className: `pin s-${node.state}${isChosen ? " chosen" : ""}`, html: glyphOf(node), iconSize: point(size, size) });
  const name = `${node.node}, ${words.texts.states[node.state]}`;
  const mark = new Marker([latitude, longitude], { icon, title: name, alt: name, zIndexOffset: 1000 * (STATES.length - STATES.indexOf(node.state)) });
  mark.on("add", () => {
    const element = mark.getElement();
    element?.setAttribute("aria-label", name);
    if (element) element.dataset.mark = node.node;
  });
  return mark;
}

const SVG = "http://www.w3.org/2000/svg";

/** An element, not a text: nothing that a node sends is read as HTML. */
function glyphOf(node: Node): HTMLElement {
  const box = document.createElement("span");
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "glyph");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#g-${node.state}`);
  svg.append(use);
  box.append(svg);
  return box;
}

/** A node and those that stand so near that a finger meets them together. */
function near(map: LeafletMap, chosen: Node, nodes: Node[]): string[] {
  const at = (node: Node) => map.latLngToContainerPoint(pairOf(positionOf(node))[0] as [number, number]);
  const center = at(chosen);
  return nodes.filter((node) => at(node).distanceTo(center) <= NEAR).map((node) => node.node);
}

function writeDegrees(degrees: number, isLatitude: boolean, decimals: number, words: Words, texts: MapTexts): string {
  const { north, south, east, west } = texts.graticule;
  const side = isLatitude ? (degrees < 0 ? south : north) : degrees < 0 ? west : east;
  return `${words.format.number(Math.abs(degrees), decimals)}° ${side}`;
}
