/**
 * Is a node of its own, out of a bundle: `presence-process.mjs <bundle> <Redis URL> <times> <room> <user> <name> …`
 * says that these users are in the room, prints "present", and stays until it is killed.
 */
const [bundle, url, times, room, ...people] = process.argv.slice(2);
const { RedisBroker } = await import(String(bundle));
const broker = new RedisBroker({ url });
const nothing = () => {};
await broker.start({ onMessage: nothing, onEphemeral: nothing, onAway: nothing, onInterruption: nothing });
const presence = broker.presence(JSON.parse(String(times)));
await presence.start({ onMembers: nothing, onForgotten: async () => {} });
for (let i = 0; i < people.length; i += 2)
  await presence.touch(room, { user: people[i], name: people[i + 1] }, { uniqueNames: true, most: 1_000 });
presence.setConnections(room, people.length / 2);
process.stdout.write("present\n");
