// A room, live, on nothing but the stock client: its URL joins the room at every connect, and `auth.since` makes each
// join after the first a resume.
import type { io as connect, Socket } from "socket.io-client";
import type { ErrorBody } from "../../shared/errors.ts";
import type { Meta } from "../../shared/message.ts";
import type { Gap, JoinReply, PublishRequest, RoomClosed } from "../../shared/protocol.ts";

/** From the script that the hub serves. */
declare const io: typeof connect;

const MAX_ROWS = 1_000;
/** Levels of log entries that stand out. */
const ALARMS = new Set(["ERROR", "CRITICAL", "FATAL", "ALERT", "EMERGENCY"]);

const find = (id: string): HTMLElement => document.getElementById(id)!;
const watchForm = find("watch");
const sendForm = find("send");
const roomInput = find("room") as HTMLInputElement;
const textInput = find("text") as HTMLInputElement;
const list = find("messages");
const statusLine = find("status");
const hint = find("hint");
const reason = find("reason");

let socket: Socket | undefined;
/** What the field says may be another room's name already. */
let watched = "";
/** What was sent and not answered yet: its id makes one message of it, however often it is sent. */
let unanswered: { readonly text: string; readonly publication: PublishRequest } | undefined;

/** Whether the newest message stays in sight: until somebody scrolls up. */
let following = true;
/** Where the list was put last; it may have become shorter since. */
let scrolledTo = 0;
list.addEventListener("scroll", () => (following = list.scrollTop >= scrolledTo || isAtEnd()));
new ResizeObserver(scrollToEnd).observe(list);

watchForm.addEventListener("submit", (event) => {
  event.preventDefault();
  const name = roomInput.value.trim();
  history.replaceState(null, "", `/?room=${encodeURIComponent(name)}`);
  watch(name);
});

sendForm.addEventListener("submit", (event) => {
  event.preventDefault();
  void send(watched, textInput.value);
});

const fromPath = /^\/stream\/([^/]+)$/.exec(location.pathname)?.[1];
const asked =
  fromPath === undefined
    ? new URLSearchParams(location.search).get("room")
    : `stream:${decodeURIComponent(fromPath)}`;
if (asked !== null) {
  roomInput.value = asked;
  watch(asked);
} else roomInput.focus();

function watch(room: string): void {
  socket?.disconnect();
  watched = room;
  list.replaceChildren();
  sendForm.hidden = true;
  following = true;
  complain("");
  const since: Record<string, string> = {};
  const connection = io({
    forceNew: true,
    transports: ["websocket", "polling"],
    tryAllTransports: true,
    query: { room, rewind: 50 },
    auth: (give) => give({ since }),
  });
  socket = connection;

  connection.on("room:joined", (reply: JoinReply) => {
    since[room] = reply.cursor;
    say(`watching ${room}`);
    sendForm.hidden = false;
  });
  connection.on("room:closed", ({ reason: why, code }: RoomClosed) => {
    if (code === "unavailable") return say("the hub can't reach its store, trying again");
    connection.disconnect();
    say("not connected");
    return complain(why);
  });
  connection.on("room:gap", ({ from, to, reason: why }: Gap) =>
    row(
      "gap",
      to < from ? "the log that was here before is gone" : `messages ${from} to ${to} are gone`,
      why,
    ),
  );
  connection.onAny((event: string, data: unknown, meta: Meta | undefined) => {
    if (meta?.room === undefined || event.startsWith("room:")) return;
    if (meta.offset !== undefined) since[room] = `${meta.epoch}.${meta.offset}.${meta.id}`;
    show(event, data, meta);
  });
  connection.on("connect_error", ({ message }) => {
    if (connection.active) return say(`no connection: ${message}`);
    say("not connected");
    return complain(message);
  });
  connection.on("disconnect", () => connection.active && say("the connection was lost, coming back"));
  say("connecting");
}

async function send(room: string, text: string): Promise<void> {
  if (unanswered?.text !== text || unanswered.publication.room !== room) {
    unanswered = { text, publication: publicationOf(room, text) };
  }
  try {
    const reply = (await socket?.timeout(5_000).emitWithAck("publish", unanswered.publication)) as
      { ok: true } | { ok: false; error: ErrorBody } | undefined;
    if (reply?.ok === false) return complain(reply.error.message);
    unanswered = undefined;
    textInput.value = "";
    return complain("");
  } catch {
    return complain("The hub did not answer. Your text is still here: sent again, it stays one message.");
  }
}

function publicationOf(room: string, text: string): PublishRequest {
  const id = Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("");
  if (!room.startsWith("stream:")) return { room, id, event: "message", data: { text } };
  const data = { message: text, level: "INFO", program: "page", timestamp: new Date().toISOString() };
  return { room, id, event: "log", data };
}

function show(event: string, data: unknown, meta: Meta): void {
  const fields = (typeof data === "object" && data !== null ? data : {}) as Readonly<Record<string, unknown>>;
  const { text, message, level, program } = fields;
  if (event === "message" && typeof text === "string") row("chat", meta.from?.name ?? "", text, meta.time);
  else if (event === "log" && typeof message === "string") {
    const isAlarm = typeof level === "string" && ALARMS.has(level.toUpperCase());
    row(isAlarm ? "log alarm" : "log", `${textOf(level)} ${textOf(program)}`.trim(), message, meta.time);
  } else row("other", event, JSON.stringify(data), meta.time);
}

function textOf(field: unknown): string {
  return typeof field === "string" ? field : "";
}

function row(kind: string, head: string, text: string, time: number = Date.now()): void {
  const item = document.createElement("li");
  item.className = kind;
  const when = document.createElement("time");
  when.dateTime = new Date(time).toISOString();
  when.textContent = new Date(time).toLocaleTimeString();
  const strong = document.createElement("b");
  strong.textContent = head;
  const body = document.createElement("span");
  body.textContent = text;
  item.append(when, strong, body);
  list.append(item);
  while (list.childElementCount > MAX_ROWS) list.firstElementChild?.remove();
  scrollToEnd();
}

/** Says how the connection stands. */
function say(text: string): void {
  statusLine.textContent = text;
}

/** Says in place of the advice what went wrong with the last thing asked for; nothing without a text. */
function complain(text: string): void {
  reason.textContent = text;
  reason.hidden = text === "";
  hint.hidden = text !== "";
}

function isAtEnd(): boolean {
  return list.scrollHeight - list.scrollTop - list.clientHeight < 40;
}

function scrollToEnd(): void {
  if (!following) return;
  list.scrollTop = list.scrollHeight;
  scrolledTo = list.scrollTop;
}
