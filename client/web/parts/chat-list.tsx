import { Fragment, type VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { ChatEntry } from "../model/chat-model.ts";
import { dayName, dayOf } from "../model/times.ts";
import { ChatMessage } from "./chat-message.tsx";

interface ChatListProps {
  readonly entries: readonly ChatEntry[];
  readonly complete: boolean;
  /** Nothing is known of the room yet. */
  readonly waiting: boolean;
  readonly onOlder: () => Promise<void>;
  readonly onRetry: (id: string) => void;
}

/** So near to an end counts as being there, in px. */
const NEAR_END = 48;
const NEAR_TOP = 240;
/** Messages of one person within so long stand under one name, in ms. */
const TOGETHER_MS = 5 * 60_000;

/** The messages of a chat; stays at the newest one until somebody scrolls up, and fetches older ones there. */
export function ChatList({ entries, complete, waiting, onOlder, onRetry }: ChatListProps): VNode {
  const scroller = useRef<HTMLDivElement>(null);
  const [atEnd, setAtEnd] = useState(true);
  const before = useRef({ firstId: "", height: 0, lastId: "", top: 0 });
  const loading = useRef(false);
  const [missed, setMissed] = useState(0);

  useLayoutEffect(() => {
    const list = scroller.current!;
    const firstId = entries[0]?.id ?? "";
    const last = entries.at(-1);
    const known = before.current;
    if (
      last !== undefined &&
      last.id !== known.lastId &&
      last.kind === "message" &&
      last.state === "sending"
    ) {
      setAtEnd(true);
      list.scrollTop = list.scrollHeight;
    } else if (atEnd) {
      list.scrollTop = list.scrollHeight;
    } else {
      // Older ones have come above: what is being read stays where it is.
      if (firstId !== known.firstId) list.scrollTop += list.scrollHeight - known.height;
      if (last?.id !== known.lastId && last?.kind !== "moves") setMissed((count) => count + 1);
    }
    before.current = { firstId, height: list.scrollHeight, lastId: last?.id ?? "", top: list.scrollTop };
  }, [entries, atEnd]);

  useEffect(() => {
    const list = scroller.current!;
    const resized = new ResizeObserver(() => {
      if (before.current.top + NEAR_END >= list.scrollTop && atEnd) list.scrollTop = list.scrollHeight;
    });
    resized.observe(list);
    return () => resized.disconnect();
  }, [atEnd]);

  const older = (): void => {
    const list = scroller.current!;
    if (complete || waiting || loading.current || list.scrollTop > NEAR_TOP) return;
    loading.current = true;
    onOlder()
      // Scrolling again asks again.
      .catch(() => {})
      .finally(() => (loading.current = false));
  };
  useEffect(older, [entries.length, complete, waiting]);

  const scrolled = (): void => {
    const list = scroller.current!;
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END;
    // A list that has just grown is not one that was scrolled up.
    if (isAtEnd || list.scrollTop < before.current.top) setAtEnd(isAtEnd);
    if (isAtEnd) setMissed(0);
    before.current.top = list.scrollTop;
    older();
  };

  const now = Date.now();
  return (
    <div class="chat-box">
      <div
        class="chat-scroller"
        ref={scroller}
        role="log"
        aria-label="Messages"
        tabIndex={0}
        onScroll={scrolled}
      >
        {entries.length === 0 ? (
          <p class="empty">{waiting ? "Getting the messages" : "Nobody has said anything yet. Say hello!"}</p>
        ) : (
          <ol class="messages">
            {complete && <li class="note">This is the beginning</li>}
            {entries.map((entry, index) => {
              const previous = entries[index - 1];
              const isNewDay = previous === undefined || dayOf(previous.time) !== dayOf(entry.time);
              return (
                <Fragment key={entry.id}>
                  {isNewDay && (
                    <li class="day">
                      <time dateTime={dayOf(entry.time)}>{dayName(entry.time, now)}</time>
                    </li>
                  )}
                  {entry.kind === "gap" ? (
                    <li class="note gap-note">{entry.text}</li>
                  ) : entry.kind === "moves" ? (
                    // To be read, and not to be read out each time somebody comes or goes.
                    <li class="note moves-note" aria-live="off">
                      {entry.text}
                    </li>
                  ) : (
                    <ChatMessage
                      entry={entry}
                      isContinued={!isNewDay && isTogether(previous, entry)}
                      onRetry={onRetry}
                    />
                  )}
                </Fragment>
              );
            })}
          </ol>
        )}
      </div>
      {!atEnd && (
        <button type="button" class="button jump" onClick={() => setAtEnd(true)}>
          {missed > 0 ? `${missed} new, to the newest` : "To the newest"}
        </button>
      )}
    </div>
  );
}

function isTogether(previous: ChatEntry | undefined, entry: ChatEntry): boolean {
  if (previous?.kind !== "message" || entry.kind !== "message") return false;
  const samePerson = previous.isOwn ? entry.isOwn : previous.user === entry.user && !entry.isOwn;
  return samePerson && previous.from === entry.from && entry.time - previous.time < TOGETHER_MS;
}
