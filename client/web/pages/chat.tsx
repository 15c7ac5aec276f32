import type { VNode } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { JoinReply } from "../../sdk/index.ts";
import { openRoom, type RoomSession } from "../hub.ts";
import { ChatModel } from "../model/chat-model.ts";
import { guestSecret, keepName, knownName } from "../model/identity.ts";
import { AppHeader } from "../parts/app-header.tsx";
import { ChatList } from "../parts/chat-list.tsx";
import { Composer } from "../parts/composer.tsx";
import { storage, useModel, useTitle, useVisit } from "../parts/hooks.ts";
import { NameForm } from "../parts/name-form.tsx";
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
  const choose = (chosen: string): void => {
    keepName(storage, chosen);
    setUsername(knownName(storage));
  };
  if (username !== undefined) {
    return (
      <ChatRoom
        key={username}
        room={room}
        name={name}
        username={username}
        onRename={() => setUsername(undefined)}
      />
    );
  }
  return (
    <>
      <AppHeader room={room} />
      <main id="main" class="ask-name">
        <NameForm room={name} initial={knownName(storage) ?? ""} onName={choose} />
      </main>
    </>
  );
}

interface ChatRoomProps extends ChatProps {
  readonly username: string;
  readonly onRename: () => void;
}

function ChatRoom({ room, name, username, onRename }: ChatRoomProps): VNode {
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
      </AppHeader>
      <main id="main" class="chat">
        <ChatList
          entries={model.entries}
          complete={model.complete}
          waiting={status.is === "connecting"}
          onOlder={() => loadOlder(model, session)}
          onRetry={(id) => void model.retry(id)}
        />
        <Composer
          status={status}
          failure={model.entries.findLast((entry) => entry.kind === "message" && entry.state === "failed")}
          onSay={(text) => void model.say(text, Date.now())}
        />
      </main>
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
