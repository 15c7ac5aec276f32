import { describe, expect, it } from "@jest/globals";
import { HubError } from "../../shared/errors.ts";
import { DEFAULT_LIMITS } from "../../shared/limits.ts";
import { createParsers } from "./schemas.ts";

const parsers = createParsers(DEFAULT_LIMITS);
const MESSAGE = { event: "log", data: { n: 1 } };
const CHECKED = { event: "log", data: '{"n":1}' };

describe("a message", () => {
  it("comes out with its data as JSON text and with nothing that it does not have", () => {
    expect(parsers.message(MESSAGE)).toStrictEqual(CHECKED);
    expect(parsers.publish({ ...MESSAGE, room: "stream:a" })).toStrictEqual({ ...CHECKED, room: "stream:a" });
    const options = { id: "a", ephemeral: true, echo: false };
    expect(parsers.message({ ...MESSAGE, ...options })).toStrictEqual({ ...CHECKED, ...options });
  });

  it("loses what no message has", () => {
    expect(parsers.message({ ...MESSAGE, from: "me", room: 5 })).toStrictEqual(CHECKED);
  });

  it.each([
    [null, "bad_request"],
    [[MESSAGE], "bad_request"],
    ["text", "bad_request"],
    [{}, "bad_event"],
    [{ ...MESSAGE, event: 5 }, "bad_event"],
    [{ event: "log" }, "bad_request"],
    [{ ...MESSAGE, id: "" }, "bad_request"],
    [{ ...MESSAGE, id: undefined }, "bad_request"],
    [{ ...MESSAGE, ephemeral: "yes" }, "bad_request"],
    [{ ...MESSAGE, ephemeral: null }, "bad_request"],
    [{ ...MESSAGE, ephemeral: true, echo: 0 }, "bad_request"],
    [{ ...MESSAGE, echo: false }, "bad_request"],
    [{ ...MESSAGE, ephemeral: false, echo: false }, "bad_request"],
  ])("is refused as %p with %s", (input, code) => {
    expect(() => parsers.message(input)).toThrow(expect.objectContaining({ code }));
    const named = typeof input === "object" && !Array.isArray(input) ? { ...input, room: "stream:a" } : input;
    if (input !== null) expect(() => parsers.publish(named)).toThrow(expect.objectContaining({ code }));
  });

  it("may leave its sender out if it is ephemeral", () => {
    expect(parsers.message({ ...MESSAGE, ephemeral: true, echo: false })).toMatchObject({ echo: false });
    expect(parsers.message({ ...MESSAGE, echo: true })).toMatchObject({ echo: true });
  });

  it("needs a room where it names one, and is told of it first", () => {
    expect(() => parsers.publish(MESSAGE)).toThrow(expect.objectContaining({ code: "bad_room" }));
    expect(() => parsers.publish({ room: "nowhere" })).toThrow(expect.objectContaining({ code: "bad_room" }));
  });
});

describe("an absent field", () => {
  it("is none, and one that is undefined is refused", () => {
    expect(parsers.join({ room: "chat:a" })).toStrictEqual({ room: "chat:a" });
    expect(parsers.history({ room: "chat:a" })).toStrictEqual({ room: "chat:a", limit: 100 });
    for (const name of ["since", "rewind", "info"])
      expect(() => parsers.join({ room: "chat:a", [name]: undefined })).toThrow(
        expect.objectContaining({ code: "bad_request" }),
      );
  });

  it("costs no error, whose stack would cost more than all checks together", () => {
    const parse = (): void => {
      parsers.message(MESSAGE);
      parsers.join({ room: "chat:a" });
      parsers.history({ room: "chat:a" });
    };
    expect(errorsOf(() => new HubError("bad_request", "one"))).toBe(1);
    expect(errorsOf(parse)).toBe(0);
  });
});

/** How many errors of the hub are made, thrown or not. */
function errorsOf(work: () => void): number {
  let errors = 0;
  class Counted extends Error {
    constructor(...args: ConstructorParameters<typeof Error>) {
      super(...args);
      errors += 1;
    }
  }
  Object.setPrototypeOf(HubError, Counted);
  try {
    work();
  } finally {
    Object.setPrototypeOf(HubError, Error);
  }
  return errors;
}
