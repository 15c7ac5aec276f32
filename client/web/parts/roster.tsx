import type { ReadonlySignal } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { From, Member } from "../../sdk/index.ts";
import type { People } from "../hub.ts";

/** Names that are drawn; a roster is no telephone directory. */
const MOST_SHOWN = 200;

interface RosterProps {
  readonly people: ReadonlySignal<People>;
  readonly isOwn: (who: From) => boolean;
  /** Where there is no room for it, it is shown only then. */
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** Who is in the room. */
export function Roster({ people, isOwn, isOpen, onClose }: RosterProps): VNode {
  const { members, total } = people.value;
  const own = members.filter(isOwn);
  const shown = [...own, ...members.filter((member) => !own.includes(member))].slice(0, MOST_SHOWN);
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a wide screen it is there anyway, and takes nobody's focus.
    if (isOpen) panel.current?.focus();
  }, [isOpen]);
  return (
    <aside
      id="roster"
      class={`roster ${isOpen ? "roster-open" : ""}`}
      aria-label="People here"
      tabIndex={-1}
      ref={panel}
      onKeyDown={(event) => event.key === "Escape" && onClose()}
    >
      <div class="roster-head">
        <h2>
          Here now <span class="quiet">{total.toLocaleString("en")}</span>
        </h2>
        <button type="button" class="button small-button roster-close" onClick={onClose}>
          Close
        </button>
      </div>
      <ul class="roster-list" tabIndex={0}>
        {shown.map((member) => (
          <Person key={member.user} member={member} isOwn={own.includes(member)} />
        ))}
      </ul>
      {total > shown.length && (
        <p class="quiet roster-more">and {(total - shown.length).toLocaleString("en")} more</p>
      )}
    </aside>
  );
}

function Person({ member, isOwn }: { readonly member: Member; readonly isOwn: boolean }): VNode {
  return (
    <li class={`person ${isOwn ? "person-own" : ""}`}>
      <span class="person-name">{member.name}</span>
      {isOwn && <span class="quiet person-you">you</span>}
    </li>
  );
}

interface ButtonProps {
  readonly people: ReadonlySignal<People>;
  readonly isOpen: boolean;
  readonly onToggle: () => void;
}

/** Opens the roster where it is not always in sight. */
export function RosterButton({ people, isOpen, onToggle }: ButtonProps): VNode {
  return (
    <button
      id="roster-button"
      type="button"
      class="button roster-button"
      aria-expanded={isOpen}
      aria-controls="roster"
      onClick={onToggle}
    >
      {people.value.total.toLocaleString("en")} here
      <span class="unseen">: show who</span>
    </button>
  );
}
