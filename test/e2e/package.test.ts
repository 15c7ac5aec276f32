import { readFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { Commands } from "../support/commands.ts";
import { InstalledPackage } from "../support/installed-package.ts";
import { Nodes } from "../support/nodes.ts";
import { packageRoot } from "../support/run-node.ts";
import { until } from "../support/wait.ts";

const TSCONFIG = JSON.stringify({
  compilerOptions: {
    strict: true,
    module: "nodenext",
    target: "es2022",
    types: ["node"],
    skipLibCheck: false,
    outDir: "out",
  },
});

const EMBEDS = `import { createServer } from "node:http";
import express from "express";
import { createHub } from "roomcast";

const app = express();
const server = createServer(app);
const hub = await createHub({ server, logLevel: "silent", rooms: { "chat:*": { messages: 10 } } });
app.get("/", (_request, response) => void response.send("my own page"));
app.use("/hub", hub.handler);
hub.io.of("/admin").on("connection", (socket) => {
  socket.emit("welcome", socket.nsp.name);
  socket.onAny((event: string, ...args: unknown[]) => socket.emit("heard", event, args.length));
});
process.on("SIGTERM", () => void hub.close());
console.log(\`listens on \${await hub.listen(0)}\`);
await hub.publish("chat:lobby", "message", { text: "from the program" });
`;

const EMITS = `import { emitToRoom } from "roomcast/publisher";

const log = { message: "done", level: "INFO" };
const { offset, duplicate } = await emitToRoom("stream:build-42", "log", log, { id: "done" });
const again = await emitToRoom("stream:build-42", "log", log, { id: "done", timeoutMs: 5_000 });
const live = await emitToRoom("stream:build-42", "progress", 0.5, { ephemeral: true });
const next: number = offset + 1;
console.log(JSON.stringify([next, duplicate, again.duplicate, live.ephemeral]));
`;

const READS = `import { connect, type Meta } from "roomcast/client";
import { parsePosition, type Position } from "roomcast/shared";

const client = connect(process.argv[2]!, { username: "ana" });
const room = client.room("chat:lobby", { rewind: 50 });
room.on("message", (data: unknown, meta: Meta) => console.log(JSON.stringify({ data, offset: meta.offset })));
const { cursor } = await room.join();
const { epoch }: Position = parsePosition(cursor);
console.log(epoch === room.position?.epoch);
client.close();
`;

let installed: InstalledPackage;
let commands: Commands;
let nodes: Nodes;

beforeAll(async () => {
  installed = await InstalledPackage.install("express", "@types/express", "@types/node");
  installed.write("tsconfig.json", TSCONFIG);
  installed.write("embeds.ts", EMBEDS);
  installed.write("emits.ts", EMITS);
  installed.write("reads.ts", READS);
  expect(await installed.compile()).toBe("");
}, 300_000);

afterAll(() => installed?.remove());

beforeEach(() => {
  commands = new Commands();
  nodes = new Nodes();
});

afterEach(async () => {
  await nodes.close();
  await commands.close();
});

describe("the tarball", () => {
  test("has the code with its types, and the manuals", async () => {
    const files = await installed.files();
    for (const file of ["client/sdk/index", "server/index", "server/publisher/index", "shared/index"]) {
      expect(files).toEqual(expect.arrayContaining([`dist/${file}.js`, `dist/${file}.d.ts`]));
    }
    const others = ["package.json", "README.md", "LICENSE", "PROTOCOL.md", "CHANGELOG.md"];
    const assets = [
      "dist/server/stores/redis/append.lua",
      "dist/client/web/index.html",
      "dist/chaos/clients/process.js",
      "dist/chaos/planted/planted-hub.js",
    ];
    expect(files).toEqual(expect.arrayContaining([...others, ...assets]));
  });

  test("has no tests, sources, source maps or traces of the build", async () => {
    const files = await installed.files();
    const expected = /^(package\.json|[A-Z]+(\.md)?|dist\/.+\.(js|d\.ts|lua|html|css|svg))$/;
    expect(files.filter((file) => !expected.test(file) || /\.test\.|(^|\/)\./.test(file))).toEqual([]);
    const places = [packageRoot, `${tmpdir()}/roomcast-`, `${homedir()}/`, "sourceMappingURL"];
    const told = files.filter((file) => places.some((place) => installed.read(file).includes(place)));
    expect(told).toEqual([]);
  });

  test("has nothing that publint calls a fault", async () => {
    const { buffer, byteOffset, byteLength } = readFileSync(installed.tarball);
    const tarball = buffer.slice(byteOffset, byteOffset + byteLength);
    const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });
});

describe("the installed package", () => {
  const program = (name: string): { program: [string, string]; cwd: string } => ({
    program: [process.execPath, `out/${name}.js`],
    cwd: installed.folder,
  });

  test("serves by npx, and stops with it", async () => {
    const npx = commands.start(["--no-install", "roomcast", "serve", "--port", "0"], {
      program: ["npx"],
      cwd: installed.folder,
      group: true,
    });
    const [, url] = await npx.prints(/^roomcast listens on (\S+)$/m, "out", 60_000);
    const page = await (await fetch(`${url}/`)).text();
    expect(page).toContain("<title>roomcast</title>");
    const [, script] = /<script [^>]*src="([^"]+)"/.exec(page)!;
    expect((await fetch(url + script!)).status).toBe(200);
    await npx.end("SIGTERM");
    await npx.prints(/^roomcast stops/m);
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });

  test("lives in a program's own server, and leaves its pages and namespaces alone", async () => {
    const embedding = commands.start([], program("embeds"));
    const [, url] = await embedding.prints(/^listens on (\S+)$/m);
    expect(await (await fetch(`${url}/`)).text()).toBe("my own page");
    expect((await fetch(`${url}/hub/healthz`)).status).toBe(200);

    const heard: unknown[] = [];
    const admin = nodes.connecting(`${url}/admin`);
    admin.socket.onAny((...event: unknown[]) => heard.push(event));
    admin.socket.emit("join", { room: "chat:lobby" });
    await until(() => heard.length === 2);
    expect(heard).toEqual([
      ["welcome", "/admin"],
      ["heard", "join", 1],
    ]);

    const reader = await nodes.client(url!);
    await reader.join("chat:lobby", { rewind: 10 });
    expect(reader.messages).toMatchObject([{ data: { text: "from the program" } }]);
    expect(heard).toHaveLength(2);
    expect(await embedding.end("SIGTERM")).toEqual({ code: 0, signal: null });
  });

  test("emits from a worker to a hub", async () => {
    const hub = await commands.serve();
    const worker = await commands.run([], { ...program("emits"), env: { ROOMCAST_URL: hub.url } });
    expect(worker).toEqual({ out: "[2,false,true,true]\n", err: "", code: 0 });
  });

  test("reads a hub's room with the client", async () => {
    const hub = await commands.serve();
    const client = await nodes.client(hub.url);
    await client.ask("publish", { room: "chat:lobby", event: "message", data: { text: "hello" } });
    const reader = await commands.run([hub.url], program("reads"));
    expect(reader).toEqual({ out: '{"data":{"text":"hello"},"offset":1}\ntrue\n', err: "", code: 0 });
  });

  test("tells a program's wrong use of it as it compiles", async () => {
    const wrong = [
      `import { createHub } from "roomcast";`,
      `await createHub({ redisURL: "redis://localhost" });`,
      `import { emitToRoom } from "roomcast/publisher";`,
      `const { offset } = await emitToRoom("chat:a", "n", 1, { ephemeral: true });`,
      `import "roomcast/server/config";`,
      "",
    ];
    installed.write("wrong.ts", wrong.join("\n"));
    const complaints = (await installed.compile())
      .trimEnd()
      .split("\n")
      .filter((line) => /^\S/.test(line));
    expect(complaints).toEqual([
      expect.stringMatching(/^wrong\.ts\(2,.*redisURL/),
      expect.stringMatching(/^wrong\.ts\(4,.*offset/),
      expect.stringMatching(/^wrong\.ts\(5,.*roomcast\/server\/config/),
    ]);
  });
});
