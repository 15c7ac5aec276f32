import type { VNode } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { openRoom, type RoomSession } from "../hub.ts";
import { nextFrame } from "../model/frames.ts";
import { guestSecret } from "../model/identity.ts";
import { keepLook, keptLook } from "../model/log-look.ts";
import { LogModel, MOST_ROWS } from "../model/log-model.ts";
import { SourceStates } from "../model/source-states.ts";
import { AppHeader } from "../parts/app-header.tsx";
import { storage, useModel, useTitle, useVisit } from "../parts/hooks.ts";
import { LogFooter } from "../parts/log-footer.tsx";
import { LogList } from "../parts/log-list.tsx";
import { LogToolbar } from "../parts/log-toolbar.tsx";
import { Snippets } from "../parts/snippets.tsx";
import { SourceLine, Watching } from "../parts/log-state.tsx";

interface StreamProps {
  readonly room: string;
  /** Without the kind. */
  readonly name: string;
}

const FIRST_ROWS = 500;
const OLDER_ROWS = 300;

/** A log, live. */
export function StreamPage({ room, name }: StreamProps): VNode {
  useTitle(`${name} – roomcast`);
  useVisit(room);
  const { model, session, sources } = useMemo(() => openLog(room), []);
  useModel(model);
  useEffect(
    () => () => {
      session.close();
      model.close();
      sources.close();
    },
    [],
  );
  const [look, setLook] = useState(() => keptLook(storage));
  const [selected, select] = useState(lineOfAddress);
  useEffect(() => {
    const read = (): void => select(lineOfAddress());
    addEventListener("hashchange", read);
    return () => removeEventListener("hashchange", read);
  }, []);
  const status = session.status.value;
  const isEmpty = model.total === 0 && model.behind === 0;
  return (
    <div class="room-page">
      <AppHeader room={room} status={status} state={<SourceLine sources={sources} />}>
        <Watching people={session.people} />
      </AppHeader>
      <main id="main" class="log-page">
        {status.is === "refused" && (
          <p class="notice" role="alert">
            The hub has refused: {status.reason}
          </p>
        )}
        {isEmpty && status.is === "live" ? (
          <section class="first-steps">
            <h2>Waiting for the first line</h2>
            <p class="quiet">It appears here as soon as it is sent. Paste one of these into a shell:</p>
            <Snippets id={name} />
          </section>
        ) : (
          <>
            <LogToolbar
              model={model}
              name={name}
              look={look}
              onLook={(next) => {
                keepLook(storage, next);
                setLook(next);
              }}
            />
            <LogList
              model={model}
              look={look}
              selected={selected}
              onSelect={(offset) => {
                history.replaceState(null, "", offset === undefined ? location.pathname : `#${offset}`);
                select(offset);
              }}
              onOlder={() => loadOlder(model, session)}
            />
            <LogFooter model={model} selected={selected} />
          </>
        )}
      </main>
    </div>
  );
}

interface Log {
  readonly model: LogModel;
  readonly session: RoomSession;
  readonly sources: SourceStates;
}

function openLog(room: string): Log {
  const model = new LogModel(nextFrame);
  const sources = new SourceStates();
  let joined = false;
  const asked = lineOfAddress();
  const session = openRoom(
    room,
    // A line that the address names may stand far above; the page holds no more than this anyway.
    { rewind: asked === undefined ? FIRST_ROWS : MOST_ROWS, guest: guestSecret(storage) },
    {
      message(event, data, meta) {
        const isBeat = sources.receive(event, data, meta.ephemeral === true);
        if (!isBeat) model.receive({ event, data, meta });
      },
      gap: (gap) => model.gap(gap, Date.now()),
      joined(reply) {
        model.joined(!joined && reply.replayed < FIRST_ROWS);
        joined = true;
      },
    },
  );
  if (asked !== undefined) model.setFollowing(false);
  return { model, session, sources };
}

async function loadOlder(model: LogModel, session: RoomSession): Promise<void> {
  const before = model.olderThan;
  if (before === undefined) return;
  const { messages, complete, recovered, firstOffset } = await session.history({ before, limit: OLDER_ROWS });
  // A log that is gone has nothing older; what the hub gives then is the new one's end, which is here already.
  if (recovered === false) model.end();
  else model.prepend(messages, complete || messages[0]?.offset === firstOffset);
}

/** The offset that the address names after its `#`. */
function lineOfAddress(): number | undefined {
  const [, digits] = /^#(\d{1,15})$/.exec(location.hash) ?? [];
  return digits === undefined ? undefined : Number(digits);
}
