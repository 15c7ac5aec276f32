// What the compiler makes of it is the test: `tsc -b` fails on every @ts-expect-error without an error.
import { expect, test } from "@jest/globals";
import {
  connect,
  type ChatEvents,
  type Client,
  type Member,
  type Meta,
  type Published,
  type PublishedEphemeral,
  type Room,
  type StreamEvents,
} from "./index.ts";

interface ShopEvents {
  order: { id: number; paid: boolean };
  closed: null;
}

function typed(shop: Client<ShopEvents>, loose: Client): (() => unknown)[] {
  const orders: Room<ShopEvents> = shop.room("shop:orders");
  const chat: Room<ChatEvents> = shop.room<ChatEvents>("chat:lobby");
  const log = loose.room<StreamEvents>("stream:build-42");
  const any = loose.room("chat:lobby");
  return [
    () => orders.on("order", ({ id, paid }, meta) => [id.toFixed(), paid, meta.offset]),
    () => orders.on("closed", (nothing: null, { time }: Meta) => [nothing, time]),
    // @ts-expect-error no such event
    () => orders.on("ordr", () => {}),
    // @ts-expect-error the data has no such field
    () => orders.on("order", ({ price }) => price as unknown),
    () =>
      orders.onAny((event, data, meta) => {
        expect(event === "order" ? data.id : (data satisfies null)).toBe(meta.offset);
      }),
    () => orders.onAny((event) => expect(event === "order" || event === "closed").toBe(true)),
    // @ts-expect-error no such event
    () => orders.onAny((event) => expect(event === "opened").toBe(true)),
    () => orders.publish("order", { id: 1, paid: false }) satisfies Promise<Published>,
    () =>
      orders.publish("closed", null, { ephemeral: true, echo: false }) satisfies Promise<PublishedEphemeral>,
    // @ts-expect-error the wrong type of a field
    () => orders.publish("order", { id: "1", paid: false }),
    // @ts-expect-error no such event
    () => orders.publish("opened", null),
    () => orders.on("room:gap", (gap) => gap.from + gap.to),
    () => orders.on("room:status", (status) => status === "live" || status === "resuming"),
    // @ts-expect-error no such status
    () => orders.on("room:status", (status) => status === "connected"),
    () => orders.on("room:joined", ({ recovered, cursor }) => [recovered, cursor.length]),
    async () => {
      for await (const message of orders.history({ after: 0 }))
        if (message.event === "order") expect(message.data.paid).toBe(message.offset > 0);
    },
    () => chat.publish("message", { text: "hello" }),
    // @ts-expect-error a chat message has a text
    () => chat.publish("message", { message: "hello" }),
    () => log.on("exit", ({ code }) => (code === null ? "killed" : code.toFixed())),
    () => log.on("log", ({ message, level, source }) => [message.length, level.length, source?.length]),
    () => log.on("source", ({ program, state }) => [program, state === "live" || state === "ended"]),
    () => orders.members.on("join", ({ user, name, joinedAt }: Member) => [user, name, joinedAt.toFixed()]),
    // @ts-expect-error no such notice
    () => orders.members.on("joined", () => {}),
    () => orders.on("room:typing", (typists) => typists.map(({ name }) => name)),
    () => chat.on("typing", (_nothing, { from }) => from?.name),
    () => any.on("message", (data: unknown) => data),
    // @ts-expect-error unknown has no fields
    () => any.on("message", (data) => data.text as unknown),
    () => any.publish("whatever", [1, "two", null]),
    () => loose.on("status", (status, error) => (status === "closed" ? error?.code : error?.retryAfterMs)),
    // @ts-expect-error no such status
    () => loose.on("status", (status) => status === "live"),
  ];
}

test("rooms and clients are typed by their events, without a cast", () => {
  const clients = [connect<ShopEvents>("http://127.0.0.1:9"), connect("http://127.0.0.1:9")] as const;
  clients.forEach((client) => client.close());
  expect(typed(...clients)).toHaveLength(30);
});
