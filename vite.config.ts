import { fileURLToPath } from "node:url";
import { defineConfig, type UserConfig } from "vite";

const config: UserConfig = defineConfig({
  root: fileURLToPath(new URL("client/web", import.meta.url)),
  // Vite's own JSX transform: the Preact preset would bring Babel along for nothing that is used here.
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: fileURLToPath(new URL("dist/client/web", import.meta.url)),
    emptyOutDir: true,
    // Nothing inline, so that the Content-Security-Policy needs no exception.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  // `npx vite` shows changes at once, with a hub on its usual port behind it.
  server: { proxy: { "/socket.io": { target: "http://127.0.0.1:3000", ws: true } } },
});

export default config;
