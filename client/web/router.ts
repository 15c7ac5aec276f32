import { signal, type ReadonlySignal } from "@preact/signals";
import { routeOf, type Route } from "./model/rooms.ts";

const current = signal<Route>(routeOf(location.pathname));

/** What the address asks for. */
export const route: ReadonlySignal<Route> = current;

/** Goes to another page of this app. */
export function navigate(path: string): void {
  history.pushState(null, "", path);
  current.value = routeOf(location.pathname);
  scrollTo(0, 0);
}

addEventListener("popstate", () => {
  const next = routeOf(location.pathname);
  const { page } = current.peek();
  // A new line in the address of the same log is no new page.
  if (next.page !== page || JSON.stringify(next) !== JSON.stringify(current.peek())) current.value = next;
});

/** Follows the links of this app without loading it again; all others are the browser's. */
document.addEventListener("click", (event) => {
  const link = (event.target as Element | null)?.closest?.("a");
  if (link === null || link === undefined || event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  if (link.target !== "" || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (link.getAttribute("href")!.startsWith("#") || routeOf(link.pathname).page === "unknown") return;
  event.preventDefault();
  navigate(link.pathname);
});
