import { GridLayer, type Coords, type DoneCallback, type Layer } from "leaflet";
import { PMTiles, TileType, type Header } from "pmtiles";
import { leafletLayer } from "protomaps-leaflet";
import type { Language } from "../state/settings";

/** Opens a map that is one file, of which only the parts that are looked at are asked for. */
export async function openArchive(address: string, isDark: boolean, language: Language, maxZoom: number): Promise<Layer> {
  const archive = new PMTiles(address);
  const header = await archive.getHeader();
  if (header.tileType !== TileType.Mvt) return new Pictures(archive, header, maxZoom);
  // It has colours for both themes, and draws with the fonts that are there. Its `L` is the one that Leaflet sets itself.
  const layer = leafletLayer({
    url: archive,
    flavor: isDark ? "dark" : "light",
    lang: language,
    maxDataZoom: header.maxZoom,
    maxZoom,
    className: "drawn",
  } as Parameters<typeof leafletLayer>[0]);
  return layer as unknown as Layer;
}

/** Tiles that are pictures. They are painted, not named by an address of their own, which the page's policy would forbid. */
class Pictures extends GridLayer {
  constructor(
    private readonly archive: PMTiles,
    header: Header,
    maxZoom: number,
  ) {
    super({ maxZoom, minNativeZoom: header.minZoom, maxNativeZoom: header.maxZoom });
  }

  protected override createTile(coords: Coords, done: DoneCallback): HTMLElement {
    const tile = document.createElement("canvas");
    this.paint(tile, coords).then(
      () => done(undefined, tile),
      (error: Error) => done(error, tile),
    );
    return tile;
  }

  private async paint(tile: HTMLCanvasElement, { z, x, y }: Coords): Promise<void> {
    const found = await this.archive.getZxy(z, x, y);
    if (!found) return; // beyond the edge of the file
    const picture = await createImageBitmap(new Blob([found.data]));
    tile.width = picture.width;
    tile.height = picture.height;
    tile.getContext("2d")?.drawImage(picture, 0, 0);
    picture.close();
  }
}
