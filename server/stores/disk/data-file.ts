import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DataFolderError } from "./data-folder-error.ts";

/** Grows with each change that an older version would misread. */
const FORMAT = 2;

/** @throws DataFolderError `newer` or `damaged` */
export function checkFormat(folder: string, file: string): void {
  let text: string;
  try {
    text = readFileSync(formatFile(folder), "utf8");
  } catch (cause) {
    if (!existsSync(file)) return;
    const message = `the data folder ${folder} is damaged: its file "format" can't be read`;
    throw new DataFolderError("damaged", folder, message, { cause });
  }
  const format = /^roomcast (\d{1,9})\n$/.exec(text)?.[1];
  if (format === undefined)
    throw new DataFolderError(
      "damaged",
      folder,
      `the data folder ${folder} is damaged: its file "format" is unclear`,
    );
  if (Number(format) > FORMAT) {
    const message = `the data folder ${folder} is of a newer version of roomcast (format ${format}; this one reads up to ${FORMAT}): update roomcast, or take another folder`;
    throw new DataFolderError("newer", folder, message);
  }
}

/** Says that the folder is of this version, which reads all that earlier ones wrote. */
export function writeFormat(folder: string): void {
  const path = formatFile(folder);
  const text = `roomcast ${FORMAT}\n`;
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  // In one step: a folder whose format is cut off passes for a damaged one.
  writeFileSync(`${path}.new`, text, { flush: true });
  renameSync(`${path}.new`, path);
}

function formatFile(folder: string): string {
  return join(folder, "format");
}

/** Where LMDB's two meta pages say what they are, how large a page is, and which the last one is. */
const MAGIC_AT = 24;
const PAGE_SIZE_AT = 48;
const LAST_PAGE_AT = 144;
const META_BYTES = 160;
const MAGIC = 0xbeefc0de;
/** The last pages may have been given back before they were ever written. */
const UNWRITTEN_PAGES = 64;

/**
 * Makes sure that the file is as long as it says, since reading past the end of a mapped file ends the process.
 *
 * @throws DataFolderError `damaged` if a part of it is missing
 */
export function checkLength(folder: string, file: string): void {
  if (!existsSync(file)) return;
  const fd = openSync(file, "r+");
  try {
    const { size } = fstatSync(fd);
    const first = metaAt(fd, 0);
    const metas = first === undefined ? [] : [first, metaAt(fd, first.pageBytes)];
    const ends = metas.map((meta) => (meta === undefined ? 0 : (meta.lastPage + 1) * meta.pageBytes));
    // A crash may leave the older of the two, or the newer one.
    const end = Math.max(0, ...ends);
    const tolerance = UNWRITTEN_PAGES * (first?.pageBytes ?? 0);
    if (first === undefined || size < end - tolerance) {
      const what = first === undefined ? "is no data file" : `ends after ${size} of ${end} bytes`;
      const message = `the data folder ${folder} is damaged (${file} ${what}): put a copy of it back, or start with an empty folder`;
      throw new DataFolderError("damaged", folder, message);
    }
    if (size < end) ftruncateSync(fd, end);
  } finally {
    closeSync(fd);
  }
}

function metaAt(fd: number, at: number): { pageBytes: number; lastPage: number } | undefined {
  const meta = Buffer.alloc(META_BYTES + 8);
  readSync(fd, meta, 0, meta.length, at);
  if (meta.readUInt32LE(MAGIC_AT) !== MAGIC) return undefined;
  return { pageBytes: meta.readUInt32LE(PAGE_SIZE_AT), lastPage: Number(meta.readBigUInt64LE(LAST_PAGE_AT)) };
}
