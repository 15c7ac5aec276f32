import { describe, expect, test } from "@jest/globals";
import { levelOf, type Level } from "./level.ts";

const cases: Readonly<Record<Level, readonly string[]>> = {
  FATAL: [
    "FATAL out of memory",
    "fatal: not a git repository",
    "panic: runtime error: index out of range",
    "CRITICAL:root:disk is gone",
    "F1121 10:00:00.123456 7 main.go:12] gone",
    "2026-11-21 10:00:00.123 FATAL [main] c.e.App - boom",
    "[crit] 12#0: no memory",
    '{"level":60,"msg":"boom"}',
    '{"severity":"CRITICAL","message":"x"}',
    "<2>kernel oops",
    "SEVERE: servlet failed",
  ],
  ERROR: [
    "ERROR something broke",
    "Error: cannot find module 'x'",
    "error: aborting due to 2 previous errors",
    "err: no such key",
    "TypeError: x is not a function",
    "Uncaught ReferenceError: y is not defined",
    "java.lang.IllegalStateException: no",
    "Traceback (most recent call last):",
    'Exception in thread "main" java.lang.Error',
    "2026-11-21T10:00:00Z ERROR api failed",
    "2026/11/21 10:00:00 [error] 31#31: *1 open() failed",
    "[Sat Nov 21 10:00:00 2026] [core:error] [pid 1] AH00126",
    "[E] short",
    "E1121 10:00:00.123456 7 main.go:12] no",
    "E/ActivityManager( 123): ANR",
    "main.c:3:5: error: expected ';'",
    "npm ERR! code ELIFECYCLE",
    "time=2026-11-21T10:00:00Z level=error msg=no",
    'ts=1 lvl="error" msg=no',
    '{"level":"error","msg":"no"}',
    '{"@l":"Error","@m":"no"}',
    '{"log":{"level":"err"},"message":"no"}',
    '{"level":50,"msg":"no"}',
    "<3>disk failure",
    "\u001b[31mERROR\u001b[0m red",
    "\u001b[1;31merror\u001b[0m\u001b[1m: mismatched types\u001b[0m",
    "10:00:00.123 ERROR x",
    "Nov 21 10:00:00 host sshd[12]: error: kex_exchange",
  ],
  WARN: [
    "WARNING: deprecated",
    "warn - slow page",
    "wrn: x",
    "npm WARN deprecated glob@7",
    "[WARN] x",
    "[ warning ] x",
    "<warning> x",
    "W1121 10:00:00.000000 1 a.go:1] x",
    "2026-11-21 10:00:00,123 - root - WARNING - x",
    "[ssl:warn] x",
    '{"log.level":"warn"}',
    '{"level":40}',
    "a.c:1:1: warning: unused",
    "\u001b[33m⚠ WARN\u001b[39m careful",
    '127.0.0.1 "WARN" x',
    "(node:1) Warning: x",
  ],
  INFO: [
    "INFO: started",
    "info  - ready",
    "[I] x",
    "notice: x",
    '{"level":30,"msg":"an ERROR is only mentioned"}',
    '{"msg":"ERROR"}',
    "hello",
    "",
    "Error handling is on",
    "errors: 0, warnings: 0",
    "no error here",
    "the informer said",
    "INFORMATION_SCHEMA read",
    "ERROR_CODE=0",
    "[ERROR] and [WARN] are the levels",
    "https://example.com/error",
    "{error}",
    '{"level":"none"}',
    "debugger attached",
    `${"x".repeat(500)} ERROR far away`,
    "1795263013 INFO x",
  ],
  DEBUG: [
    "DEBUG x",
    "debug: x",
    "dbg | x",
    "[D] x",
    "[10:00:00] DEBUG x",
    "level=debug",
    '{"lvl":"DBG"}',
    '{"level":20}',
    "<7>x",
    "D/Tag: x",
    "2026-11-21 10:00:00.000  DEBUG 1 --- [main] o.s.b : x",
  ],
  TRACE: [
    "TRACE x",
    "trace: x",
    "VERBOSE x",
    "[verbose] x",
    "ver: x",
    "V/Tag: x",
    '{"level":10}',
    '{"severity":"trace"}',
    "loglevel=trace x",
  ],
};

describe("the level of a line", () => {
  const all = Object.entries(cases).flatMap(([level, lines]) => lines.map((line) => [level, line] as const));
  test.each(all)("is %s in %j", (level, line) => {
    expect(levelOf(line)).toBe(level);
  });

  test("is found in no time, whatever the line is", () => {
    const lines = ["[", "<", "a:", " ", "\u001b[", "\u001b]", "{", '"', "error ", "1", "2026-11-21 "].map(
      (part) => part.repeat(20_000),
    );
    const began = performance.now();
    lines.forEach(levelOf);
    expect(performance.now() - began).toBeLessThan(500);
  });
});
