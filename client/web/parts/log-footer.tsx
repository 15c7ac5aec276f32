import type { VNode } from "preact";
import type { LogModel } from "../model/log-model.ts";
import { rowText } from "../model/log-text.ts";
import { CopyButton } from "./copy-button.tsx";

interface FooterProps {
  readonly model: LogModel;
  readonly selected: number | undefined;
}

/** How much of the log is here, and whether it goes on; of a marked line, what can be done with it. */
export function LogFooter({ model, selected }: FooterProps): VNode {
  const { shown, total, behind, paused } = model;
  const count = (value: number): string => value.toLocaleString("en");
  const all = `${count(total)} ${total === 1 ? "line" : "lines"}`;
  return (
    <footer class="log-footer">
      <button
        type="button"
        class={`button pause ${paused ? "main-button" : ""}`}
        onClick={() => model.setPaused(!paused)}
      >
        {paused ? "Resume" : "Pause"}
      </button>
      {paused && (
        <span class="behind">
          Paused, <b>{count(behind)}</b> behind
        </span>
      )}
      <span class="quiet counts">{shown.length === total ? all : `${count(shown.length)} of ${all}`}</span>
      {selected !== undefined && <SelectedLine model={model} offset={selected} />}
    </footer>
  );
}

function SelectedLine({ model, offset }: { readonly model: LogModel; readonly offset: number }): VNode {
  const row = model.shown.findLast(({ place }) => place?.offset === offset);
  if (row === undefined) return <span class="quiet selected-line">Line {offset} is not shown here</span>;
  return (
    <span class="selected-line">
      <span class="quiet">Line {offset}</span>
      <CopyButton class="small-button" text={() => rowText(row)}>
        Copy line
      </CopyButton>
      <CopyButton class="small-button" text={() => `${location.origin}${location.pathname}#${offset}`}>
        Copy link
      </CopyButton>
    </span>
  );
}
