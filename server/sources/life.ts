import { createHash } from "node:crypto";
import { constants, statSync, type BigIntStats } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { randomId } from "../../shared/message-id.ts";
import { MAX_LINE_BYTES } from "./entry.ts";
import { LineSplitter, type Line } from "./line-splitter.ts";

/** As much of a file's beginning, and of what was read last, tells whether it still is the same. */
const PROOF_BYTES = 256;
const READ_BYTES = 65_536;

/** Is thrown for what is no regular file. */
export class NotAFile extends Error {
  override readonly name = "NotAFile";
}

/** What tells a file's content from any other, for another process to find it again. */
export interface Fingerprint {
  readonly bytes: number;
  readonly sha256: string;
}

/** A line of a file, and where it ends there. */
export interface FileLine extends Line {
  readonly offset: number;
}

/** Where the system knows no births, Node gives the last change for one. */
const knowsBirths = hasBirth(statSync(process.execPath, { bigint: true }));

/** A file on this machine, by whatever name: a number may be given again when a file is gone, with its birth it is not. */
export function identityOf({ dev, ino, birthtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${knowsBirths ? birthtimeNs : 0}`;
}

function hasBirth({ birthtimeNs, ctimeNs }: BigIntStats): boolean {
  return birthtimeNs !== ctimeNs;
}

/**
 * One content of a log file, from its creation to its rotation, under whatever names: read to its end through one open
 * handle. A truncated file lives anew.
 */
export class Life {
  /** Begins the ids of its lines; the same for as long as the content is. */
  key: string;
  readonly identity: string;
  /** When it was opened. */
  readonly size: number;
  /** When it was last written, as far as that was seen, in ns. */
  mtime: bigint;
  #handle: FileHandle;
  #position = 0;
  #start = 0;
  #head: Buffer = Buffer.alloc(0);
  /** Bytes that must still be there at the next read, and where. */
  #proof: Buffer = Buffer.alloc(0);
  #proofAt = 0;
  readonly #splitter = new LineSplitter(MAX_LINE_BYTES);

  private constructor(handle: FileHandle, stats: BigIntStats, key: string) {
    this.#handle = handle;
    this.identity = identityOf(stats);
    this.size = Number(stats.size);
    this.mtime = stats.mtimeNs;
    this.key = key;
  }

  /**
   * Opens a file; undefined if there is none.
   *
   * @throws NotAFile
   */
  static async open(
    path: string,
    at: number | "end" = 0,
    key: string = randomId(),
  ): Promise<Life | undefined> {
    // Without it, opening a FIFO would wait for a writer.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(absent);
    if (handle === undefined) return undefined;
    try {
      const stats = await handle.stat({ bigint: true });
      if (!stats.isFile()) throw new NotAFile(`${path} is no regular file: only those can be followed`);
      const life = new Life(handle, stats, key);
      life.#start = life.#position = at === "end" ? Number(stats.size) : at;
      await life.#prove();
      return life;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Up to where it has been read. */
  get position(): number {
    return this.#position;
  }

  get fingerprint(): Fingerprint {
    return { bytes: this.#head.length, sha256: hash(this.#head) };
  }

  /** Whether this file begins with what another one began with. */
  beginsAs({ bytes, sha256 }: Fingerprint): boolean {
    return this.#head.length >= bytes && hash(this.#head.subarray(0, bytes)) === sha256;
  }

  /** The next lines; `end` if there are none for now, `replaced` if the content is no longer the one that was read. */
  async read(): Promise<readonly FileLine[] | "end" | "replaced"> {
    const before = this.#position - this.#proofAt;
    const ahead = Math.max(0, before);
    const buffer = await readAt(this.#handle, this.#proofAt, ahead + READ_BYTES);
    // In one read with what follows: between two, the file might be truncated and written again.
    if (!buffer.subarray(0, this.#proof.length).equals(this.#proof)) return "replaced";
    const bytes = buffer.subarray(ahead);
    if (bytes.length === 0) {
      this.mtime = (await this.#handle.stat({ bigint: true })).mtimeNs;
      return "end";
    }
    this.#extendHead(buffer);
    this.#position += bytes.length;
    const proof = buffer.subarray(Math.max(0, buffer.length - PROOF_BYTES));
    this.#proofAt = this.#position - proof.length;
    this.#proof = Buffer.from(proof);
    return this.#lines(this.#splitter.push(bytes));
  }

  /** What it ends with, if that has no line end. */
  rest(): readonly FileLine[] {
    return this.#lines(this.#splitter.end());
  }

  /** Goes on in a copy of the content, if this file is one. */
  async moveTo(copy: Life): Promise<boolean> {
    const there = await readAt(copy.#handle, this.#proofAt, this.#proof.length);
    if (!copy.beginsAs(this.fingerprint) || !there.equals(this.#proof)) return false;
    await this.#handle.close();
    this.#handle = copy.#handle;
    return true;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #prove(): Promise<void> {
    this.#head = await readAt(this.#handle, 0, PROOF_BYTES);
    if (this.#position === 0) {
      this.#proof = this.#head;
      return;
    }
    this.#proofAt = Math.max(0, this.#position - PROOF_BYTES);
    this.#proof = await readAt(this.#handle, this.#proofAt, this.#position - this.#proofAt);
  }

  #extendHead(buffer: Buffer): void {
    if (this.#head.length >= PROOF_BYTES || this.#proofAt > this.#head.length) return;
    const more = buffer.subarray(this.#head.length - this.#proofAt, PROOF_BYTES - this.#proofAt);
    this.#head = Buffer.concat([this.#head, more]);
  }

  #lines(lines: readonly Line[]): FileLine[] {
    return lines.map((line) => ({ ...line, offset: this.#start + line.end }));
  }
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  if (length === 0) return Buffer.alloc(0);
  const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

function hash(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Makes undefined of the error that there is no such file. */
export function absent(error: unknown): undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== "ENOENT" && code !== "ENOTDIR") throw error as Error;
}
