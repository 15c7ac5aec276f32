import { open, rm } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";

/** Nothing was stored, for lack of room on the disk. */
export class StoreFull extends Error {
  override readonly name = "StoreFull";

  constructor(cause: unknown) {
    super("the disk is full", { cause });
  }
}

const { ENOSPC, EDQUOT, EFBIG, EIO } = constants.errno;
/** The file system is full, the user's share of it is, or the process may not make larger files. */
const FULL: ReadonlySet<unknown> = new Set([ENOSPC, EDQUOT, EFBIG]);
const FULL_NAMES: ReadonlySet<unknown> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);
/** LMDB's own, for a file that may not grow. */
const MDB_MAP_FULL = -30_792;
/** More than a commit of the same messages needs. */
const PROBE_FACTOR = 8;
const PROBE_BYTES = 4 * 2 ** 20;

/**
 * Tells whether it was for lack of room that a commit failed. LMDB calls it an input/output error if a part of a write
 * still found room, so that a file of the size in question is tried.
 */
export async function isFull(folder: string, reason: unknown, bytes: number): Promise<boolean> {
  const { code } = (reason ?? {}) as { code?: unknown };
  if (FULL.has(code) || code === MDB_MAP_FULL) return true;
  if (code !== EIO) return false;
  const path = join(folder, "probe");
  try {
    const probe = await open(path, "w");
    try {
      await probe.writeFile(Buffer.alloc(PROBE_BYTES + PROBE_FACTOR * bytes));
      await probe.sync();
    } finally {
      await probe.close();
    }
    return false;
  } catch (error) {
    return FULL_NAMES.has((error as NodeJS.ErrnoException).code);
  } finally {
    await rm(path, { force: true });
  }
}
