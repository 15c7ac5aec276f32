import { HubError } from "../../../shared/errors.ts";
import type { Hub } from "../../hub/hub.ts";
import type { Subscriber } from "../../hub/transport.ts";
import type { Parsers } from "../schemas.ts";

export interface RequestContext {
  readonly hub: Hub;
  readonly parsers: Parsers;
}

/** Carries out one request; `reply` is called in the turn in which it is done. */
export type Handler = (
  context: RequestContext,
  client: Subscriber,
  input: unknown,
  reply: (body: object) => void,
) => Promise<void>;

/** What a client may ask for, by the name of the event. */
export const REQUESTS: Readonly<Record<string, Handler>> = {
  async join({ hub, parsers }, client, input, reply) {
    const start = parsers.join(input);
    await hub.join(client, start.room, start, reply);
  },

  async leave({ hub, parsers }, client, input, reply) {
    const { room } = parsers.leave(input);
    await hub.leave(client, room);
    reply({ room });
  },

  async publish({ hub, parsers }, client, input, reply) {
    const { room, ...publication } = parsers.publish(input);
    const [result] = await hub.publish(client.session, room, [publication]);
    if (result instanceof HubError) throw result;
    reply(result!);
  },

  async history({ hub, parsers }, client, input, reply) {
    const { room, ...range } = parsers.history(input);
    reply(await hub.history(client.session, room, range));
  },

  async members({ hub, parsers }, client, input, reply) {
    const { room, ...query } = parsers.members(input);
    reply(await hub.members(client.session, room, query));
  },

  async info({ hub, parsers }, client, input, reply) {
    const { room, info } = parsers.info(input);
    await hub.inform(client.session, room, info);
    reply({ room });
  },
};
