import type { IncomingMessage } from "node:http";
import { HubError } from "../../../shared/errors.ts";

/**
 * Reads the parameters of a request's query.
 *
 * @param known their names; the reply has those that are there
 * @throws HubError `bad_request` for one that is there twice or is not known: ignored, it would answer another question
 */
export function queryOf<Name extends string>(
  request: IncomingMessage,
  known: readonly Name[],
): Readonly<Partial<Record<Name, string>>> {
  const query = new URLSearchParams(/\?(.*)$/s.exec(request.url ?? "")?.[1]);
  const found: Partial<Record<Name, string>> = {};
  for (const [key, value] of query) {
    const name = known.find((candidate) => candidate === key);
    if (name === undefined) throw new HubError("bad_request", `query: there are only ${known.join(", ")}`);
    if (found[name] !== undefined) throw new HubError("bad_request", `query: ${name} is there twice`);
    found[name] = value;
  }
  return found;
}
