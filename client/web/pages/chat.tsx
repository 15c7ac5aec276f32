import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { From, JoinReply } from "../../sdk/index.ts";
import { openRoom, type RoomSession } from "../hub.ts";
import { ChatModel } from "../model/chat-model.ts";
import { guestSecret, keepName, knownName } from "../model/identity.ts";
import { AppHeader } from "../parts/app-header.tsx";
import { ChatList } from "../parts/chat-list.tsx";
import { Composer } from "../parts/composer.tsx";
import { storage, useModel, useTitle, useVisit } from "../parts/hooks.ts";
import { NameForm } from "../parts/name-form.tsx";
import { Roster, RosterButton } from "../parts/roster.tsx";
import { TypingLine } from "../parts/typing-line.tsx";
import { Unread } from "../parts/unread.ts";

interface ChatProps {
  readonly room: string;
  /** Without the kind. */
  readonly name: string;
}

const FIRST_MESSAGES = 50;
const OWN_USER = "roomcast.user";

/** A chat; asks first who is there, if this browser has never said. */
export function ChatPage({ room, name }: ChatProps): VNode {
  const [username, setUsername] = useState(() => knownName(storage));
  useTitle(`${name} – roomcast`);
  useVisit(room);
  const draft = useRef("");
  const [refusal, setRefusal] = useState<string>();
  const choose = (chosen: string): void => {
    keepName(storage, chosen);
    setRefusal(undefined);
    setUsername(knownName(storage));
  };
  if (username !== undefined) {
    return (
      <ChatRoom
        key={username}
        room={room}
        name={name}
        username={username}
        draft={draft}
        onRename={() => setUsername(undefined)}
        onTaken={() => {
          setRefusal(`Somebody else here is called ${username}. Please choose another name.`);
          setUsername(undefined);
        }}
      />
    );
  }
  return (
    <>
      <AppHeader room={room} />
      <main id="main" class="ask-name">
        <NameForm room={name} initial={knownName(storage) ?? ""} refusal={refusal} onName={choose} />
      </main>
    </>
  );
}

interface ChatRoomProps extends ChatProps {
  readonly username: string;
  /** What is written and not yet said; it outlives a change of the name. */
  readonly draft: { current: string };
  readonly onRename: () => void;
  readonly onTaken: () => void;
}

function ChatRoom({ room, name, username, draft, onRename, onTaken }: ChatRoomProps): VNode {
  const { model, session, unread } = useMemo(() => openChat(room, username), []);
  useModel(model);
  useEffect(
    () => () => {
      session.close();
      unread.close();
    },
    [],
  );
  useEffect(() => unread.start(`${name} – roomcast`), [name]);
  const status = session.status.value;
  const isTaken = status.is === "refused" && status.code === "name_taken";
  useEffect(() => {
    if (!isTaken) return;
    // What could not be sent goes with the form's way back: the list is made anew under the next name.
    draft.current = [...model.unsent, draft.current].filter((text) => text !== "").join("\n");
    onTaken();
  }, [isTaken]);
  const [isOpen, open] = useState(false);
  const isOwn = (who: From): boolean => model.isOwn(who);
  const closeRoster = (): void => {
    open(false);
    document.getElementById("roster-button")?.focus();
  };
  return (
    <div class="room-page">
      <AppHeader room={room} status={status}>
        <button
          type="button"
          class="button plain-button rename"
          onClick={onRename}
          aria-label={`You are ${username}: change the name`}
        >
          {username}
        </button>
        <RosterButton people={session.people} isOpen={isOpen} onToggle={() => open(!isOpen)} />
      </AppHeader>
      <div class="chat-and-roster">
        <main id="main" class="chat">
          <ChatList
            entries={model.entries}
            complete={model.complete}
            waiting={status.is === "connecting"}
            onOlder={() => loadOlder(model, session)}
            onRetry={(id) => void model.retry(id)}
          />
          <TypingLine typists={session.typists} isOwn={isOwn} />
          <Composer
            status={status}
            draft={draft.current}
            onDraft={(text) => {
              draft.current = text;
              if (text.trim() !== "") session.typing();
            }}
            failure={model.entries.findLast((entry) => entry.kind === "message" && entry.state === "failed")}
            onSay={(text) => void model.say(text, Date.now())}
          />
        </main>
        <Roster people={session.people} isOwn={isOwn} isOpen={isOpen} onClose={closeRoster} />
      </div>
    </div>
  );
}

interface Chat {
  readonly model: ChatModel;
  readonly session: RoomSession;
  readonly unread: Unread;
}

function openChat(room: string, username: string): Chat {
  const unread = new Unread();
  const send = (id: string, text: string): Promise<unknown> => session.publish("message", { text }, id);
  const model = new ChatModel(username, send, storage.get(OWN_USER));
  const session = openRoom(
    room,
    { rewind: FIRST_MESSAGES, username, guest: guestSecret(storage) },
    {
      message(event, data, meta) {
        if (model.receive(event, data, meta) && joined) unread.add();
        if (model.ownUser !== undefined) storage.set(OWN_USER, model.ownUser);
      },
      gap: (gap) => model.gap(gap, Date.now()),
      moved: (came, gone) => model.moves(came, gone, Date.now()),
      joined(reply: JoinReply) {
        model.joined(!joined && reply.replayed < FIRST_MESSAGES);
        joined = true;
        void model.retryUnanswered();
      },
    },
  );
  let joined = false;
  return { model, session, unread };
}

async function loadOlder(model: ChatModel, session: RoomSession): Promise<void> {
  const before = model.olderThan;
  if (before === undefined) return;
  const { messages, complete, recovered, firstOffset } = await session.history({
    before,
    limit: FIRST_MESSAGES,
  });
  // A log that is gone has nothing older; what the hub gives then is the new one's end, which is here already.
  if (recovered === false) model.end();
  else model.prepend(messages, complete || messages[0]?.offset === firstOffset);
}
