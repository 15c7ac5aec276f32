import { createHash } from "node:crypto";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataFolderError } from "./data-folder-error.ts";

/** Systems differ; none takes a shorter path of a socket as too long. */
const LONGEST_PATH_BYTES = 100;
const ATTEMPTS = 5;

/**
 * Holds a folder for this process. The lock is a socket that listens: the system lets go of it when the process ends,
 * however it ends, and what is left of it then refuses connections. A process id alone would lie, since ids come again.
 */
export class FolderLock {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @throws DataFolderError `in_use` with the other one's process id */
  static async take(folder: string): Promise<FolderLock> {
    const socket = socketOf(folder);
    const pidFile = join(folder, "pid");
    for (let attempt = 1; ; attempt += 1) {
      const server = await listenOn(socket);
      if (server !== undefined) {
        writeFileSync(pidFile, `${process.pid}\n`);
        return new FolderLock(server);
      }
      const before = inodeOf(socket);
      if ((await isAnswered(socket)) || attempt === ATTEMPTS) {
        const pid = pidIn(pidFile);
        const who = pid === undefined ? "another process" : `process ${pid}`;
        const message = `the data folder ${folder} is in use by ${who}: give each hub a folder of its own (--data, ROOMCAST_DATA), or many hubs one Redis`;
        throw new DataFolderError("in_use", folder, message, pid === undefined ? {} : { pid });
      }
      // Of a process that was killed. One that starts right now may have taken it over since.
      if (inodeOf(socket) === before) rmSync(socket, { force: true });
    }
  }

  async release(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function socketOf(folder: string): string {
  const name = `roomcast-${createHash("sha256").update(folder).digest("hex").slice(0, 32)}`;
  if (process.platform === "win32") return `\\\\.\\pipe\\${name}`;
  const path = join(folder, "lock");
  return Buffer.byteLength(path) <= LONGEST_PATH_BYTES ? path : join(tmpdir(), `${name}.lock`);
}

/** Listens, unless something is at the path already. */
function listenOn(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((connection) => connection.destroy());
    server.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    // Not shared with the other workers of a cluster, which would each believe to be alone.
    server.listen({ path, exclusive: true }, () => resolve(server));
    server.unref();
  });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(path);
    connection.on("connect", () => {
      connection.destroy();
      resolve(true);
    });
    connection.on("error", (error: NodeJS.ErrnoException) =>
      resolve(error.code !== "ECONNREFUSED" && error.code !== "ENOENT"),
    );
  });
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

function pidIn(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, "utf8"));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}
