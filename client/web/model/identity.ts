import { randomId } from "../../../shared/message-id.ts";
import type { Storage } from "./storage.ts";

const NAME = "roomcast.name";
const GUEST = "roomcast.guest";

const LONGEST_NAME = 64;

/** The name under which this browser speaks; undefined until it has been asked for. */
export function knownName(storage: Storage): string | undefined {
  const name = storage.get(NAME);
  return name === undefined || nameProblem(name) !== undefined ? undefined : name;
}

export function keepName(storage: Storage, name: string): void {
  storage.set(NAME, tidyName(name));
}

/** As the hub has it: NFC, no spaces at the ends. */
export function tidyName(name: string): string {
  return name.normalize("NFC").trim();
}

/** Why a name will not do; undefined if it will. */
export function nameProblem(name: string): string | undefined {
  const tidy = tidyName(name);
  if (tidy === "") return "Please give a name";
  return tidy.length > LONGEST_NAME ? `A name has at most ${LONGEST_NAME} characters` : undefined;
}

/** The secret that makes all tabs of this browser one user. */
export function guestSecret(storage: Storage): string {
  const known = storage.get(GUEST);
  if (known !== undefined && /^[A-Za-z0-9_-]{8,64}$/.test(known)) return known;
  const made = randomId();
  storage.set(GUEST, made);
  return made;
}
