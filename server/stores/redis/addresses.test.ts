import { describe, expect, test } from "@jest/globals";
import { areAddresses, splitAddresses } from "./addresses.ts";

describe("addresses of Redis in one text", () => {
  test.each([
    ["redis://a", ["redis://a"]],
    [" redis://a , rediss://b:1 ", ["redis://a", "rediss://b:1"]],
    ["redis://:x,y@a,redis://:x,y@b", ["redis://:x,y@a", "redis://:x,y@b"]],
  ])("are parted by commas between them: %j", (text, addresses) => {
    expect(splitAddresses(text)).toEqual(addresses);
    expect(areAddresses(text)).toBe(true);
  });

  test.each([
    ["redis://a/1", true],
    ["unix:///run/redis.sock", true],
    ["redis://a,b", false],
    ["redis://a,b:6379,redis://c", false],
    ["redis://a,", false],
    ["redis://a,http://b", false],
    ["redis://a,unix:///run/redis.sock", false],
    ["redis://a/x", false],
    ["redis://a b", false],
    ["", false],
  ])("%j are %j", (text, are) => {
    expect(areAddresses(text)).toBe(are);
  });
});
