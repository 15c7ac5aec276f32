import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { nameProblem } from "../model/identity.ts";

interface NameFormProps {
  readonly room: string;
  readonly initial: string;
  /** Why it is asked for again. */
  readonly refusal?: string | undefined;
  readonly onName: (name: string) => void;
}

/** Asks for the name under which one speaks. */
export function NameForm({ room, initial, refusal, onName }: NameFormProps): VNode {
  const [typed, type] = useState(initial);
  const [problem, complain] = useState(refusal);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const submit = (event: Event): void => {
    event.preventDefault();
    const found = nameProblem(typed);
    complain(found);
    if (found === undefined) onName(typed);
  };
  return (
    <form class="card name-form" onSubmit={submit} noValidate>
      <h2>Who is there?</h2>
      <label for="username">Your name in {room}</label>
      <div class="field-row">
        <input
          id="username"
          ref={field}
          class="field"
          value={typed}
          maxLength={64}
          autocomplete="nickname"
          aria-invalid={problem !== undefined}
          aria-describedby="username-hint"
          onInput={(event) => type(event.currentTarget.value)}
        />
        <button class="button main-button">Join</button>
      </div>
      <p
        id="username-hint"
        class={problem === undefined ? "quiet" : "problem"}
        role={problem === undefined ? undefined : "alert"}
      >
        {problem ?? "This browser keeps it. You can change it at any time."}
      </p>
    </form>
  );
}
