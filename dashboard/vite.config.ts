import react from "@vitejs/plugin-react";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** The API that `npm run dev` talks to. */
const server = process.env.MEMBERSTAFF_SERVER ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react(), packed()],
  build: {
    outDir: "../memberstaff/server/web",
    emptyOutDir: true,
    // Browsers of the last two years; older targets would blow `light-dark()` up into fallbacks.
    target: "baseline-widely-available",
    cssTarget: ["chrome125", "firefox125", "safari17.5"],
    assetsInlineLimit: 0, // the content policy allows no data: addresses
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 5000,
    rolldownOptions: {
      // GraphiQL's packages carry directives for a compiler that we do not use.
      onLog: (level, log, report) => {
        if (log.code !== "MODULE_LEVEL_DIRECTIVE") report(level, log);
      },
      input: {
        dashboard: resolve(import.meta.dirname, "index.html"),
        graphiql: resolve(import.meta.dirname, "graphiql/index.html"),
      },
    },
  },
  server: {
    proxy: {
      "/graphql": { target: server, ws: true },
      "/avatars": server,
    },
  },
  test: {
    include: ["src/**/*.test.ts"],
    environment: "node",
    // Loaded by Node itself, it would bring a second copy of graphql, and each knows only its own errors.
    server: { deps: { inline: ["graphql-ws"] } },
  },
});

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
