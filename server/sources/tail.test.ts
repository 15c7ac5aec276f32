import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { got, range, Tailings } from "../../test/support/tailing.ts";

let tails: Tailings;
let folder: string;
let log: string;

beforeEach(() => {
  tails = new Tailings();
  ({ folder, log } = tails);
});

afterEach(() => tails.close());

describe("a followed file", () => {
  beforeEach(() => writeFileSync(log, "old\n"));

  test("gives what is appended, and nothing older", async () => {
    const one = await tails.followFromEnd();
    tails.write(1, 500);
    await got(one, range(1, 500));
    expect(one.messages()).not.toContain("old");
    expect(one.sources()[0]).toBe(log);
  });

  test("gives all of it with fromStart", async () => {
    await got(await tails.follow({ fromStart: true }), ["old"]);
  });

  test("may be renamed, with a writer that goes on in the renamed one for a while", async () => {
    const one = await tails.followFromEnd();
    tails.write(1, 100);
    renameSync(log, `${log}.1`);
    tails.write(101, 200, `${log}.1`);
    await got(one, range(1, 200));
    writeFileSync(log, "");
    tails.write(201, 300, `${log}.1`);
    await got(one, range(1, 300));
    tails.write(301, 400);
    await got(one, range(1, 400));
  });

  test.each([
    ["shifting the older ones", (i: number) => [i + 1, i] as const],
    ["to a growing number", undefined],
  ])("may be renamed five times between two looks, %s", async (_how, shift) => {
    const one = await tails.followFromEnd();
    for (let i = 0; i < 5; i += 1) {
      tails.write(i * 55 + 1, i * 55 + 55);
      if (shift === undefined) renameSync(log, `${log}.${i + 1}`);
      else for (let n = i; n >= 0; n -= 1) renameSync(n === 0 ? log : `${log}.${n}`, `${log}.${n + 1}`);
    }
    tails.write(276, 330);
    await got(one, range(1, 330));
  });

  test("may be copied, truncated and refilled at once", async () => {
    const one = await tails.followFromEnd();
    tails.write(1, 250);
    copyFileSync(log, `${log}.1`);
    truncateSync(log);
    tails.write(251, 500);
    await got(one, range(1, 500));
    copyFileSync(log, `${log}.2`);
    truncateSync(log);
    tails.write(501, 2_000);
    await got(one, range(1, 2_000));
  });

  test("may be truncated", async () => {
    const one = await tails.followFromEnd();
    tails.write(1, 100);
    await got(one, range(1, 100));
    truncateSync(log);
    tails.write(101, 110);
    await got(one, range(1, 110));
    writeFileSync(log, range(111, 900).join("\n"));
    appendFileSync(log, "\n");
    await got(one, range(1, 900));
  });

  test("may begin with the same line after each truncation", async () => {
    const one = await tails.followFromEnd();
    const header = `# ${"fields ".repeat(50)}`;
    writeFileSync(log, `${header}\n`);
    tails.write(1, 10);
    await got(one, [header, ...range(1, 10)]);
    writeFileSync(log, `${header}\n`);
    tails.write(11, 40);
    await got(one, [header, ...range(1, 10), header, ...range(11, 40)]);
  });

  test("may be deleted and made anew", async () => {
    const one = await tails.followFromEnd();
    tails.write(1, 10);
    await got(one, range(1, 10));
    rmSync(log);
    tails.write(11, 20);
    await got(one, range(1, 20));
  });

  test("may come byte by byte", async () => {
    const one = await tails.followFromEnd();
    for (const byte of Buffer.from("é🎉 split\nnext\n")) {
      appendFileSync(log, Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await got(one, ["é🎉 split", "next"]);
  });

  test("keeps a line until its end comes, or its file is followed by another", async () => {
    const one = await tails.followFromEnd();
    appendFileSync(log, "first ha");
    tails.write(1, 1, join(folder, "other"));
    appendFileSync(log, "lf\nlast without end");
    await got(one, ["first half"]);
    renameSync(log, `${log}.1`);
    tails.write(2, 2);
    await got(one, ["first half", "last without end", ...range(2, 2)]);
  });

  test("may be a link that is turned to another file", async () => {
    const [one, other, link] = ["one", "other", "link"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(one, "a\n");
    symlinkSync(one, link);
    const following = await tails.follow({ patterns: [link], fromStart: true });
    await got(following, ["a"]);
    writeFileSync(other, "b\n");
    symlinkSync(other, `${link}.new`);
    renameSync(`${link}.new`, link);
    await got(following, ["a", "b"]);
  });

  test("is left alone by what merely has a similar name", async () => {
    const one = await tails.followFromEnd();
    writeFileSync(`${log}.lock`, "no\n");
    copyFileSync(log, `${log}.1.gz`);
    renameSync(log, `${log}.1`);
    tails.write(1, 5);
    await got(one, range(1, 5));
  });
});

describe("several files", () => {
  test("are followed when they appear, each from its first line, but no rotated one", async () => {
    const pattern = join(folder, "**/*.log*");
    const one = await tails.followFromEnd({ patterns: [join(folder, "later"), pattern] });
    expect(one.notes).toEqual([`${join(folder, "later")} is not there yet, waiting for it`]);
    mkdirSync(join(folder, "deep"));
    const deep = join(folder, "deep/b.log");
    tails.write(1, 3, deep);
    await got(one, range(1, 3));
    renameSync(deep, `${deep}.1`);
    tails.write(4, 6, deep);
    await got(one, range(1, 6));
    tails.write(7, 9, join(folder, "later"));
    await got(one, range(1, 9));
    tails.write(10, 10);
    await got(one, range(1, 10));
    expect(new Set(one.sources())).toEqual(new Set([deep, join(folder, "later"), log]));
  });

  test("that exist are not sent twice when one gets a name that the pattern matches", async () => {
    tails.write(1, 3);
    const one = await tails.follow({ patterns: [join(folder, "*.log")], fromStart: true });
    await got(one, range(1, 3));
    renameSync(log, join(folder, "b.log"));
    tails.write(4, 6);
    tails.write(7, 7, join(folder, "c.log"));
    await got(one, range(1, 7));
    expect(new Set(one.sources())).toEqual(new Set([log, join(folder, "c.log")]));
  });

  test.each([
    ["a folder", (path: string) => mkdirSync(path)],
    ["a FIFO", (path: string) => spawnSync("sh", ["-c", 'mkfifo "$0"', path])],
    ["a device", (path: string) => symlinkSync("/dev/null", path)],
  ])("can't be %s", async (_what, make) => {
    const path = join(folder, "special");
    make(path);
    await expect(tails.follow({ patterns: [path] }).then((one) => one.end())).rejects.toThrow(
      `${path} is no regular file: only those can be followed`,
    );
  });
});
