import { describe, expect, test } from "@jest/globals";
import { HubError } from "../../../shared/errors.ts";
import type { Message, Meta } from "../../../shared/message.ts";
import type { RoomName } from "../../../shared/room-name.ts";
import { ChatModel } from "./chat-model.ts";

const room = "chat:lobby" as RoomName;
const meta = (offset: number, user = "guest:ben", id = `m-${offset}`): Meta => ({
  room,
  id,
  epoch: "e",
  offset,
  time: offset,
  from: { user, name: user.slice(6) },
});
const kept = (offset: number, event = "message"): Message => ({
  ...meta(offset),
  epoch: "e",
  offset,
  event,
  data: { text: `text ${offset}` },
});
const texts = (model: ChatModel): string[] =>
  model.entries.map((entry) =>
    entry.kind === "gap"
      ? "gap"
      : entry.kind === "moves"
        ? entry.text
        : `${entry.isOwn ? "own" : entry.from} ${entry.text} ${entry.state}`,
  );

/** A model whose messages the test answers. */
function chat(): { model: ChatModel; sent: string[]; answer: (error?: HubError) => Promise<void> } {
  const waiting: ((error?: HubError) => void)[] = [];
  const sent: string[] = [];
  const model = new ChatModel("ana", (id) => {
    sent.push(id);
    return new Promise<void>((resolve, reject) =>
      waiting.push((error) => (error === undefined ? resolve() : reject(error))),
    );
  });
  const answer = async (error?: HubError): Promise<void> => {
    waiting.shift()!(error);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { model, sent, answer };
}

describe("a chat model", () => {
  test("shows an own message at once, and one message when answer and copy have come in either order", async () => {
    for (const copyFirst of [true, false]) {
      const { model, sent, answer } = chat();
      void model.say("hi", 0);
      expect(texts(model)).toEqual(["own hi sending"]);
      const copy = (): boolean => model.receive("message", { text: "hi" }, meta(1, "guest:me", sent[0]));
      if (copyFirst) copy();
      await answer();
      if (!copyFirst) {
        expect(texts(model)).toEqual(["own hi sent"]);
        copy();
      }
      expect(texts(model)).toEqual(["own hi sent"]);
    }
  });

  test("keeps a failed message with the reason, and sends it again as the same", async () => {
    const { model, sent, answer } = chat();
    void model.say("hi", 0);
    await answer(new HubError("rate_limited", "too fast", { retryAfterMs: 1_200 }));
    expect(model.entries).toMatchObject([
      { state: "failed", problem: "Not sent: too many messages at once. Try again in 2 s" },
    ]);
    void model.retry(sent[0]!);
    expect(texts(model)).toEqual(["own hi sending"]);
    await answer();
    expect(texts(model)).toEqual(["own hi sent"]);
    expect(new Set(sent).size).toBe(1);
  });

  test("sends again by itself only what was not answered, once the connection is back", async () => {
    const { model, sent, answer } = chat();
    void model.say("lost", 0);
    void model.say("too long", 0);
    await answer(new HubError("unavailable", "the connection was lost"));
    await answer(new HubError("too_large", "data is too large"));
    void model.retryUnanswered();
    expect(sent).toEqual([sent[0], sent[1], sent[0]]);
    expect(texts(model)).toEqual(["own lost sending", "own too long failed"]);
  });

  test("learns from its own copy which older messages are its own", () => {
    const { model, sent } = chat();
    model.receive("message", { text: "before" }, meta(1, "guest:me"));
    model.receive("message", { text: "other" }, meta(2));
    void model.say("hi", 0);
    model.receive("message", { text: "hi" }, meta(3, "guest:me", sent[0]));
    expect(texts(model)).toEqual(["own before sent", "ben other sent", "own hi sent"]);
    expect(model.ownUser).toBe("guest:me");
  });

  test("tells other people's messages from its own and from what is no message", () => {
    const { model } = chat();
    expect(model.receive("message", { text: "hi" }, meta(1))).toBe(true);
    expect(model.receive("typing", {}, { room, id: "t", time: 0, ephemeral: true })).toBe(false);
    for (const data of [null, 5, {}, { text: 5 }])
      expect(model.receive("message", data, meta(2))).toBe(false);
    expect(texts(model)).toEqual(["ben text 1 sent".replace("text 1", "hi")]);
  });

  test("puts older pages first, and goes on before what it has seen, message or not", () => {
    const { model } = chat();
    model.receive("message", { text: "hi" }, meta(5));
    model.joined(false);
    model.prepend([kept(3, "other"), kept(4)], false);
    expect(texts(model)).toEqual(["ben text 4 sent", "ben hi sent"]);
    expect(model.olderThan).toMatchObject({ offset: 3 });
    model.prepend([kept(1), kept(2)], true);
    expect(texts(model)).toEqual(["ben text 1 sent", "ben text 2 sent", "ben text 4 sent", "ben hi sent"]);
    expect(model.olderThan).toBeUndefined();
  });

  test("has a row where messages are missing", () => {
    const { model } = chat();
    model.receive("message", { text: "hi" }, meta(1));
    model.gap({ room, epoch: "f", from: 1, to: 0, reason: "epoch_changed" }, 0);
    expect(texts(model)).toEqual(["ben hi sent", "gap"]);
  });

  test("knows the texts that could not be sent, and no others", async () => {
    const { model, answer } = chat();
    void model.say("refused", 0);
    await answer(new HubError("forbidden", "no"));
    void model.say("sent", 0);
    await answer();
    void model.say("on its way", 0);
    expect(model.unsent).toEqual(["refused"]);
  });

  describe("of who comes and goes", () => {
    const who = (name: string): { user: string; name: string } => ({ user: `guest:${name}`, name });

    test("gathers in one entry those between whom nothing is said", () => {
      const { model } = chat();
      model.moves([who("ben")], [], 0);
      model.moves(["cem", "dan", "eva"].map(who), [], 60_000);
      model.receive("message", { text: "hi" }, meta(1));
      model.moves([], [who("cem")], 60_001);
      expect(texts(model)).toEqual(["ben, cem and 2 others joined", "ben hi sent", "cem left"]);
    });

    test("says nothing of who went and came back, or came and went, and nothing of oneself", () => {
      const { model } = chat();
      model.moves([who("ben"), who("ana")], [], 0);
      model.moves([], [who("ben"), who("cem")], 1);
      expect(texts(model)).toEqual(["cem left"]);
      model.moves([who("cem")], [], 2);
      expect(texts(model)).toEqual([]);
      model.moves([who("ben")], [], 3);
      model.moves([who("dan")], [who("eva")], 4);
      expect(texts(model)).toEqual(["ben and dan joined; eva left"]);
    });

    test("begins a new entry after 5 min", () => {
      const { model } = chat();
      model.moves([who("ben")], [], 0);
      model.moves([], [who("ben")], 300_000);
      expect(texts(model)).toEqual(["ben joined", "ben left"]);
    });
  });
});
