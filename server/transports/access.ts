import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { HubError } from "../../shared/errors.ts";

export interface AccessOptions {
  /** Pages that may use the hub beside its own, as `https://app.example.com`. */
  readonly origins: readonly string[];
  /** Everyone who reaches the address may read and write. False: only this machine may. */
  readonly open: boolean;
}

/** Decides who may reach the hub at all, one rule for every door: upgrade, polling and HTTP alike. */
export interface Access {
  /**
   * @throws HubError `unauthorized` for another machine's caller while the hub is open to this machine only,
   * `bad_origin` for a page that is not on the list, or that came by a name which is not this machine's
   */
  check(request: IncomingMessage): void;
}

const LOOPBACK_ADDRESS = /^(127\.|::1$|::ffff:127\.)/;
const LOOPBACK_NAME = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i;

/** Tells whether an address is one that only this machine reaches. */
export function isLoopback(address: string): boolean {
  // A name that begins like one of these addresses may lead anywhere.
  return address === "localhost" || (isIP(address) !== 0 && LOOPBACK_ADDRESS.test(address));
}

export function createAccess({ origins, open }: AccessOptions): Access {
  const listed = new Set(origins);

  /** CORS stops no WebSocket and no simple POST, so a page's origin is looked at here, whatever the request. */
  function checkOrigin({ headers }: IncomingMessage): void {
    const { origin } = headers;
    if (origin === undefined || listed.has(origin)) return;
    const host = hostOf(origin);
    if (host !== undefined && (host === headers.host?.toLowerCase() || (!open && LOOPBACK_NAME.test(host))))
      return;
    throw new HubError("bad_origin", "pages of this origin may not use the hub: add it to the hub's origins");
  }

  function checkMachine({ headers, socket }: IncomingMessage): void {
    if (!isLoopback(socket.localAddress ?? "")) {
      throw new HubError(
        "unauthorized",
        "this hub is open to its own machine only: start it with --open to let others in",
      );
    }
    // A page elsewhere can make its own name point here; the browser still says that name.
    if (!LOOPBACK_NAME.test(headers.host ?? "")) {
      throw new HubError(
        "bad_origin",
        "this hub is open to its own machine only: call it by localhost or 127.0.0.1",
      );
    }
  }

  return {
    check(request) {
      if (!open) checkMachine(request);
      checkOrigin(request);
    },
  };
}

/** The host of an origin in the one form in which browsers write it; undefined for every other text. */
function hostOf(origin: string): string | undefined {
  if (!URL.canParse(origin)) return undefined;
  const { origin: canonical, host, protocol } = new URL(origin);
  return canonical === origin && (protocol === "http:" || protocol === "https:") ? host : undefined;
}
