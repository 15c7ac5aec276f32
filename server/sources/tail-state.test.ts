import { appendFileSync, copyFileSync, readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { ScriptedTransport } from "../../test/support/scripted-transport.ts";
import { got, range, Tailings } from "../../test/support/tailing.ts";
import { until } from "../../test/support/wait.ts";
import { TailState } from "./tail-state.ts";

let tails: Tailings;
let folder: string;
let log: string;

beforeEach(() => {
  tails = new Tailings();
  ({ folder, log } = tails);
});

afterEach(() => tails.close());

describe("with a state", () => {
  const state = (): string => join(folder, "state.json");

  test("a restart goes on after what the hub has, over everything that happened meanwhile", async () => {
    tails.write(1, 10);
    const first = await tails.follow({ state: state(), fromStart: true });
    await got(first, range(1, 10));
    await first.end();
    tails.write(11, 20);
    for (let i = 2; i <= 4; i += 1) {
      for (let n = i - 2; n >= 0; n -= 1) renameSync(n === 0 ? log : `${log}.${n}`, `${log}.${n + 1}`);
      tails.write(i * 10 + 1, i * 10 + 10);
    }
    const again = await tails.follow({ state: state(), transport: first.transport });
    await got(again, range(1, 50));
  });

  test("a restart finds the rest of a truncated file in its copy", async () => {
    tails.write(1, 300);
    const first = await tails.follow({ state: state(), fromStart: true });
    await got(first, range(1, 300));
    await first.end();
    tails.write(301, 400);
    copyFileSync(log, `${log}.1`);
    truncateSync(log);
    tails.write(401, 410);
    const again = await tails.follow({ state: state(), transport: first.transport });
    await got(again, range(1, 410));
  });

  test("a restart doubles nothing that the hub has but did not answer, and loses nothing", async () => {
    tails.write(1, 150);
    let letGo = (): void => {};
    const never = new Promise<void>((resolve) => (letGo = resolve));
    const transport = new ScriptedTransport("store", never);
    const first = await tails.follow({ state: state(), fromStart: true, transport });
    await until(() => (JSON.parse(readFileSync(state(), "utf8")) as { files: object }).files);
    await until(() => transport.tries.length === 2);
    const stale = readFileSync(state());
    letGo();
    await got(first, range(1, 150));
    const ids = first.ids();
    await first.end();
    // As if the process had been killed before the answers came.
    writeFileSync(state(), stale);
    tails.write(151, 160);
    const again = await tails.follow({ state: state(), transport });
    await got(again, range(1, 160));
    expect(first.ids().slice(0, 150)).toEqual(ids);
  });

  test("a restart keeps a line whose end had not come", async () => {
    writeFileSync(log, "whole\nha");
    const first = await tails.follow({ state: state(), fromStart: true });
    await got(first, ["whole"]);
    await first.end();
    appendFileSync(log, "lf\n");
    await got(await tails.follow({ state: state(), transport: first.transport }), ["whole", "half"]);
  });

  test("a file that came since the last time is sent whole", async () => {
    tails.write(1, 2);
    const first = await tails.follow({ state: state(), patterns: [join(folder, "*.log")] });
    await until(() => (JSON.parse(readFileSync(state(), "utf8")) as { files: object }).files);
    await first.end();
    tails.write(3, 4, join(folder, "new.log"));
    await got(await tails.follow({ state: state(), patterns: [join(folder, "*.log")] }), range(3, 4));
  });

  test.each(["", "{}", '{"version":2}', '{"version":1,"files":{"a":[{}]}}'])(
    "%j is refused",
    async (text) => {
      writeFileSync(state(), text);
      await expect(TailState.load(state())).rejects.toThrow(/is no state of roomcast tail: delete it/);
    },
  );
});
