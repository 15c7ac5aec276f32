import { useEffect, useReducer } from "preact/hooks";
import { browserStorage } from "../model/storage.ts";
import { visit } from "../model/recent-rooms.ts";

/** What this browser keeps for the app. */
export const storage: ReturnType<typeof browserStorage> = browserStorage();

/** Draws the component again whenever the model says that it has changed. */
export function useModel(model: { readonly subscribe: (listener: () => void) => () => void }): void {
  const [, draw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => model.subscribe(() => draw(undefined)), [model]);
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title;
  }, [title]);
}

/** Notes that this browser was in a room. */
export function useVisit(room: string): void {
  useEffect(() => visit(storage, room), [room]);
}
