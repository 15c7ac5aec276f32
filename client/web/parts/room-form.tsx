import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { typedRoom } from "../model/rooms.ts";

interface RoomFormProps {
  readonly kind: "chat" | "stream";
  readonly label: string;
  readonly hint: string;
  readonly button: string;
  readonly initial?: string;
  readonly onRoom: (room: string) => void;
}

/** Asks for the name of a room. */
export function RoomForm({ kind, label, hint, button, initial = "", onRoom }: RoomFormProps): VNode {
  const [typed, type] = useState(initial);
  const [problem, complain] = useState("");
  const field = `${kind}-name`;
  const submit = (event: Event): void => {
    event.preventDefault();
    try {
      onRoom(typedRoom(kind, typed));
      complain("");
    } catch (error) {
      complain((error as Error).message);
    }
  };
  return (
    <form class="room-form" onSubmit={submit} noValidate autocomplete="off">
      <label for={field}>{label}</label>
      <div class="field-row">
        <input
          id={field}
          class="field"
          value={typed}
          maxLength={200}
          spellcheck={false}
          autocapitalize="none"
          aria-describedby={`${field}-hint`}
          aria-invalid={problem !== ""}
          onInput={(event) => type(event.currentTarget.value)}
        />
        <button class="button main-button">{button}</button>
      </div>
      <p
        id={`${field}-hint`}
        class={problem === "" ? "quiet" : "problem"}
        role={problem === "" ? undefined : "alert"}
      >
        {problem === "" ? hint : problem}
      </p>
    </form>
  );
}
