import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { Status } from "../hub.ts";
import type { ChatEntry } from "../model/chat-model.ts";

const LONGEST_TEXT = 4_000;

interface ComposerProps {
  readonly status: Status;
  /** The last message that could not be sent. */
  readonly failure: ChatEntry | undefined;
  /** What was written before. */
  readonly draft: string;
  readonly onDraft: (text: string) => void;
  readonly onSay: (text: string) => void;
}

/** Where one writes. What is written stays until it can be sent. */
export function Composer({ status, failure, draft, onDraft, onSay }: ComposerProps): VNode {
  const [text, setText] = useState(draft);
  const write = (next: string): void => {
    setText(next);
    onDraft(next);
  };
  const [tried, setTried] = useState(false);
  const isLive = status.is === "live";
  const submit = (): void => {
    if (text.trim() === "") return;
    setTried(!isLive);
    if (!isLive) return;
    onSay(text);
    write("");
  };
  const keyed = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  };
  const notice = noticeOf(status, tried, failure);
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {notice !== undefined && (
        <p class="notice" role="alert">
          {notice}
        </p>
      )}
      <div class="composer-row">
        <label class="unseen" for="message">
          Message
        </label>
        <textarea
          id="message"
          class="field"
          rows={1}
          value={text}
          maxLength={LONGEST_TEXT}
          placeholder="Write a message"
          aria-describedby="message-hint"
          onInput={(event) => write(event.currentTarget.value)}
          onKeyDown={keyed}
        />
        <button class="button main-button" aria-disabled={text.trim() === "" || !isLive}>
          Send
        </button>
      </div>
      <p id="message-hint" class="quiet composer-hint">
        Enter sends, Shift+Enter begins a new line
        {text.length > LONGEST_TEXT - 500 && `; ${LONGEST_TEXT - text.length} characters left`}
      </p>
    </form>
  );
}

function noticeOf(status: Status, tried: boolean, failure: ChatEntry | undefined): string | undefined {
  if (status.is === "refused") return `The hub has refused: ${status.reason}`;
  if (status.is === "lost") {
    return tried
      ? "Not sent: there is no connection. Your text is kept; send it when the connection is back."
      : "No connection: what you write is kept until it is back.";
  }
  if (failure?.kind === "message") return failure.problem;
  return undefined;
}
