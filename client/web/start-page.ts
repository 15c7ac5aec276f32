// A room, live, on nothing but the stock client: its URL joins the room at every connect, and `auth.since` makes each
// join after the first a resume.
import type { io as connect, Socket } from "socket.io-client";
import type { ErrorBody } from "../../shared/errors.ts";
import type { Meta } from "../../shared/message.ts";
import type { Gap, JoinReply, RoomClosed } from "../../shared/protocol.ts";

/** From the script that the hub serves. */
declare const io: typeof connect;

const MAX_ROWS = 1_000;

const find = (id: string): HTMLElement => document.getElementById(id)!;
const watchForm = find("watch");
const sendForm = find("send");
const roomInput = find("room") as HTMLInputElement;
const textInput = find("text") as HTMLInputElement;
const list = find("messages");
const statusLine = find("status");
const hint = find("hint");

let socket: Socket | undefined;

watchForm.addEventListener("submit", (event) => {
  event.preventDefault();
  const name = roomInput.value.trim();
  history.replaceState(null, "", `/?room=${encodeURIComponent(name)}`);
  watch(name);
});

sendForm.addEventListener("submit", (event) => {
  event.preventDefault();
  void send(roomInput.value.trim(), textInput.value);
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
  list.replaceChildren();
  const since: Record<string, string> = {};
  const connection = io({
    forceNew: true,
    query: { room, rewind: 50 },
    auth: (give) => give({ since }),
  });
  socket = connection;

  connection.on("room:joined", (reply: JoinReply) => {
    since[room] = reply.cursor;
    say(`watching ${room}`);
    sendForm.hidden = false;
  });
  connection.on("room:closed", ({ reason, code }: RoomClosed) => {
    if (code === "unavailable") return say("the hub can't reach its store, trying again");
    connection.disconnect();
    return say(reason, true);
  });
  connection.on("room:gap", ({ from, to, reason }: Gap) =>
    row("gap", `messages ${from} to ${to} are gone`, reason),
  );
  connection.onAny((event: string, data: unknown, meta: Meta | undefined) => {
    if (meta?.room === undefined || event.startsWith("room:")) return;
    if (meta.offset !== undefined) since[room] = `${meta.epoch}.${meta.offset}.${meta.id}`;
    show(event, data, meta);
  });
  connection.on("connect_error", (error) => say(`no connection: ${error.message}`, !connection.active));
  connection.on("disconnect", () => connection.active && say("the connection was lost, coming back"));
  say("connecting");
}

async function send(room: string, text: string): Promise<void> {
  const message = room.startsWith("stream:") ? logEntry(text) : { event: "message", data: { text } };
  try {
    const reply = (await socket?.timeout(5_000).emitWithAck("publish", { room, ...message })) as
      { ok: true } | { ok: false; error: ErrorBody } | undefined;
    if (reply?.ok === false) return say(reply.error.message, true);
    textInput.value = "";
    return say(`watching ${room}`);
  } catch {
    return say("not sent: the hub did not answer. Your text is still here.", true);
  }
}

function logEntry(message: string): { event: string; data: object } {
  return {
    event: "log",
    data: { message, level: "INFO", program: "page", timestamp: new Date().toISOString() },
  };
}

function show(event: string, data: unknown, meta: Meta): void {
  const fields = (typeof data === "object" && data !== null ? data : {}) as Readonly<Record<string, unknown>>;
  const { text, message, level, program } = fields;
  if (event === "message" && typeof text === "string") row("", meta.from?.name ?? "", text, meta.time);
  else if (event === "log" && typeof message === "string")
    row("", `${String(level)} ${String(program)}`, message, meta.time);
  else row("", event, JSON.stringify(data), meta.time);
}

function row(kind: string, head: string, text: string, time: number = Date.now()): void {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
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
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function say(text: string, refused = false): void {
  statusLine.textContent = refused ? "" : text;
  hint.classList.toggle("refused", refused);
  if (refused) hint.textContent = text;
}
