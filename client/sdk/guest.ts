import { randomId } from "../../shared/message-id.ts";

const KEY = "roomcast:guest";
const GUEST = /^[A-Za-z0-9_-]{8,64}$/;

/** The secret that makes this browser one user in all its tabs and on every visit; anywhere else a new one. */
export function keptGuest(): string {
  const fresh = randomId();
  // Node may have a localStorage as well, which is no visitor's and warns when it is touched.
  if (typeof document === "undefined") return fresh;
  try {
    const kept = localStorage.getItem(KEY);
    if (kept !== null && GUEST.test(kept)) return kept;
    localStorage.setItem(KEY, fresh);
  } catch {
    // A browser that keeps nothing has a new user per page.
  }
  return fresh;
}
