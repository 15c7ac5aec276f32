import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { randomId } from "../../../shared/message-id.ts";
import { forgetRooms, recentRooms } from "../model/recent-rooms.ts";
import { describeRoom, pathOf } from "../model/rooms.ts";
import { AppHeader } from "../parts/app-header.tsx";
import { CopyButton } from "../parts/copy-button.tsx";
import { storage, useTitle } from "../parts/hooks.ts";
import { RoomForm } from "../parts/room-form.tsx";
import { Snippets } from "../parts/snippets.tsx";
import { navigate } from "../router.ts";

/** Where everybody begins: into a chat, or to a log of one's own. */
export function HomePage(): VNode {
  useTitle("roomcast");
  return (
    <>
      <AppHeader />
      <main id="main" class="home">
        <div class="intro">
          <h1>Everyone sees it live. Nobody misses a line.</h1>
          <p class="lead">
            Watch a program's output in the browser, or talk in a room. Whoever comes late or was away gets
            what was missed.
          </p>
        </div>
        <div class="cards">
          <LogCard />
          <section class="card" aria-labelledby="chat-heading">
            <h2 id="chat-heading">Chat</h2>
            <RoomForm
              kind="chat"
              label="Name of the room"
              hint="It exists as soon as somebody names it. Send its link to whomever you want to talk to."
              button="Open"
              initial="lobby"
              onRoom={(room) => navigate(pathOf(room))}
            />
          </section>
          <RecentRooms />
        </div>
      </main>
    </>
  );
}

function LogCard(): VNode {
  const [room, create] = useState<string>();
  const [suggestion] = useState(
    () =>
      `log-${randomId()
        .replaceAll(/[^a-z0-9]/gi, "")
        .slice(0, 8)
        .toLowerCase()}`,
  );
  return (
    <section class="card wide-card" aria-labelledby="log-heading">
      <h2 id="log-heading">Log stream</h2>
      <RoomForm
        kind="stream"
        label="Name of the log"
        hint="Keep the suggestion, or choose a name: whoever knows it can read and write."
        button="Create"
        initial={suggestion}
        onRoom={create}
      />
      {room !== undefined && <NewLog key={room} room={room} />}
    </section>
  );
}

function NewLog({ room }: { readonly room: string }): VNode {
  const address = location.origin + pathOf(room);
  return (
    <div class="new-log">
      <h3>Your log is ready</h3>
      <div class="field-row">
        <a class="address" href={pathOf(room)}>
          {address}
        </a>
        <CopyButton text={address} label="Copy link to the log">
          Copy link
        </CopyButton>
        <a class="button" href={pathOf(room)}>
          Open log
        </a>
      </div>
      <h3>Send lines to it</h3>
      <Snippets id={describeRoom(room).name} />
    </div>
  );
}

function RecentRooms(): VNode | null {
  const [rooms, setRooms] = useState(() => recentRooms(storage));
  if (rooms.length === 0) return null;
  const forget = (): void => {
    forgetRooms(storage);
    setRooms([]);
  };
  return (
    <section class="card" aria-labelledby="recent-heading">
      <div class="card-head">
        <h2 id="recent-heading">Recent</h2>
        <button type="button" class="button plain-button" onClick={forget}>
          Clear
        </button>
      </div>
      <ul class="recent">
        {rooms.map((room) => {
          const { kind, name } = describeRoom(room);
          return (
            <li key={room}>
              <a href={pathOf(room)}>
                <span class="room-kind">{kind === "chat" ? "Chat" : "Log"}</span>{" "}
                <span class="recent-name">{name}</span>
              </a>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
