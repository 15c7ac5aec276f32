import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import {
  importCircles,
  importsOf,
  importViolations,
  lengthViolations,
  longestFile,
  readSources,
} from "./support/architecture.ts";
import { luaHeaderViolations } from "./support/lua-headers.ts";

const sources = readSources(fileURLToPath(new URL("..", import.meta.url)));

describe("the source tree", () => {
  test("is found", () => {
    expect(sources.map(({ path }) => path)).toContain("test/architecture.test.ts");
    expect(sources.map(({ path }) => path)).toContain("shared/index.ts");
  });

  test("keeps the import rules", () => {
    expect(importViolations(sources)).toEqual([]);
  });

  test("has no import circles", () => {
    expect(importCircles(sources)).toEqual([]);
  });

  test(`has no file over ${longestFile} lines`, () => {
    expect(lengthViolations(sources)).toEqual([]);
  });

  test("documents the arguments and results of every Redis script", () => {
    expect(luaHeaderViolations(sources)).toEqual([]);
  });
});

describe("the import reader", () => {
  test.each([
    [`import a from "x";`, ["x"]],
    [`import 'x'`, ["x"]],
    [`import type { A } from "./x.ts";`, ["./x.ts"]],
    [`import {\n  a, // from "y"\n  b,\n} from "x";`, ["x"]],
    [`export * from "x";\nexport { a } from "y";`, ["x", "y"]],
    [`export const a = 1;\nexport type { B } from "x";`, ["x"]],
    [`const a = await import("x");`, ["x"]],
    [`let a: import("x").A;`, ["x"]],
    [`const a = await import(name);`, ["?"]],
    ["const a = await import(`./${name}.ts`);", ["?"]],
    [`const a = require("x");`, ["x"]],
    [`// import "x";\n/* import a from "y"; */`, []],
    [`const a = "// "; import("x");`, ["x"]],
    [`const a = import.meta.url; import("x", { with: { type: "json" } });`, ["x"]],
    [`export const from = "x";`, []],
  ])("finds in %j the imports %j", (text, imports) => {
    expect(importsOf(text)).toEqual(imports);
  });
});

describe("the import rules", () => {
  test.each([
    ["shared/a.ts", "zod"],
    ["shared/a.ts", "node:crypto"],
    ["shared/a.ts", "../server/hub/hub.ts"],
    ["client/sdk/a.ts", "../../server/hub/hub.ts"],
    ["client/sdk/a.ts", "node:fs"],
    ["client/web/a.ts", "redis"],
    ["server/hub/a.ts", "redis"],
    ["server/hub/a.ts", "socket.io"],
    ["server/hub/a.ts", "express"],
    ["server/hub/a.ts", "node:http"],
    ["server/hub/a.ts", "http"],
    ["server/hub/a.ts", "../stores/memory/a.ts"],
    ["server/hub/a.ts", "../index.ts"],
    ["server/transports/http/a.ts", "../socketio/a.ts"],
    ["server/transports/http/a.ts", "../../stores/redis/a.ts"],
    ["server/transports/sse.ts", "./socketio/a.ts"],
    ["server/transports/socketio/a.ts", "redis"],
    ["server/stores/redis/a.ts", "../memory/a.ts"],
    ["server/stores/redis/a.ts", "../../hub/hub.ts"],
    ["server/stores/redis/a.ts", "socket.io"],
    ["server/stores/epoch.ts", "./redis/a.ts"],
    ["server/publisher/a.ts", "../hub/broker.ts"],
    ["server/publisher/a.ts", "../stores/memory/a.ts"],
    ["server/sources/a.ts", "../stores/redis/a.ts"],
    ["server/sources/a.ts", "../hub/hub.ts"],
    ["server/operations/a.ts", "../transports/http/a.ts"],
    ["server/operations/a.ts", "roomcast"],
    ["server/index.ts", "../chaos/run.ts"],
    ["server/cli/serve.ts", "../../chaos/index.ts"],
    ["server/cli/chaos.ts", "../../chaos/run.ts"],
    ["chaos/a.ts", "../server/stores/redis/keys.ts"],
    ["chaos/a.ts", "../server/cli/serve.ts"],
    ["chaos/a.ts", "redis"],
    ["bench/a.ts", "../server/hub/hub.ts"],
    ["bench/a.ts", "../chaos/run.ts"],
    ["server/hub/a.ts", "../../bench/a.ts"],
  ])("forbid %s to import %s", (path, specifier) => {
    const line = `import type { A } from "${specifier}";\n`;
    expect(importViolations([{ path, text: line }])).toEqual([`${path} may not import ${specifier}`]);
    expect(importViolations([{ path: path.replace(".ts", ".test.ts"), text: line }])).toEqual([]);
  });

  test.each([
    ["test/dialects/a.test.ts", "../../server/index.ts"],
    ["test/dialects/support/a.ts", "../../../shared/errors.ts"],
    ["test/dialects/a.test.ts", "../support/nodes.ts"],
    ["test/dialects/a.test.ts", "roomcast"],
    ["test/support/commands.ts", "../../server/config.ts"],
  ])("forbid %s to import %s, although it is a test", (path, specifier) => {
    expect(importViolations([{ path, text: `import "${specifier}";` }])).toEqual([
      `${path} may not import ${specifier}`,
    ]);
  });

  test.each([
    ["test/dialects/a.test.ts", "./support/stage.ts"],
    ["test/dialects/support/stage.ts", "../../support/commands.ts"],
    ["test/dialects/a.test.ts", "eventsource"],
    ["test/e2e/a.test.ts", "../../server/index.ts"],
    ["shared/a.ts", "./b.ts"],
    ["client/sdk/a.ts", "socket.io-client"],
    ["client/web/a.ts", "../sdk/index.ts"],
    ["server/hub/a.ts", "../../shared/message.ts"],
    ["server/hub/deeper/a.ts", "../hub.ts"],
    ["server/transports/http/routes/a.ts", "../app.ts"],
    ["server/transports/http/a.ts", "../authenticate.ts"],
    ["server/transports/sse.ts", "./sse-format.ts"],
    ["server/stores/redis/a.ts", "../../hub/broker.ts"],
    ["server/stores/redis/a.ts", "redis"],
    ["server/stores/redis/a.ts", "../epoch.ts"],
    ["server/publisher/a.ts", "../stores/redis/keys.ts"],
    ["server/sources/a.ts", "../publisher/index.ts"],
    ["server/operations/a.ts", "../hub/observer.ts"],
    ["server/index.ts", "./stores/redis/a.ts"],
    ["server/config-file.ts", "zod"],
    ["server/cli/serve.ts", "../index.ts"],
    ["server/cli/chaos.ts", "../../chaos/index.ts"],
    ["chaos/planted/a.ts", "../../server/hub/broker.ts"],
    ["chaos/oracle/a.ts", "../hash.ts"],
    ["bench/load/a.ts", "../../server/publisher/index.ts"],
    ["bench/servers/a.ts", "../../chaos/processes.ts"],
  ])("allow %s to import %s", (path, specifier) => {
    expect(importViolations([{ path, text: `export * from "${specifier}";` }])).toEqual([]);
  });

  test("report a computed import, which nobody can check", () => {
    const file = { path: "server/hub/a.ts", text: "await import(name);" };
    expect(importViolations([file])).toEqual(["server/hub/a.ts may not import a computed path"]);
  });

  test("report a file that no rule covers", () => {
    const file = { path: "server/utils/a.ts", text: "" };
    expect(importViolations([file])).toEqual(["server/utils/a.ts is covered by no import rule"]);
  });
});

describe("the other checks", () => {
  test("report a circle by its path, through a type import too", () => {
    const files = [
      { path: "shared/a.ts", text: `import "./b.ts";` },
      { path: "shared/b.ts", text: `import "./deep/c.ts";` },
      { path: "shared/deep/c.ts", text: `import type { B } from "../b.ts";` },
      { path: "shared/self.ts", text: `export * from "./self.ts";` },
    ];
    expect(importCircles(files)).toEqual([
      "shared/b.ts → shared/deep/c.ts → shared/b.ts",
      "shared/self.ts → shared/self.ts",
    ]);
  });

  test.each(["ts", "tsx", "mjs", "lua", "css"])("report a .%s file that is one line too long", (ending) => {
    const path = `server/a.${ending}`;
    expect(lengthViolations([{ path, text: "\n".repeat(longestFile) }])).toEqual([]);
    expect(lengthViolations([{ path, text: "\n".repeat(longestFile + 1) }])).toEqual([
      `${path} has ${longestFile + 1} lines, over ${longestFile}`,
    ]);
  });

  const header =
    "-- Adds one.\n-- KEYS[1] counter\n-- ARGV[1] step\n-- ARGV[2..] names\n-- Returns the sum\n";
  test.each([
    [`${header}return { KEYS[1], ARGV[1], unpack(ARGV, 2) }`, []],
    [`${header}return { KEYS[1], ARGV[1], ARGV[7] }`, []],
    [`${header}return { KEYS[1] }`, ["the header documents ARGV[1], the code uses no more than ARGV[0]"]],
    [`${header}return { KEYS[2], ARGV[1] }`, ["the code uses KEYS[2], which the header does not have"]],
    [
      `${header}return ARGV[1] -- KEYS[1]`,
      ["the header documents KEYS[1], the code uses no more than KEYS[0]"],
    ],
    ["-- KEYS none\n-- ARGV none\nreturn 1", [`the header has no line "-- Returns …"`]],
    [
      "-- KEYS none\n-- Returns one\nreturn 1",
      [`the header has neither "-- ARGV[1] name" nor "-- ARGV none"`],
    ],
    [
      "-- KEYS[2] key\n-- ARGV none\n-- Returns one\nreturn KEYS[2]",
      ["the header numbers KEYS 2, which is not 1, 2, 3 …"],
    ],
    [
      "return 1",
      [
        `the header has no line "-- Returns …"`,
        `the header has neither "-- KEYS[1] name" nor "-- KEYS none"`,
        `the header has neither "-- ARGV[1] name" nor "-- ARGV none"`,
      ],
    ],
  ])("judge the script %j: %j", (text, problems) => {
    const path = "server/stores/redis/a.lua";
    expect(luaHeaderViolations([{ path, text }])).toEqual(problems.map((problem) => `${path}: ${problem}`));
  });
});
