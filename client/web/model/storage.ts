/** Where a page keeps small things; a browser may forbid it. */
export interface Storage {
  get(key: string): string | undefined;
  set(key: string, value: string): void;
}

/** The browser's own, or nothing that lasts where it is forbidden. */
export function browserStorage(): Storage {
  const kept = new Map<string, string>();
  return {
    get(key) {
      try {
        return localStorage.getItem(key) ?? kept.get(key);
      } catch {
        return kept.get(key);
      }
    },
    set(key, value) {
      kept.set(key, value);
      try {
        localStorage.setItem(key, value);
      } catch {
        // It lasts as long as the page, then.
      }
    },
  };
}
