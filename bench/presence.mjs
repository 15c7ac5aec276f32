// What presence of a large room costs: node bench/presence.mjs [members, 10000 if it is missing]
// Real processes: one Redis, two hubs, and this one with all the connections. Build first: node scripts/build.mjs
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { createClient } from "redis";
import { io } from "socket.io-client";

const MEMBERS = Number(process.argv[2] ?? 10_000);
const AT_ONCE = 100;
const ROOM = "chat:large";
const MAIN = fileURLToPath(new URL("../dist/server/cli/main.js", import.meta.url));
const children = [];

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

function start(file, args, env = {}) {
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return child;
}

async function answers(url) {
  for (;;) {
    const reply = await fetch(`${url}/readyz`).catch(() => undefined);
    if (reply?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function startHub(redisUrl) {
  const port = await freePort();
  start(process.execPath, [MAIN, "serve", "--port", String(port)], {
    REDIS_URL: redisUrl,
    LOG_LEVEL: "error",
  });
  await answers(`http://127.0.0.1:${port}`);
  return `http://127.0.0.1:${port}`;
}

async function connect(url, username) {
  const socket = io(url, { forceNew: true, transports: ["websocket"], auth: { username } });
  await once(socket, "connect");
  return socket;
}

/** Calls of each command that clients have sent since the last time, without those of the hubs' own clocks. */
async function commandsSince(redis, run) {
  await redis.sendCommand(["CONFIG", "RESETSTAT"]);
  const began = performance.now();
  const result = await run();
  const ms = performance.now() - began;
  const stats = await redis.sendCommand(["INFO", "commandstats"]);
  const calls = {};
  for (const [, name, count] of stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) calls[name] = Number(count);
  return { result, ms, calls };
}

const redisPort = await freePort();
start("redis-server", ["--port", String(redisPort), "--save", "", "--appendonly", "no"]);
const redisUrl = `redis://127.0.0.1:${redisPort}`;
const redis = createClient({ url: redisUrl });
redis.on("error", () => {});
await redis.connect();
const [full, empty] = [await startHub(redisUrl), await startHub(redisUrl)];

process.stderr.write(`${MEMBERS} members come …\n`);
const sockets = [];
const filled = performance.now();
for (let i = 0; i < MEMBERS; i += AT_ONCE) {
  const some = await Promise.all(
    Array.from({ length: Math.min(AT_ONCE, MEMBERS - i) }, (_, j) => connect(full, `member-${i + j}`)),
  );
  await Promise.all(some.map((socket) => socket.emitWithAck("join", { room: ROOM })));
  sockets.push(...some);
}
const fillMs = performance.now() - filled;

/** A join on the node that has none of the members, and what it costs. */
async function newcomer(name, request) {
  const socket = await connect(empty, name);
  const { result, ms, calls } = await commandsSince(redis, () => socket.emitWithAck("join", request));
  if (!result.ok) throw new Error(result.error.message);
  sockets.push(socket);
  const { members = [], total } = result;
  return { ms, members: members.length, total, bytes: JSON.stringify(result).length, calls };
}

const first = await newcomer("first", { room: ROOM, presence: true });
const second = await newcomer("second", { room: ROOM, presence: true });
const without = await newcomer("without", { room: "stream:small" });
const COUNTS = 100;
const counts = await commandsSince(redis, async () => {
  for (let i = 0; i < COUNTS; i += 1) {
    const reply = await fetch(`${empty}/rooms/${encodeURIComponent(ROOM)}`);
    const { members, connections } = await reply.json();
    if (members !== MEMBERS + 2 || connections < MEMBERS) throw new Error(`${members} of ${connections}`);
  }
});
const memory = Number(
  await redis.sendCommand(["MEMORY", "USAGE", `roomcast:here:{${ROOM}}`, "SAMPLES", "0"]),
);

console.log(
  `${MEMBERS} members in ${(fillMs / 1000).toFixed(1)} s; ${Math.round(memory / MEMBERS)} B each in Redis's hash`,
);
console.table(
  Object.entries({
    "first on its node": first,
    "second on its node": second,
    "a room without presence": without,
  }).map(([join, { ms, members, total, bytes, calls }]) => ({
    join,
    ms: Math.round(ms),
    "reply bytes": bytes,
    members,
    total,
    hscan: calls.hscan ?? 0,
    scripts: calls.evalsha ?? 0,
  })),
);
console.log(
  `${COUNTS} x GET /rooms/:room: ${(counts.ms / COUNTS).toFixed(1)} ms each;`,
  Object.entries(counts.calls)
    .filter(([name]) => /^(hlen|hmget|hget|hgetall|hscan|hvals)$/.test(name))
    .map(([name, calls]) => `${name} ${calls}`)
    .join(", "),
);

sockets.forEach((socket) => socket.disconnect());
redis.destroy();
children.forEach((child) => child.kill("SIGKILL"));
