import { afterEach, describe, expect, jest, test } from "@jest/globals";
import { parseRoomName } from "../../shared/room-name.ts";
import type { Push } from "../hub/transport.ts";
import { FanOut, type FanOutlet } from "./fan-out.ts";
import { PACKETS, type Packet } from "./socketio/packet.ts";
import { Turns, type Gathering } from "./turns.ts";

const [ONE, OTHER] = [parseRoomName("stream:one"), parseRoomName("stream:other")];

/** Notes what leaves, each write by itself. */
class NotingOutlet implements FanOutlet<Packet, Buffer> {
  readonly writes: string[][] = [];
  /** Runs when something leaves. */
  onWrite: () => void = () => {};
  #before: () => void = () => {};

  get sent(): string[] {
    return this.writes.flat();
  }

  intercept(before: () => void): void {
    this.#before = before;
  }

  /** As engine.io, when somebody else sends something on the connection. */
  emit(text: string): void {
    this.#before();
    this.writes.push([text]);
  }

  send(push: Push): void {
    if (push.kind === "ephemeral") this.emit(nameOf(push.message.packet));
  }

  write({ text }: Packet): void {
    this.emit(nameOf(text));
  }

  writeJoined(packets: readonly Packet[], joined: Buffer): void {
    expect(joined.equals(Buffer.concat(packets.map(({ options }) => options.wsPreEncodedFrame[0])))).toBe(
      true,
    );
    this.writes.push(packets.map(({ text }) => nameOf(text)));
    this.onWrite();
  }
}

function nameOf(packet: string): string {
  return /\["(\w+)"/.exec(packet)![1]!;
}

function message(room: typeof ONE, name: string): Push {
  const place = { room, epoch: "e", offset: 1, id: name, time: 1 };
  return { kind: "message", message: { ...place, packet: `["${name}",1,{}]` } };
}

function start(gathering: Gathering | "never" = "immediate"): {
  fanOut: FanOut<Packet, Buffer>;
  outlet: (...rooms: (typeof ONE)[]) => NotingOutlet;
  leave: (room: typeof ONE, outlet: NotingOutlet) => void;
  /** Lets time pass, in ms; none does otherwise. */
  pass: (ms: number) => void;
} {
  let now = 0;
  const turns = gathering === "never" ? undefined : new Turns(gathering, () => now);
  const fanOut = new FanOut(PACKETS, turns);
  return {
    pass: (ms) => (now += ms),
    fanOut,
    outlet: (...rooms) => {
      const outlet = new NotingOutlet();
      fanOut.connect(outlet);
      rooms.forEach((room) => fanOut.add(room, outlet));
      return outlet;
    },
    leave: (room, outlet) => fanOut.remove(room, outlet),
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

afterEach(() => {
  jest.useRealTimers();
});

describe("what a room gets in one turn", () => {
  test.each(["tick", "immediate"] as const)(
    "leaves as one write for each connection: %s",
    async (gathering) => {
      const { fanOut, outlet } = start(gathering);
      const [a, b] = [outlet(ONE), outlet(ONE)];
      for (const name of ["a", "b", "c"]) fanOut.deliver(ONE, message(ONE, name));
      expect([a.writes, b.writes]).toEqual([[], []]);
      await turn();
      fanOut.deliver(ONE, message(ONE, "d"));
      await turn();
      expect([a.writes, b.writes]).toEqual([
        [["a", "b", "c"], ["d"]],
        [["a", "b", "c"], ["d"]],
      ]);
    },
  );

  test("leaves in its own turn when it comes alone", async () => {
    const { fanOut, outlet } = start();
    const a = outlet(ONE);
    for (const name of ["a", "b", "c"]) {
      fanOut.deliver(ONE, message(ONE, name));
      await turn();
    }
    expect(a.writes).toEqual([["a"], ["b"], ["c"]]);
  });

  test("is gathered for longer after writing has taken long, and only then", async () => {
    jest.useFakeTimers({ doNotFake: ["setImmediate"] });
    const { fanOut, outlet, pass } = start();
    const a = outlet(ONE);
    a.onWrite = () => {
      a.onWrite = () => {};
      pass(10);
    };
    for (const name of ["a", "b", "c"]) {
      fanOut.deliver(ONE, message(ONE, name));
      await turn();
    }
    expect(a.writes).toEqual([["a"]]);
    jest.advanceTimersByTime(10);
    pass(10);
    fanOut.deliver(ONE, message(ONE, "d"));
    await turn();
    expect(a.writes).toEqual([["a"], ["b", "c"], ["d"]]);
  });

  test("rests just as long if much has come meanwhile", async () => {
    jest.useFakeTimers({ doNotFake: ["setImmediate"] });
    const { fanOut, outlet, pass } = start();
    const a = outlet(ONE);
    a.onWrite = () => pass(10);
    const say = async (...names: readonly string[]): Promise<void> => {
      for (const name of names) {
        fanOut.deliver(ONE, message(ONE, name));
        await turn();
        jest.advanceTimersByTime(2);
        pass(2);
      }
    };
    await say("a", "b", "c", "d");
    expect(a.writes).toEqual([["a"]]);
    await say("e", "f", "g", "h");
    expect(a.writes).toEqual([["a"], ["b", "c", "d", "e"]]);
  });

  test("leaves together with what other transports have gathered, and all rest after what they took together", async () => {
    jest.useFakeTimers({ doNotFake: ["setImmediate"] });
    let now = 0;
    const turns = new Turns("immediate", () => now);
    const fanOuts = [new FanOut(PACKETS, turns), new FanOut(PACKETS, turns)];
    const outlets = fanOuts.map((fanOut) => {
      const outlet = new NotingOutlet();
      fanOut.connect(outlet);
      fanOut.add(ONE, outlet);
      outlet.onWrite = () => (now += 5);
      return outlet;
    });
    for (const name of ["a", "b", "c"]) {
      fanOuts.forEach((fanOut) => fanOut.deliver(ONE, message(ONE, name)));
      await turn();
    }
    now += 9;
    jest.advanceTimersByTime(9);
    expect(outlets.map(({ writes }) => writes)).toEqual([[["a"]], [["a"]]]);
    now += 1;
    jest.advanceTimersByTime(1);
    expect(outlets.map(({ writes }) => writes)).toEqual([
      [["a"], ["b", "c"]],
      [["a"], ["b", "c"]],
    ]);
  });

  test("leaves message by message if nothing is to be gathered", () => {
    const { fanOut, outlet } = start("never");
    const a = outlet(ONE);
    for (const name of ["a", "b"]) fanOut.deliver(ONE, message(ONE, name));
    expect(a.writes).toEqual([["a"], ["b"]]);
  });

  test("comes without its beginning to who joined in the middle, for that has been replayed", async () => {
    const { fanOut, outlet } = start();
    const early = outlet(ONE);
    fanOut.deliver(ONE, message(ONE, "a"));
    const late = outlet(ONE);
    fanOut.deliver(ONE, message(ONE, "b"));
    const last = outlet(ONE);
    await turn();
    fanOut.deliver(ONE, message(ONE, "c"));
    await turn();
    expect([early.sent, late.sent, last.sent]).toEqual([["a", "b", "c"], ["b", "c"], ["c"]]);
  });

  test("comes up to there to who leaves in the middle, and not beyond", async () => {
    const { fanOut, outlet, leave } = start();
    const [stays, goes] = [outlet(ONE), outlet(ONE)];
    fanOut.deliver(ONE, message(ONE, "a"));
    leave(ONE, goes);
    fanOut.deliver(ONE, message(ONE, "b"));
    await turn();
    expect([stays.sent, goes.sent]).toEqual([["a", "b"], ["a"]]);
  });

  test("leaves before anything that is sent on the connection after it, and once", async () => {
    const { fanOut, outlet } = start();
    const [a, b] = [outlet(ONE, OTHER), outlet(ONE)];
    fanOut.deliver(ONE, message(ONE, "a"));
    fanOut.deliver(OTHER, message(OTHER, "b"));
    a.emit("own");
    fanOut.deliver(ONE, message(ONE, "c"));
    await turn();
    expect(a.sent).toEqual(["a", "b", "own", "c"]);
    expect(b.writes).toEqual([["a", "c"]]);
  });

  test("gathers ephemeral messages too, but those that leave somebody out go at once, after what was before", async () => {
    const { fanOut, outlet } = start();
    const a = outlet(ONE);
    const ephemeral = (name: string, except?: string): Push => ({
      kind: "ephemeral",
      message: { room: ONE, packet: `["${name}",1,{}]`, ...(except === undefined ? {} : { except }) },
    });
    fanOut.deliver(ONE, message(ONE, "a"));
    fanOut.deliver(ONE, ephemeral("b"));
    expect(a.sent).toEqual([]);
    fanOut.deliver(ONE, ephemeral("c", "somebody"));
    expect(a.sent).toEqual(["a", "b", "c"]);
    await turn();
    expect(a.sent).toEqual(["a", "b", "c"]);
  });

  test("is not overtaken by what is delivered while it leaves", async () => {
    const { fanOut, outlet } = start();
    const [a, b] = [outlet(ONE), outlet(ONE)];
    a.onWrite = () => {
      a.onWrite = () => {};
      fanOut.deliver(ONE, message(ONE, "b"));
      b.emit("own");
    };
    fanOut.deliver(ONE, message(ONE, "a"));
    await turn();
    await turn();
    expect([a.sent, b.sent]).toEqual([
      ["a", "b"],
      ["a", "own", "b"],
    ]);
  });
});
