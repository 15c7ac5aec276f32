// A file, live, over a WebSocket: {"msg":"start"} in, {"event":"log","log":"…"} out.
// Beside `roomcast serve`:  node examples/streaming-logs.mjs scripts/stream-this.log
import { spawn } from "node:child_process";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import { connect } from "roomcast/client";

const [file = "scripts/stream-this.log", hub = "http://127.0.0.1:3000", port = "8001"] =
  process.argv.slice(2);
const room = `stream:${basename(file)}`;
const roomcast = fileURLToPath(new URL("./cli/main.js", import.meta.resolve("roomcast")));

// One child for all who watch. What it has sent it remembers, so the next one goes on after it.
function follow() {
  const args = ["tail", file, "--room", room, "--url", hub, "--from-start", "--state", `${file}.sent`];
  const child = spawn(process.execPath, [roomcast, ...args], { stdio: ["ignore", "inherit", "inherit"] });
  console.log("tail", child.pid, "began");
  child.on("exit", (code, signal) => {
    console.log("tail", child.pid, "ended:", code ?? signal);
    setTimeout(follow, 1_000);
  });
  process.once("exit", () => child.kill());
}
follow();
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit());

const server = new WebSocketServer({ port: Number(port), host: "127.0.0.1", maxPayload: 1_024 });
server.on("listening", () => console.log("viewers connect to", server.address().port));
server.on("connection", (viewer, { url }) => {
  console.log("a viewer came");
  const token = new URL(url, "ws://viewer").searchParams.get("token");
  const client = connect(hub, token === null ? {} : { token });
  const lines = client.room(room, { rewind: 10 });
  lines.on("log", ({ message }) => {
    // One that reads too slowly comes back later; nobody else waits for it.
    if (viewer.bufferedAmount > 1_048_576) viewer.close(1013, "slow");
    else viewer.send(JSON.stringify({ event: "log", log: `${message}\n` }));
  });
  const start = () => lines.join().catch(() => viewer.close(4403, "the hub refuses this viewer"));
  viewer.on("error", () => {});
  viewer.on("message", (frame) => {
    if (/^\s*{\s*"msg"\s*:\s*"start"\s*}\s*$/.test(frame)) void start();
  });
  viewer.on("close", () => {
    console.log("a viewer left");
    client.close();
  });
});
