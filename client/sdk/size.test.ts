import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect, test } from "@jest/globals";
import { buildSync } from "esbuild";

test("the SDK takes at most 6 kB beside socket.io-client, minified and packed", () => {
  const { outputFiles } = buildSync({
    entryPoints: [fileURLToPath(new URL("index.ts", import.meta.url))],
    external: ["socket.io-client"],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  expect(gzipSync(outputFiles[0]!.contents).length).toBeLessThanOrEqual(6_000);
});
