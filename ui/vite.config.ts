// One page, one script, one style sheet, and the scripts that are fetched only where they are needed; all under fixed
// names, of which the platform serves exactly these.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: process.env.DAYFLY_UI_OUT ?? "../src/dayfly/web/static",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
    rollupOptions: {
      input: "console.html",
      output: { entryFileNames: "console.js", chunkFileNames: ({ name }) => `console-${name.replaceAll("-", "")}.js`, assetFileNames: "console[extname]" },
    },
  },
});
