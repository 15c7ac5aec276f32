import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { snippetsFor } from "../model/snippets.ts";
import { CopyButton } from "./copy-button.tsx";

/** Ways to send lines to a log, ready to be pasted. */
export function Snippets({ id }: { readonly id: string }): VNode {
  const snippets = snippetsFor(location.origin, id);
  const [chosen, choose] = useState(0);
  const { name, about, code } = snippets[chosen]!;
  return (
    <section class="snippets" aria-label="Send lines to this log">
      <div class="snippets-head">
        <div class="choices" role="group" aria-label="With">
          {snippets.map((snippet, index) => (
            <button
              type="button"
              key={snippet.name}
              class="choice"
              aria-pressed={index === chosen}
              onClick={() => choose(index)}
            >
              {snippet.name}
            </button>
          ))}
        </div>
        <CopyButton key={name} text={code} label={`Copy the ${name} snippet`}>
          Copy
        </CopyButton>
      </div>
      <p class="quiet">{about}</p>
      <pre tabIndex={0} aria-label={`${name} snippet`}>
        <code>{code}</code>
      </pre>
    </section>
  );
}
