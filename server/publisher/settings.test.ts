import { describe, expect, test } from "@jest/globals";
import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import { loadSettings, type PublisherOptions } from "./settings.ts";

type Environment = Record<string, string>;

const REDIS = "redis://redis.example:6379";
const HUB = "https://hub.example/prefix";

describe("the settings", () => {
  test.each<[string, PublisherOptions, Environment, object]>([
    ["nothing", {}, {}, { kind: "http", url: "http://127.0.0.1:3000", key: undefined }],
    [
      "empty variables",
      {},
      { REDIS_URL: "", ROOMCAST_URL: "", ROOMCAST_KEY: "" },
      { kind: "http", key: undefined },
    ],
    ["REDIS_URL", {}, { REDIS_URL: REDIS }, { kind: "redis", url: REDIS }],
    ["ROOMCAST_URL", {}, { ROOMCAST_URL: HUB, ROOMCAST_KEY: "k" }, { kind: "http", url: HUB, key: "k" }],
    ["a slash at the end", {}, { ROOMCAST_URL: `${HUB}//` }, { kind: "http", url: HUB }],
    ["redisUrl", { redisUrl: REDIS }, {}, { kind: "redis", url: REDIS }],
    ["url", { url: HUB, key: "k" }, {}, { kind: "http", url: HUB, key: "k" }],
    ["url over REDIS_URL", { url: HUB }, { REDIS_URL: REDIS }, { kind: "http", url: HUB }],
    ["url with ROOMCAST_KEY", { url: HUB }, { ROOMCAST_KEY: "k" }, { kind: "http", key: "k" }],
    ["key over ROOMCAST_KEY", { key: "a" }, { ROOMCAST_KEY: "b" }, { kind: "http", key: "a" }],
    [
      "redisUrl over REDIS_URL",
      { redisUrl: REDIS },
      { REDIS_URL: "redis://other" },
      { kind: "redis", url: REDIS },
    ],
  ])("take %s", (_name, options, env, target) => {
    const settings = loadSettings(options, env);
    expect(settings).toMatchObject({ target, timeoutMs: 5_000, limits: DEFAULT_LIMITS });
    expect(settings.notice).toBeUndefined();
  });

  test.each<[PublisherOptions, Environment, string]>([
    [{}, { REDIS_URL: REDIS, ROOMCAST_URL: HUB }, "REDIS_URL and ROOMCAST_URL"],
    [{ redisUrl: REDIS, url: HUB }, {}, "redisUrl and url"],
    [{ redisUrl: REDIS }, { ROOMCAST_URL: HUB }, "redisUrl and ROOMCAST_URL"],
  ])("let Redis win over the hub and say so: %j %j", (options, env, names) => {
    const { target, notice } = loadSettings(options, env);
    expect(target).toEqual({ kind: "redis", url: REDIS });
    expect(notice).toBe(`${names} are both set: messages go straight to Redis`);
  });

  test.each(["rediss://:secret@h:1/0", "redis://[::1]:6379", "redis://h/15", "unix:///run/redis.sock"])(
    "take %s as a Redis",
    (redisUrl) => {
      expect(loadSettings({ redisUrl }, {}).target).toEqual({ kind: "redis", url: redisUrl });
    },
  );

  test.each([
    "localhost:6379",
    "redis:h",
    "http://h:6379",
    "redis://h:notaport",
    "redis://h/db",
    "redis://user:secret@h:99999",
    "unix://",
  ])("refuse %j as a Redis and say what it should look like, without repeating a password", (value) => {
    expect(() => loadSettings({}, { REDIS_URL: value })).toThrow(/^REDIS_URL .*redis:\/\/host:6379/);
    expect(() => loadSettings({ redisUrl: value }, {})).toThrow(/^redisUrl /);
    expect(() => loadSettings({}, { REDIS_URL: value })).not.toThrow(/secret/);
  });

  test.each([
    "ftp://hub.example",
    "hub.example:3000",
    "http://",
    "http:hub",
    "http://user:secret@hub.example",
    "http://hub.example/?a=1",
    "http://hub.example/#a",
  ])("refuse %j as a hub and say what it should look like", (value) => {
    expect(() => loadSettings({}, { ROOMCAST_URL: value })).toThrow(
      /^ROOMCAST_URL .*http:\/\/127\.0\.0\.1:3000/,
    );
    expect(() => loadSettings({ url: value }, {})).toThrow(/^url /);
    expect(() => loadSettings({}, { ROOMCAST_URL: value })).not.toThrow(/secret/);
  });

  test("refuse empty options, which are a mistake and no absence", () => {
    expect(() => loadSettings({ redisUrl: "" }, {})).toThrow(/^redisUrl /);
    expect(() => loadSettings({ url: "" }, {})).toThrow(/^url /);
  });

  test("refuse a key that no header can carry", () => {
    expect(() => loadSettings({}, { ROOMCAST_KEY: "two\nlines" })).toThrow(/^ROOMCAST_KEY /);
    expect(() => loadSettings({ key: "ké" }, {})).toThrow(/^key /);
  });

  test("refuse a time-out that is longer than an id is remembered", () => {
    expect(loadSettings({ timeoutMs: 600_000 }, {}).timeoutMs).toBe(600_000);
    expect(() => loadSettings({ timeoutMs: 600_001 }, {})).toThrow(/^timeoutMs /);
  });
});
