import type { ComponentChildren, VNode } from "preact";
import { useEffect, useState } from "preact/hooks";

/** How long a button says that it has copied, in ms. */
const SAID_MS = 1_800;

interface CopyProps {
  /** What is copied. */
  readonly text: string | (() => string);
  /** Says what it copies, where its own text does not. */
  readonly label?: string;
  readonly class?: string;
  readonly children: ComponentChildren;
}

/** Copies a text and says so. */
export function CopyButton({ text, label, class: className = "", children }: CopyProps): VNode {
  const [said, say] = useState<"" | "Copied" | "Copy it by hand">("");
  useEffect(() => {
    if (said === "") return undefined;
    const timer = setTimeout(() => say(""), SAID_MS);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = async (): Promise<void> => {
    const copied = await copyText(typeof text === "string" ? text : text());
    say(copied ? "Copied" : "Copy it by hand");
  };
  return (
    <button type="button" class={`button ${className}`} aria-label={label} onClick={() => void copy()}>
      {said === "" ? children : said}
      <span class="unseen" role="status">
        {said}
      </span>
    </button>
  );
}

/** Plain http on a network has no clipboard API, but still the old command. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "unseen";
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    return copied;
  }
}
