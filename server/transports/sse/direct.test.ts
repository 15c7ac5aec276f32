import { once } from "node:events";
import { createServer, ServerResponse, type Server } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { afterEach, expect, it, jest } from "@jest/globals";
import { writePiece } from "./direct.ts";

let server: Server;
let client: Socket;
let got = "";

afterEach(async () => {
  jest.restoreAllMocks();
  client.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** Sends requests on one connection at once. @returns their responses, whose headers have left unless they are chunked */
async function responses(...headers: string[]): Promise<ServerResponse[]> {
  const all: ServerResponse[] = [];
  got = "";
  const { promise, resolve } = settled();
  server = createServer((request, response) => {
    all.push(response);
    if (request.headers["x-chunks"] === undefined) response.removeHeader("Transfer-Encoding");
    response.writeHead(200);
    response.write("begin ");
    if (all.length === headers.length) resolve();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.setEncoding("utf8").on("data", (text: string) => (got += text));
  client.write(headers.map((header) => `GET / HTTP/1.1\r\nHost: a\r\n${header}\r\n\r\n`).join(""));
  await promise;
  return all;
}

function settled(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

async function body(end: string): Promise<string> {
  while (!got.endsWith(end)) await once(client, "data");
  return got.slice(got.indexOf("begin"));
}

/** Waits until what was written has left. */
async function idle(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => response.write("", () => resolve()));
}

const piece = (text: string): Buffer => Buffer.from(text);

it("a piece leaves at once, past node:http, when nothing is before it", async () => {
  const [response] = await responses("X: 1");
  await idle(response!);
  const write = jest.spyOn(ServerResponse.prototype, "write");
  writePiece(response!, piece("one "));
  writePiece(response!, piece("two."));
  expect(write).not.toHaveBeenCalled();
  expect(response!.socket!.writableLength).toBe(0);
  expect(await body("two.")).toBe("begin one two.");
});

it("a piece stands behind all that was written before it", async () => {
  const [response] = await responses("X: 1");
  response!.write("before ");
  writePiece(response!, piece("piece "));
  response!.write("after.");
  expect(await body("after.")).toBe("begin before piece after.");
});

it("a response that a piece has filled says when it has drained", async () => {
  const [response] = await responses("X: 1");
  await idle(response!);
  client.pause();
  const much = Buffer.alloc(2 ** 20, "x");
  while (response!.writableLength === 0) writePiece(response!, much);
  const drained = once(response!, "drain");
  client.resume();
  await drained;
  expect(response!.writableLength).toBe(0);
});

it("a piece goes through a write that somebody has put in front", async () => {
  const [response] = await responses("X: 1");
  await idle(response!);
  const write = response!.write.bind(response);
  response!.write = (bytes: Buffer) => write(bytes.toString().toUpperCase());
  writePiece(response!, piece("piece."));
  expect(await body("PIECE.")).toBe("begin PIECE.");
});

it("a piece of a response in chunks is a chunk", async () => {
  const [response] = await responses("X-Chunks: 1");
  await idle(response!);
  writePiece(response!, piece("piece"));
  expect(await body("piece\r\n")).toBe("begin \r\n5\r\npiece\r\n");
});

it("a piece waits for the response before its own on the same connection", async () => {
  const [first, second] = await responses("X: 1", "X-Chunks: 2");
  writePiece(second!, piece("second"));
  await idle(first!);
  expect(got).not.toContain("second");
  expect(second!.writableLength).toBeGreaterThan(0);
});
