import type { ReadonlySignal } from "@preact/signals";
import type { VNode } from "preact";
import type { People } from "../hub.ts";
import type { SourceStates } from "../model/source-states.ts";
import { useModel } from "./hooks.ts";

/** Whether the programs that send into a log still do. */
export function SourceLine({ sources }: { readonly sources: SourceStates }): VNode {
  useModel(sources);
  const { text, isLive } = sources;
  return (
    <span class={`source-state ${isLive ? "source-live" : ""}`} role="status" title={text}>
      {text}
    </span>
  );
}

/** How many people have a log open. */
export function Watching({ people }: { readonly people: ReadonlySignal<People> }): VNode | null {
  const { total } = people.value;
  return total === 0 ? null : <span class="quiet watching">{total.toLocaleString("en")} watching</span>;
}
