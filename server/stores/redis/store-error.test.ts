import { describe, expect, test } from "@jest/globals";
import { ErrorReply, SimpleError } from "redis";
import { HubError } from "../../../shared/errors.ts";
import { connectError, storeError } from "./store-error.ts";

describe("an error of Redis", () => {
  test.each([
    ["OOM command not allowed when used memory > 'maxmemory'.", "store_full"],
    ["READONLY You can't write against a read only replica.", "unavailable"],
    ["LOADING Redis is loading the dataset in memory", "unavailable"],
    ["BUSY Redis is busy running a script.", "unavailable"],
    ["MISCONF Redis is configured to save RDB snapshots", "unavailable"],
    ["CLUSTERDOWN The cluster is down", "unavailable"],
    ["MASTERDOWN Link with MASTER is down", "unavailable"],
    ["NOAUTH Authentication required.", "unavailable"],
    ["NOREPLICAS Not enough good replicas to write.", "unavailable"],
    ["ERR value is not an integer or out of range", "internal"],
    ["WRONGTYPE Operation against a key holding the wrong kind of value", "internal"],
    ["NOPERM this user has no permissions", "internal"],
    ["OOMPH is no known word", "internal"],
  ])("that is the answer %j means %s", (text, code) => {
    const cause = new SimpleError(text);
    expect(storeError(cause)).toMatchObject({ code, cause });
  });

  test.each([
    new Error("Socket closed unexpectedly"),
    Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }),
    new Error("OOM is no answer here"),
    "anything",
    undefined,
  ])("that is no answer (%p) means unavailable: the outcome is unknown", (cause) => {
    expect(storeError(cause)).toMatchObject({ code: "unavailable", retryable: true });
  });

  test("that is a HubError already stays what it is", () => {
    const error = new HubError("too_large", "x");
    expect(storeError(error)).toBe(error);
  });
});

describe("a connection that did not come about", () => {
  test.each([
    ["redis://localhost:6379", "redis://localhost:6379"],
    ["redis://:secret@localhost:6379/1", "redis://:***@localhost:6379/1"],
    ["rediss://ana:secret@host", "rediss://ana:***@host"],
    ["rediss://ana:s:e@c/r@et@host", "rediss://ana:***@host"],
    ["unix://ana:secret@/run/redis.sock", "unix://ana:***@/run/redis.sock"],
  ])("to %s is told as %s", (url, shown) => {
    const { message } = connectError(url, new ErrorReply("WRONGPASS invalid username-password pair"));
    expect(message).toBe(`Redis at ${shown} refuses the password or the user name of the URL`);
  });
});
