import type { ReadonlySignal } from "@preact/signals";
import type { VNode } from "preact";
import type { From } from "../../sdk/index.ts";
import { typingText } from "../model/people-text.ts";

interface TypingProps {
  readonly typists: ReadonlySignal<readonly From[]>;
  readonly isOwn: (who: From) => boolean;
}

/** Who is typing. Its place is kept, so that nothing jumps. */
export function TypingLine({ typists, isOwn }: TypingProps): VNode {
  const names = typists.value.filter((who) => !isOwn(who)).map(({ name }) => name);
  return <p class="quiet typing-line">{typingText(names)}</p>;
}
