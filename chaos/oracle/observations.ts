import type { Position } from "../../shared/position.ts";
import type { Gap, JoinReply } from "../../shared/protocol.ts";

/** What a publisher sees. An id names one message for good, whatever the number of attempts to send it. */
export type Publishing =
  | {
      readonly kind: "invoke";
      readonly at: number;
      readonly publisher: string;
      readonly room: string;
      readonly id: string;
      /** Of event and data. */
      readonly hash: number;
    }
  | {
      readonly kind: "ok";
      readonly at: number;
      readonly publisher: string;
      readonly room: string;
      readonly id: string;
      readonly epoch: string;
      readonly offset: number;
      readonly duplicate: boolean;
    }
  | {
      /** Refused for certain (`fail`), or without an answer that says what became of it (`unknown`). */
      readonly kind: "fail" | "unknown";
      readonly at: number;
      readonly publisher: string;
      readonly room: string;
      readonly id: string;
      readonly code: string;
    };

/** What a subscriber does and sees, in the order in which it happened to it. */
export type Subscribing =
  | {
      /** A join is asked for; what comes before `joined` is replay. */
      readonly kind: "join";
      readonly at: number;
      readonly client: string;
      readonly room: string;
      /** Where it starts: after the last message that this client has, some messages back, or now. */
      readonly start: "since" | "rewind" | "now";
      readonly since?: Position;
    }
  | {
      readonly kind: "joined";
      readonly at: number;
      readonly client: string;
      readonly room: string;
      readonly reply: Pick<JoinReply, "position" | "recovered" | "reason" | "firstOffset">;
    }
  | {
      readonly kind: "message";
      readonly at: number;
      readonly client: string;
      readonly room: string;
      readonly epoch: string;
      readonly offset: number;
      readonly id: string;
      readonly hash: number;
    }
  | { readonly kind: "gap"; readonly at: number; readonly client: string; readonly gap: Gap }
  | {
      /** A join was refused; a leave is asked for; a leave is answered. */
      readonly kind: "refused" | "leave" | "left";
      readonly at: number;
      readonly client: string;
      readonly room: string;
    }
  | {
      /** The connection has ended, and with it all memberships. */
      readonly kind: "lost";
      readonly at: number;
      readonly client: string;
    };

/** What was done to the hub. */
export interface Striking {
  /** `returning`: a store that has lost data is about to come back. */
  readonly kind: "fault" | "returning" | "healed";
  readonly at: number;
  readonly name: string;
  /** The store may come back without what it has acknowledged. */
  readonly losesData: boolean;
}

/** One thing that someone saw; `at` is in Unix milliseconds. */
export type Observation = Publishing | Subscribing | Striking;

/** A whole room's log as one node tells it over HTTP. */
export interface ReadBack {
  readonly node: string;
  readonly room: string;
  readonly position: Position;
  readonly firstOffset: number;
  readonly messages: readonly {
    readonly epoch: string;
    readonly offset: number;
    readonly id: string;
    readonly hash: number;
  }[];
}
