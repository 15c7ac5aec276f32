import type { ServerResponse } from "node:http";
import { HubError } from "../../../shared/errors.ts";
import type { PublishReply } from "../../../shared/protocol.ts";

/** What became of one item. */
export type Outcome = PublishReply | HubError;

/** Answers with JSON text. */
export function sendJson(response: ServerResponse, status: number, json: string): void {
  response.statusCode = status;
  response.setHeader("Content-Type", "application/json; charset=utf-8");
  response.setHeader("Content-Length", Buffer.byteLength(json));
  response.end(json);
}

/** An outcome as JSON text. A position is written by hand: of a batch it takes half as long, and it has nothing to escape. */
export function outcomeJson(outcome: Outcome): string {
  if (outcome instanceof HubError) return JSON.stringify({ error: outcome });
  if ("ephemeral" in outcome) return JSON.stringify(outcome);
  const { room, id, epoch, offset, cursor, duplicate } = outcome;
  return `{"room":"${room}","id":"${id}","epoch":"${epoch}","offset":${offset},"cursor":"${cursor}","duplicate":${duplicate}}`;
}
