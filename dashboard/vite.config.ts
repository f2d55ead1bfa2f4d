import react from "@vitejs/plugin-react";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { type Plugin, runnerImport } from "vite";
import { defineConfig } from "vitest/config";

/** The API that `npm run dev` talks to. */
const server = process.env.MEMBERSTAFF_SERVER ?? "http://127.0.0.1:8000";

/** The licences of all packages in the build, which demand that their texts go with them. */
const LICENSES = "licenses.md";
/** Our own client, as its source: it is packed after this is built. */
const client = resolve(import.meta.dirname, "../clients/typescript/src");
/** Where the body of the page that describes the schema goes. */
const REFERENCE = "<!-- reference -->";
const inWorkers = new Set<string>();

export default defineConfig({
  plugins: [react(), reference(), licenses(), packed()],
  resolve: {
    alias: [
      { find: /^@memberstaff\/client$/, replacement: `${client}/index.ts` },
      { find: /^@memberstaff\/client\/(.*)$/, replacement: `${client}/$1.ts` },
    ],
    // What the client needs is this project's, or there would be two of each, or none.
    dedupe: ["@urql/core", "@urql/exchange-graphcache", "graphql", "graphql-ws", "wonka"],
  },
  worker: { plugins: () => [workerPackages()] },
  build: {
    outDir: "../memberstaff/server/web",
    emptyOutDir: true,
    // Browsers of the last two years; older targets would blow `light-dark()` up into fallbacks.
    target: "baseline-widely-available",
    cssTarget: ["chrome125", "firefox125", "safari17.5"],
    assetsInlineLimit: 0, // the content policy allows no data: addresses
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 5000,
    license: { fileName: LICENSES },
    rolldownOptions: {
      // GraphiQL's packages carry directives for a compiler that we do not use.
      onLog: (level, log, report) => {
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") report(level, log);
      },
      input: {
        dashboard: resolve(import.meta.dirname, "index.html"),
        graphiql: resolve(import.meta.dirname, "graphiql/index.html"),
        reference: resolve(import.meta.dirname, "reference/index.html"),
      },
    },
  },
  server: {
    fs: { allow: [".", client] },
    proxy: {
      "/graphql": { target: server, ws: true },
      "/avatars": server,
      "/schema.graphql": server,
    },
  },
  test: {
    include: ["src/**/*.test.ts"],
    environment: "node",
    testTimeout: 30_000, // of a test that hangs; none takes long
    isolate: false, // no test leaves anything behind in a module; half of the time went into workers
    // Loaded by Node itself, it would bring a second copy of graphql, and each knows only its own errors.
    server: { deps: { inline: ["graphql-ws"] } },
  },
});

/** Fills in the page that describes the schema. */
function reference(): Plugin {
  return {
    name: "reference",
    async transformIndexHtml(page) {
      if (!page.includes(REFERENCE)) return page;
      const { module } = await runnerImport<typeof import("./src/reference/render")>(
        resolve(import.meta.dirname, "src/reference/render.tsx"),
      );
      const body = module.render(readFileSync(resolve(import.meta.dirname, "../schema.graphql"), "utf8"));
      return page.replace(REFERENCE, () => body);
    },
  };
}

/** Completes what Vite writes of the scripts' licences: fonts, what Monaco is made of, and packages without a text. */
function licenses(): Plugin {
  const packages = resolve(import.meta.dirname, "node_modules");
  const read = (...path: string[]) => readFileSync(resolve(packages, ...path), "utf8");
  const font = "@fontsource-variable/inter";
  const { version } = JSON.parse(read(font, "package.json")) as { version: string };
  const more = [
    `## ${font} - ${version} (OFL-1.1)\n\n${read(font, "LICENSE")}`,
    `## monaco-editor, third-party notices\n\n${read("monaco-editor", "ThirdPartyNotices.txt")}`,
    "## DOMPurify, in monaco-editor (MPL-2.0 OR Apache-2.0)\n\n(c) Cure53 and other contributors, " +
      "https://github.com/cure53/DOMPurify. The text of Apache-2.0 stands above, under react-aria.\n",
    `## prettier, third-party notices\n\n${read("prettier", "THIRD-PARTY-NOTICES.md").replace(/^#+ /gm, "#### ")}`,
    "## Codicons, the font in monaco-editor (CC-BY-4.0)\n\nCopyright (c) Microsoft Corporation. " +
      "Licensed under https://creativecommons.org/licenses/by/4.0/, unchanged.\n",
  ];
  const mit = read("react", "LICENSE").slice(read("react", "LICENSE").indexOf("Permission is hereby granted"));
  const added = (_: string, heading: string, name: string) =>
    `${heading}\n\nCopyright (c) the authors of ${name}. Its package carries no text; that of its licence is:\n\n${mit}`;
  return {
    name: "licenses",
    apply: "build",
    writeBundle({ dir = "." }) {
      const file = resolve(dir, LICENSES);
      const pages = readFileSync(file, "utf8").replace(/(## (\S+) - \S+ \(MIT\))\s*(?=\n## )/g, added);
      const workers = [...inWorkers].sort().map((folder) => licenseOf(folder));
      const missing = workers.filter(({ heading }) => !pages.includes(`\n${heading}\n`));
      writeFileSync(file, [pages, ...missing.map(({ heading, text }) => `${heading}\n\n${text}`), ...more].join("\n"));
    },
  };
}

/** The heading and the text of a package's licence; the build fails when it has none. */
function licenseOf(folder: string): { heading: string; text: string } {
  const about = JSON.parse(readFileSync(resolve(folder, "package.json"), "utf8")) as Record<string, string>;
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  if (!file) throw new Error(`${folder} has no licence.`);
  return {
    heading: `## ${about.name} - ${about.version} (${about.license})`,
    text: readFileSync(resolve(folder, file), "utf8"),
  };
}

/** Notes the packages in a worker's bundle, which Vite's own list does not have. */
function workerPackages(): Plugin {
  return {
    name: "worker-packages",
    generateBundle(_, bundle) {
      for (const chunk of Object.values(bundle)) {
        for (const id of chunk.type === "chunk" ? chunk.moduleIds : []) {
          const folder = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id.replace(/^\0/, ""))?.[0];
          if (folder) inWorkers.add(folder);
        }
      }
    },
  };
}

/** Leaves a .gz beside each script and style sheet: the server sends it to whoever can unpack it. */
function packed(): Plugin {
  return {
    name: "packed",
    apply: "build",
    writeBundle({ dir = "." }) {
      for (const name of readdirSync(dir, { recursive: true, encoding: "utf8" })) {
        if (!/\.(css|js|svg|ttf)$/.test(name)) continue;
        const file = resolve(dir, name);
        writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9 }));
      }
    },
  };
}
