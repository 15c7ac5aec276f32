import type { ComponentChildren, VNode } from "preact";
import { describeRoom } from "../model/rooms.ts";
import type { Status } from "../hub.ts";
import { CopyButton } from "./copy-button.tsx";

interface HeaderProps {
  /** The room that the page shows. */
  readonly room?: string;
  readonly status?: Status;
  /** What else is to be said of the room's state. */
  readonly state?: ComponentChildren;
  readonly children?: ComponentChildren;
}

/** The line on top of every page: where one is, how it stands with the hub, and how to share it. */
export function AppHeader({ room, status, state, children }: HeaderProps): VNode {
  return (
    <header class="app-header">
      <a class="skip" href="#main">
        Skip to content
      </a>
      <a class="brand" href="/" aria-label="roomcast, start page">
        <img src="/icon.svg" alt="" width="24" height="24" />
        <span class="brand-name">roomcast</span>
      </a>
      {room !== undefined && <RoomTitle room={room} />}
      {status !== undefined && <ConnectionState status={status} />}
      {state}
      <span class="header-end">
        {children}
        {room !== undefined && (
          <CopyButton
            text={() => location.origin + location.pathname}
            label="Share: copy the link to this room"
          >
            Share
          </CopyButton>
        )}
      </span>
    </header>
  );
}

function RoomTitle({ room }: { readonly room: string }): VNode {
  const { kind, name } = describeRoom(room);
  return (
    <h1 class="room-title" title={room}>
      <span class="room-kind">{kind === "chat" ? "Chat" : "Log"}</span> {name}
    </h1>
  );
}

const WORDS = {
  connecting: "Connecting",
  live: "Live",
  lost: "Connection lost, coming back",
  refused: "Not connected",
} as const satisfies Record<Status["is"], string>;

function ConnectionState({ status }: { readonly status: Status }): VNode {
  return (
    <p class={`connection connection-${status.is}`} role="status">
      {WORDS[status.is]}
    </p>
  );
}
