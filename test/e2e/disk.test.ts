import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Commands, type ServeCommand } from "../support/commands.ts";
import { DataFolders } from "../support/data-folders.ts";
import { HttpRoom } from "../support/http-room.ts";
import { until } from "../support/wait.ts";

/** Of the promise that 50 kills lose nothing; each takes about a second. */
const KILLS = 10;
const ROOM = "stream:kept";
const DISK = { env: { ROOMCAST_STORE: "disk" } };

let commands: Commands;
let folders: DataFolders;
let folder: string;
let config: string;

beforeEach(() => {
  commands = new Commands();
  folders = new DataFolders();
  const base = folders.make();
  folder = join(base, "data");
  config = join(base, "hub.json");
  writeFileSync(config, JSON.stringify({ rooms: { "stream:*": { messages: 1_000_000, age: "30d" } } }));
});

afterEach(async () => {
  await commands.close();
  await folders.remove();
});

const serve = (...args: readonly string[]): Promise<ServeCommand> =>
  commands.serve(["--config", config, "--data", folder, ...args], DISK);

describe("a hub with a data folder", () => {
  test("goes on where it was, after SIGTERM and after SIGKILL", async () => {
    const first = await serve();
    await first.prints(/^the log is in \/.*\/data \(0 rooms, .* MiB\); .* when they are synced to disk$/m);
    const before = await new HttpRoom(first.url, ROOM).publish(3);
    expect(await first.end("SIGTERM")).toEqual({ code: 0, signal: null });
    const second = await serve("--durability", "written");
    await second.prints(/^the log is in .* \(1 room, .* MiB\); .* when they are written, before/m);
    const room = new HttpRoom(second.url, ROOM);
    expect((await room.read()).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    const [next] = await room.publish(1);
    expect(next).toMatchObject({ epoch: before[0]!.epoch, offset: 4 });
    await second.end("SIGKILL");
    expect(await new HttpRoom((await serve()).url, ROOM).read()).toHaveLength(4);
  });

  test(`has every acknowledged message once and in order, killed ${KILLS} times while it writes`, async () => {
    const acknowledged = new Map<string, number>();
    const unknown = new Set<string>();
    const epochs = new Set<string>();
    let hub = await serve();
    for (let round = 1; round <= KILLS; round += 1) {
      const room = new HttpRoom(hub.url, ROOM);
      const enough = acknowledged.size + 40 + ((round * 37) % 100);
      const publishers = Array.from({ length: 8 }, async (_, i) => {
        for (let batch = 1; ; batch += 1) {
          const ids = Array.from({ length: 1 + ((i + batch) % 5) }, (__, n) => `${round}-${i}-${batch}-${n}`);
          ids.forEach((id) => unknown.add(id));
          const replies = await room.publishIds(ids).catch(() => undefined);
          // It was killed.
          if (replies === undefined) return;
          for (const { id, offset, epoch } of replies) {
            epochs.add(epoch);
            unknown.delete(id);
            acknowledged.set(id, offset);
          }
        }
      });
      await until(() => acknowledged.size >= enough, 20_000);
      await hub.end("SIGKILL");
      await Promise.all(publishers);

      hub = await serve();
      const messages = await new HttpRoom(hub.url, ROOM).read();
      expect(messages.map(({ offset }) => offset)).toEqual(messages.map((_, i) => i + 1));
      const found = new Map(messages.map(({ id, offset }) => [id, offset]));
      expect(found.size).toBe(messages.length);
      for (const [id, offset] of acknowledged) expect([id, found.get(id)]).toEqual([id, offset]);
      for (const id of found.keys()) expect(acknowledged.has(id) || unknown.has(id)).toBe(true);
      // Whoever was not answered asks again, and learns what happened.
      for (const id of unknown) {
        const [reply] = await new HttpRoom(hub.url, ROOM).publishIds([id]);
        expect([id, reply!.duplicate]).toEqual([id, found.has(id)]);
        acknowledged.set(id, reply!.offset);
      }
      unknown.clear();
    }
    expect(epochs.size).toBe(1);
  }, 300_000);

  test("is the only one there: a second one ends and names the folder and the process", async () => {
    const hub = await serve();
    const { out, err, code } = await commands.run(["serve", "--port", "0", "--data", folder], DISK);
    expect({ out, code }).toEqual({ out: "", code: 1 });
    expect(err).toContain(`${folder} is in use by process ${hub.process.pid}: `);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
    await new HttpRoom(hub.url, ROOM).publish(1);
  });

  test.each([
    ["is of a newer version", "roomcast 99\n", /^roomcast: the data folder .* is of a newer version .*\n$/],
    ["is damaged", "?", /^roomcast: the data folder .* is damaged: .*\n$/],
  ])("that %s ends it with 78 and one line", async (_what, format, line) => {
    await (await serve()).end("SIGTERM");
    writeFileSync(join(folder, "format"), format);
    const { out, err, code } = await commands.run(["serve", "--port", "0", "--data", folder], DISK);
    expect({ out, code }).toEqual({ out: "", code: 78 });
    expect(err).toMatch(line);
  });
});

describe("a disk without room", () => {
  test("refuses with store_full, stores nothing, and goes on at the next offset when there is room", async () => {
    // The system refuses to let any file of this process grow beyond 2 MiB, as a full disk would.
    const main = join(process.cwd(), "dist/server/cli/main.js");
    const script = `ulimit -S -f 2048 && exec "$0" "${main}" serve --port 0 --config "${config}" --data "${folder}"`;
    const program = ["bash", "-c", script, process.execPath] as const;
    const hub = commands.start([], { program: [...program], ...DISK });
    const [, url] = await hub.prints(/^roomcast listens on (\S+)$/m);
    const room = new HttpRoom(url!, ROOM);
    const text = "x".repeat(20_000);
    let stored = 0;
    const refusal = await until(async () => {
      const reply = await room.post({ event: "log", data: text, id: `m${stored + 1}` });
      if (reply.status !== 201) return reply;
      stored += 1;
      return undefined;
    });
    expect(refusal).toMatchObject({ status: 503, body: { error: { code: "store_full", retryable: true } } });
    expect(stored).toBeGreaterThan(20);
    expect(await room.read()).toHaveLength(stored);

    await commands.run([], { program: ["prlimit", "--pid", String(hub.process.pid), "--fsize=unlimited:"] });
    const [next] = await until(() => room.publishIds([`m${stored + 1}`]).catch(() => undefined));
    expect(next).toMatchObject({ offset: stored + 1, duplicate: false });
    await hub.end("SIGTERM");
    expect(await new HttpRoom((await serve()).url, ROOM).read()).toHaveLength(stored + 1);
  });
});
