import type { VNode } from "preact";
import type { ChatEntry } from "../model/chat-model.ts";
import { linkify } from "../model/links.ts";
import { clockTime } from "../model/times.ts";

interface ChatMessageProps {
  readonly entry: Extract<ChatEntry, { kind: "message" }>;
  /** It follows one of the same person. */
  readonly isContinued: boolean;
  readonly onRetry: (id: string) => void;
}

/** One message; of one's own, what has become of it too. */
export function ChatMessage({ entry, isContinued, onRetry }: ChatMessageProps): VNode {
  const { id, from, text, time, isOwn, state, problem } = entry;
  const classes = ["message", isOwn && "own", isContinued && "continued", state !== "sent" && `is-${state}`];
  return (
    <li class={classes.filter(Boolean).join(" ")} data-id={id}>
      {!isContinued && (
        <p class={isOwn ? "unseen" : "message-head"}>
          <span class="from">{isOwn ? "You" : from}</span>
        </p>
      )}
      <div class="bubble">
        <p class="message-text">
          {linkify(text).map((piece, index) =>
            piece.href === undefined ? (
              piece.text
            ) : (
              <a key={index} href={piece.href} target="_blank" rel="noopener noreferrer nofollow">
                {piece.text}
              </a>
            ),
          )}
        </p>
        <time class="message-time" dateTime={new Date(time).toISOString()}>
          {clockTime(time)}
        </time>
        {isOwn && (
          <span class="message-state">
            {state === "sending" ? "Sending" : state === "sent" ? "Sent" : "Failed"}
          </span>
        )}
      </div>
      {state === "failed" && (
        <p class="problem message-problem">
          {problem}{" "}
          <button type="button" class="button small-button" onClick={() => onRetry(id)}>
            Retry
          </button>
        </p>
      )}
    </li>
  );
}
