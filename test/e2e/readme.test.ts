import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { loadConfig } from "../../server/config.ts";
import { DataFolders } from "../support/data-folders.ts";
import { Nodes, type RunningNode } from "../support/nodes.ts";
import { environment, packageRoot } from "../support/run-node.ts";
import { until } from "../support/wait.ts";

const readme = readFileSync(join(packageRoot, "README.md"), "utf8");
/** The blocks that say that they are run, by their names. */
const blocks = new Map(
  [...readme.matchAll(/<!-- run: ([\w ]+) -->\n\n```(?:js|sh)\n([\s\S]*?)```/g)].map(([, name, code]) => [
    name!,
    code!,
  ]),
);
const used = new Set<string>();

const nodes = new Nodes();
const folders = new DataFolders();
const children: ChildProcess[] = [];
let node: RunningNode;
beforeEach(async () => {
  node = await nodes.start();
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    // With its children: what a shell has started is not ended with it.
    process.kill(-child.pid!, "SIGKILL");
    await once(child, "exit");
  }
  await nodes.close();
  await folders.remove();
});

/** A program out of the README, as it stands there but for the hub's address. */
class Program {
  readonly child: ChildProcess;
  output = "";

  constructor(name: string, change: (code: string) => string = (code) => code) {
    const code = blocks.get(name);
    if (code === undefined) throw new Error(`README.md has no block "run: ${name}"`);
    used.add(name);
    const text = change(code.replaceAll("http://127.0.0.1:3000", node.url));
    const isShell = !text.includes("import ");
    const path = `${join(packageRoot, "node_modules/.bin")}:${process.env["PATH"]}`;
    const env = { ...environment({ ROOMCAST_URL: node.url }), PATH: path };
    const [command, args] = isShell
      ? ["bash", ["-c", text]]
      : [process.execPath, ["--input-type=module", "-e", text]];
    this.child = spawn(command, args, { cwd: packageRoot, env, detached: true });
    children.push(this.child);
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.on("data", (chunk) => (this.output += String(chunk)));
    }
  }

  async prints(text: string): Promise<void> {
    await until(() => this.output.includes(text), 10_000).catch(() => {
      throw new Error(`it did not print ${JSON.stringify(text)} but ${JSON.stringify(this.output)}`);
    });
  }
}

/** `roomcast` as it is on the path of those who installed it. */
const installed = (code: string): string => `roomcast() { node dist/server/cli/main.js "$@"; }\n${code}`;

describe("the README", () => {
  it("posts a message with curl", async () => {
    const program = new Program("curl");
    await program.prints('"offset":1');
  });

  it("watches a room with a stock client, and goes on after the last message when the connection is lost", async () => {
    await node.hub.publish("stream:build-42", "log", { message: "first" });
    const program = new Program("stock client");
    await program.prints("1 first\n");
    for (const { conn } of node.hub.io.sockets.sockets.values()) conn.close();
    await node.hub.publish("stream:build-42", "log", { message: "second" });
    await program.prints("2 second\n");
    expect(program.output).toBe("1 first\n2 second\n");
  });

  it("chats with the SDK", async () => {
    const program = new Program("sdk");
    await program.prints("ana hello\n");
  });

  it("shows who is in a room, and who comes, goes and types", async () => {
    const ana = await nodes.client(node.url, { auth: { username: "ana" } });
    await ana.join("chat:lobby");
    const program = new Program("presence");
    await program.prints("2 here: ana, bob\n");
    const cem = await nodes.client(node.url, { auth: { username: "cem" } });
    await cem.join("chat:lobby");
    await program.prints("cem joined\n");
    await cem.ask("publish", { room: "chat:lobby", event: "typing", data: {}, ephemeral: true });
    await program.prints("typing: [ 'cem' ]\n");
    await cem.ask("leave", { room: "chat:lobby" });
    await program.prints("typing: []\n");
    await program.prints("cem left\n");
  });

  it("streams a room to curl", async () => {
    await node.hub.publish("stream:build-42", "log", { message: "first" });
    const program = new Program("stream");
    await program.prints('data: {"message":"first"}');
    await node.hub.publish("stream:build-42", "log", { message: "second" });
    await program.prints('data: {"message":"second"}');
  });

  it("pipes a program's lines into a room with a worker, which ends by itself", async () => {
    const program = new Program("worker");
    program.child.stdin!.end("one\ntwo\nthree\n");
    const [code] = (await once(program.child, "exit")) as [number];
    expect([code, program.output]).toEqual([0, ""]);
    const reader = await nodes.client(node.url);
    await reader.join("stream:build-42", { rewind: 10 });
    expect(reader.messages.map(({ data }) => (data as { message: string }).message)).toEqual([
      "one",
      "two",
      "three",
    ]);
  });

  it("publishes and watches in a shell", async () => {
    const program = new Program("shell", installed);
    await program.prints("done\n");
    expect(program.output).toContain('"offset":1');
  });

  it("runs the hub inside an Express server", async () => {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const { port } = probe.address() as AddressInfo;
    probe.close();
    await once(probe, "close");
    const data = folders.make();
    const program = new Program("express", (code) =>
      code.replace("4000", String(port)).replace('"./data"', JSON.stringify(data)),
    );
    const url = `http://127.0.0.1:${port}`;
    const messages = await until(async () => {
      const reply = await fetch(`${url}/hub/rooms/chat%3Alobby/messages`);
      const page = (await reply.json()) as { messages: { data: unknown }[] };
      return page.messages.length > 0 && page.messages;
    }, 10_000);
    expect(messages).toMatchObject([{ data: { text: "the server is up" } }]);
    expect(program.output).toBe("");
    const admin = nodes.connecting(`${url}/admin`);
    await new Promise((resolve) => admin.socket.once("welcome", resolve));
  });

  it("shows a configuration that is right", () => {
    const [, json] = /```json\n([\s\S]*?)```/.exec(readme)!;
    const config = loadConfig(JSON.parse(json!) as Record<string, unknown>);
    expect(config.rooms["chat:*"]).toMatchObject({ messages: 1000, ageMs: 30 * 86_400_000 });
    expect(config.limits.messagesPerSecond).toBe(50);
  });

  it("says the two lines that do all the set-up", () => {
    expect(readme).toContain("\nnpm ci && npm start\n");
    expect(readme).toContain("\nnpm ci && npm run setup && npm test\n");
  });
});

afterAll(() => {
  expect([...used].toSorted()).toEqual([...blocks.keys()].toSorted());
});
