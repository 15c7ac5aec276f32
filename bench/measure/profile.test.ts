import { expect, test } from "@jest/globals";
import { areasOf } from "./profile.ts";

const node = (id: number, functionName: string, url: string): object => ({
  id,
  callFrame: { functionName, url, scriptId: "1", lineNumber: 0, columnNumber: 0 },
});

test("a profile's busy time is divided by whose code it is", () => {
  const profile = {
    nodes: [
      node(1, "(idle)", ""),
      node(2, "writeBuffer", ""),
      node(3, "write", "node:net"),
      node(4, "flush", "file:///app/node_modules/engine.io/build/socket.js"),
      node(5, "next", "file:///app/node_modules/router/index.js"),
      node(6, "deliver", "file:///app/dist/server/fan-out.js"),
      node(7, "(garbage collector)", ""),
    ],
    samples: [1, 2, 2, 3, 4, 5, 6, 7],
    timeDeltas: [1_000, 30, 20, 20, 10, 10, 5, 5],
    startTime: 0,
    endTime: 1_100,
  };
  expect(areasOf(profile as never)).toEqual([
    ["system calls and other native code", 50],
    ["node", 20],
    ["engine.io, ws, socket.io", 10],
    ["express and its middleware, zod", 10],
    ["the server itself", 5],
    ["garbage collection", 5],
  ]);
});
