import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { HubError } from "../../shared/errors.ts";
import { parseRoomName } from "../../shared/room-name.ts";
import { GRACE_MS, Presence } from "./presence.ts";
import type { MembersRules, PresenceStore, Present } from "./presence-store.ts";

const ROOM = parseRoomName("chat:lobby");
const ana: Present = { user: "u-ana", name: "ana" };

/** Notes what it is told, and refuses what it is told to refuse. */
class NotingStore {
  readonly told: string[] = [];
  /** The errors of the next calls, in their order. */
  readonly errors: HubError[] = [];

  touch(_: string, { user, name, info }: Present, { uniqueNames }: MembersRules): Promise<void> {
    return this.#take(`touch ${user} ${name} ${info ?? "-"}${uniqueNames ? "" : " shared"}`);
  }

  linger(_: string, user: string): Promise<void> {
    return this.#take(`linger ${user}`);
  }

  remove(_: string, user: string): Promise<void> {
    return this.#take(`remove ${user}`);
  }

  #take(call: string): Promise<void> {
    this.told.push(call);
    const error = this.errors.shift();
    return error === undefined ? Promise.resolve() : Promise.reject(error);
  }
}

const taken = new HubError("name_taken", "taken");
const away = new HubError("unavailable", "away");

let store: NotingStore;
let presence: Presence;
const failures: unknown[] = [];

beforeEach(() => {
  jest.useFakeTimers();
  store = new NotingStore();
  const observer = {
    gap() {},
    backfilled() {},
    warning() {},
    slow() {},
    failure: (_: string, error: unknown) => void failures.push(error),
  };
  const rulesOf = (): MembersRules => ({ uniqueNames: true, most: 10 });
  presence = new Presence({ store: store as unknown as PresenceStore, observer, rulesOf });
});

afterEach(() => {
  presence.close();
  jest.useRealTimers();
  expect(failures.splice(0)).toEqual([]);
});

describe("presence on a node", () => {
  test("tells the store once of a user with several connections, and takes it back with the last one", async () => {
    await presence.enter(ROOM, ana);
    await presence.enter(ROOM, ana);
    presence.exit(ROOM, ana.user, { meant: true });
    expect(store.told).toEqual(["touch u-ana ana -"]);
    presence.exit(ROOM, ana.user, { meant: true });
    expect(store.told).toEqual(["touch u-ana ana -", "remove u-ana"]);
  });

  test("lets a user linger whose connection has ended, and takes it back after the grace", async () => {
    await presence.enter(ROOM, ana);
    presence.exit(ROOM, ana.user, { meant: false });
    await jest.advanceTimersByTimeAsync(GRACE_MS - 1);
    expect(store.told).toEqual(["touch u-ana ana -", "linger u-ana"]);
    await jest.advanceTimersByTimeAsync(1);
    expect(store.told.at(-1)).toBe("remove u-ana");
  });

  test("takes nothing back from a user who comes back within the grace, a thousand times", async () => {
    await presence.enter(ROOM, ana);
    for (let i = 0; i < 1_000; i += 1) {
      presence.exit(ROOM, ana.user, { meant: false });
      await jest.advanceTimersByTimeAsync(GRACE_MS - 1);
      await presence.enter(ROOM, ana);
    }
    await jest.advanceTimersByTimeAsync(2 * GRACE_MS);
    expect(store.told.filter((call) => call.startsWith("remove"))).toEqual([]);
  });

  test("claims the name again of a user who comes back", async () => {
    await presence.enter(ROOM, ana);
    presence.exit(ROOM, ana.user, { meant: false });
    store.errors.push(taken);
    await expect(presence.enter(ROOM, ana)).rejects.toMatchObject({ code: "name_taken" });
    expect(store.told.slice(2)).toEqual(["touch u-ana ana -", "remove u-ana"]);
  });

  test("keeps what a user told of itself when another of its connections tells nothing", async () => {
    await presence.enter(ROOM, { ...ana, info: "1" });
    await presence.enter(ROOM, { ...ana, name: "Ana" });
    expect(store.told).toEqual(["touch u-ana ana 1", "touch u-ana Ana 1"]);
  });

  test("leaves a user as it was when a connection of it is refused another name", async () => {
    await presence.enter(ROOM, ana);
    store.errors.push(taken);
    await expect(presence.enter(ROOM, { ...ana, name: "bob" })).rejects.toMatchObject({ code: "name_taken" });
    await presence.enter(ROOM, ana);
    expect(store.told).toEqual(["touch u-ana ana -", "touch u-ana bob -"]);
  });

  test("takes back what may have happened when the store did not answer", async () => {
    store.errors.push(away);
    await expect(presence.enter(ROOM, ana)).rejects.toMatchObject({ code: "unavailable" });
    expect(store.told).toEqual(["touch u-ana ana -", "remove u-ana"]);
  });

  test("goes on trying to take a user back, unless it has come back", async () => {
    await presence.enter(ROOM, ana);
    store.errors.push(away, away);
    presence.exit(ROOM, ana.user, { meant: true });
    await jest.advanceTimersByTimeAsync(1_000);
    expect(store.told).toEqual(["touch u-ana ana -", "remove u-ana", "remove u-ana"]);
    await presence.enter(ROOM, ana);
    await jest.advanceTimersByTimeAsync(10_000);
    expect(store.told.slice(3)).toEqual(["touch u-ana ana -"]);
  });

  test("changes what a member tells of itself, and nobody else", async () => {
    await presence.enter(ROOM, ana);
    await presence.inform(ROOM, ana.user, "2");
    expect(store.told.at(-1)).toBe("touch u-ana ana 2");
    await expect(presence.inform(ROOM, "u-bob", "2")).rejects.toMatchObject({ code: "bad_request" });
  });

  test("says everything again, as often as the store needs, and hides nobody whose name is taken now", async () => {
    await presence.enter(ROOM, ana);
    await presence.enter(ROOM, { user: "u-bob", name: "bob" });
    store.told.length = 0;
    store.errors.push(away, taken);
    const said = presence.sayAgain();
    await jest.advanceTimersByTimeAsync(1_000);
    await said;
    expect(store.told).toEqual([
      "touch u-ana ana -",
      "touch u-bob bob -",
      "touch u-bob bob - shared",
      "touch u-ana ana -",
    ]);
  });

  test("tells the store nothing more once it is closed", async () => {
    await presence.enter(ROOM, ana);
    presence.exit(ROOM, ana.user, { meant: false });
    presence.close();
    await jest.advanceTimersByTimeAsync(10_000);
    expect(store.told).toEqual(["touch u-ana ana -", "linger u-ana"]);
  });
});
