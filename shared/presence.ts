/** One user present in a room, with one or more connections. */
export interface Member {
  readonly user: string;
  readonly name: string;
  /** What the member tells of itself: any JSON up to 1 KiB. */
  readonly info?: unknown;
  /** Unix milliseconds of the store's clock. */
  readonly joinedAt: number;
}

/** What two names have in common that people would take for the same. */
export function foldName(name: string): string {
  return name.normalize("NFKC").toLowerCase().normalize("NFKC");
}
