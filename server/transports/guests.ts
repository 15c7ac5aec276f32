import { createHash } from "node:crypto";
import { HubError } from "../../shared/errors.ts";
import type { Limits } from "../../shared/limits.ts";
import { randomId } from "../../shared/message-id.ts";
import type { From } from "../../shared/message.ts";
import { RateLimit } from "../hub/rate-limit.ts";
import type { Session } from "../hub/session.ts";

/** How a client introduces itself, unchecked; a field that is null or undefined is absent. */
export interface Introduction {
  readonly username?: unknown;
  /** A secret of the client's own, by which it is known again. */
  readonly guest?: unknown;
  readonly token?: unknown;
}

const NAME_LENGTH = 64;
const GUEST = /^[A-Za-z0-9_-]{8,64}$/;
/** Letters, marks, digits, punctuation, symbols and plain spaces: nothing invisible, nothing that turns the direction of text. */
const NAME = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u;

/**
 * Makes the session of a client that speaks for itself.
 *
 * @param id of the connection
 * @throws HubError `bad_request`
 */
export function guestSession(id: string, introduction: Introduction, limits: Limits): Session {
  const guest = optional(introduction.guest, "auth.guest", parseGuest);
  const name = optional(introduction.username, "username", parseName);
  const token = optional(introduction.token, "auth.token", parseText);
  return new ClientSession({ id, guest, name, token, limits });
}

interface Shown {
  readonly id: string;
  readonly guest: string | undefined;
  readonly name: string | undefined;
  readonly token: string | undefined;
  readonly limits: Limits;
}

/** Makes what only those need who publish or are members when they first do: most connections only listen. */
class ClientSession implements Session {
  readonly id: string;
  declare readonly token?: string;
  readonly #limits: Limits;
  readonly #guest: string | undefined;
  readonly #name: string | undefined;
  #from: From | undefined;
  #rateLimit: RateLimit | undefined;

  constructor({ id, guest, name, token, limits }: Shown) {
    this.id = id;
    if (token !== undefined) this.token = token;
    this.#guest = guest;
    this.#name = name;
    this.#limits = limits;
  }

  get from(): From {
    this.#from ??= fromOf(this.#guest ?? randomId(), this.#name);
    return this.#from;
  }

  get rateLimit(): RateLimit {
    this.#rateLimit ??= new RateLimit(this.#limits);
    return this.#rateLimit;
  }
}

function fromOf(guest: string, name: string | undefined): From {
  const shown = publicPart(guest);
  return { user: `guest:${shown}`, name: name ?? `guest-${shown.slice(0, 8)}` };
}

/** What others see of a guest: they can't pass for it, since only its own client knows what this was made of. */
function publicPart(guest: string): string {
  return createHash("sha256").update(guest).digest("base64url").slice(0, 16);
}

function optional(
  input: unknown,
  what: string,
  parse: (text: string) => string | undefined,
): string | undefined {
  if (input === undefined || input === null) return undefined;
  const value = typeof input === "string" ? parse(input) : undefined;
  if (value !== undefined) return value;
  throw new HubError("bad_request", `${what} is not allowed: ${SHAPES[what] ?? "it is a text"}`);
}

const SHAPES: Readonly<Record<string, string>> = {
  username: `a name has 1-${NAME_LENGTH} visible characters`,
  "auth.guest": "it is 8-64 of A-Z a-z 0-9 _ -",
};

function parseName(text: string): string | undefined {
  const name = text
    .slice(0, NAME_LENGTH * 4)
    .normalize("NFC")
    .trim();
  return name.length <= NAME_LENGTH && NAME.test(name) ? name : undefined;
}

function parseGuest(text: string): string | undefined {
  return GUEST.test(text) ? text : undefined;
}

function parseText(text: string): string | undefined {
  return text.length <= 8_192 ? text : undefined;
}
