import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { ROOM, startCore, type Core } from "../../test/support/core.ts";

let core: Core;
beforeEach(async () => {
  core = await startCore();
});
afterEach(async () => {
  expect(core.failures).toEqual([]);
  await core.close();
});

describe("a publication", () => {
  it("is refused where the right is missing, and so are join and history", async () => {
    await core.close();
    core = await startCore({ authorize: (_, capability) => Promise.resolve(capability === "moderate") });
    await expect(core.publish(1)).rejects.toMatchObject({ code: "forbidden" });
    await expect(core.join(core.reader())).rejects.toMatchObject({ code: "forbidden" });
    await expect(core.hub.history({ id: "x" }, ROOM, { limit: 1 })).rejects.toMatchObject({
      code: "forbidden",
    });
  });

  it("comes to those who may join only live, unless they may read history too", async () => {
    await core.close();
    core = await startCore({ authorize: (_, capability) => capability !== "history" });
    await core.publish(1);
    await expect(core.join(core.reader(), { rewind: 1 })).rejects.toMatchObject({ code: "forbidden" });
    await expect(
      core.join(core.reader(), { since: { epoch: "e", offset: 0, id: "" } }),
    ).rejects.toMatchObject({
      code: "forbidden",
    });
    await expect(core.join(core.reader())).resolves.toMatchObject({ position: { offset: 1 } });
  });

  it("may leave its sender out only if it is ephemeral", async () => {
    const [sender, other] = [core.reader(), core.reader()];
    await core.join(sender);
    await core.join(other);
    const [reply] = await core.hub.publish(sender.session, ROOM, [
      { event: "typing", data: "1", ephemeral: true, echo: false },
    ]);
    expect(reply).toMatchObject({ ephemeral: true });
    expect(sender.log).toHaveLength(1);
    expect(other.log).toHaveLength(2);
  });

  it("answers each item of a batch in its place", async () => {
    const item = { event: "log", data: "1" };
    const results = await core.hub.publish({ id: "x" }, ROOM, [
      { ...item, id: "a" },
      { ...item, ephemeral: true },
      { ...item, id: "a" },
      { ...item, id: "a", data: "2" },
    ]);
    expect(results).toMatchObject([
      { offset: 1, duplicate: false },
      { ephemeral: true },
      { offset: 1, duplicate: true },
      { code: "id_reused" },
    ]);
  });
});

describe("history", () => {
  it("pages both ways and says when it is complete", async () => {
    await core.publish(7);
    const read = async (query: object) => {
      const page = await core.hub.history({ id: "x" }, ROOM, { limit: 3, ...query });
      return [page.messages.map(({ offset }) => offset), page.complete];
    };
    expect(await read({})).toEqual([[5, 6, 7], false]);
    expect(await read({ before: 4 })).toEqual([[1, 2, 3], true]);
    expect(await read({ before: 3, limit: 1 })).toEqual([[2], false]);
    expect(await read({ after: 2 })).toEqual([[3, 4, 5], false]);
    expect(await read({ after: 4 })).toEqual([[5, 6, 7], true]);
    expect(await read({ after: 7 })).toEqual([[], true]);
    expect(await read({ before: 1 })).toEqual([[], true]);
  });

  it("proves a position that it is read after", async () => {
    await core.publish(3);
    const { position } = await core.hub.history({ id: "x" }, ROOM, { limit: 1 });
    await core.publish(1);
    const page = await core.hub.history({ id: "x" }, ROOM, { after: position, limit: 10 });
    expect(page).toMatchObject({ recovered: true, complete: true, messages: [{ offset: 4 }] });
    const elsewhere = await core.hub.history({ id: "x" }, ROOM, {
      before: { ...position, epoch: "other" },
      limit: 1,
    });
    expect(elsewhere).toMatchObject({ recovered: false, reason: "epoch_changed", messages: [{ offset: 4 }] });
    const earlier = await core.hub.history({ id: "x" }, ROOM, { before: position, limit: 1 });
    expect(earlier).toMatchObject({ messages: [{ offset: 2 }] });
    expect(earlier).not.toHaveProperty("recovered");
    const lost = await core.hub.history({ id: "x" }, ROOM, {
      after: { ...position, id: "other" },
      limit: 10,
    });
    expect(lost).toMatchObject({
      recovered: false,
      reason: "rolled_back",
      messages: [{ offset: 1 }, {}, {}, {}],
    });
  });
});
