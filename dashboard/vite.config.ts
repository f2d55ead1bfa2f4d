import react from "@vitejs/plugin-react";
import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

/** The API that `npm run dev` talks to. */
const server = process.env.MEMBERSTAFF_SERVER ?? "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
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
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
