import { afterEach, expect, it } from "@jest/globals";
import { EventReader } from "../support/event-reader.ts";
import { Nodes } from "../support/nodes.ts";
import { until } from "../support/wait.ts";

const nodes = new Nodes();
afterEach(() => nodes.close());

it("names the place in all rooms from its first id on, although one of them takes messages before another is joined", async () => {
  let joins = 0;
  let admit = (): void => {};
  const admitted = new Promise<void>((resolve) => (admit = resolve));
  const node = await nodes.start({
    async authorize(_session, _capability, room) {
      // The stream asks for all of its rooms first, and then joins each.
      if (room === "chat:late" && (joins += 1) === 2) await admitted;
      return true;
    },
  });
  const witness = await (await EventReader.open(`${node.url}/events?room=early`)).opened();
  const reader = await EventReader.open(`${node.url}/events?room=early&room=chat:late`);
  const inside = async (): Promise<number> => {
    const reply = await fetch(`${node.url}/rooms/stream%3Aearly`);
    return ((await reply.json()) as { connections: number }).connections;
  };
  await until(async () => joins === 2 && (await inside()) === 2);
  for (const n of [1, 2]) await node.hub.publish("stream:early", "log", n, { id: `m-${n}` });
  // One turn delivers to both.
  await witness.got(2);
  admit();
  await reader.got(2);
  [reader, witness].forEach((one) => one.close());
  const at = (cursor: string): unknown =>
    expect.stringMatching(new RegExp(`^stream%3Aearly=\\w+\\.${cursor},chat%3Alate=\\w+\\.0\\.$`));
  const named = reader.events.filter(({ event }) => event !== "keep-alive");
  expect(named.map(({ event, id }) => [event, id])).toEqual([
    ["stream-open", at("0\\.")],
    ["log", at("1\\.m-1")],
    ["log", at("2\\.m-2")],
  ]);
});
