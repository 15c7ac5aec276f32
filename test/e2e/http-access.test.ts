import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import express from "express";
import { errorReply, startHttpHub, type HttpHub, type HttpHubOptions } from "../support/http-hub.ts";

let hub: HttpHub;

async function restart(options: HttpHubOptions): Promise<void> {
  await hub.close();
  hub = await startHttpHub(options);
}

beforeEach(async () => {
  hub = await startHttpHub();
});

afterEach(async () => {
  await hub.close();
});

const LISTED = "https://app.example.com";
const BAD_ORIGIN = errorReply("bad_origin", 403);
const MESSAGES = "/rooms/chat%3Aaccess/messages";

/** The status line of a GET with headers that fetch would not send. */
async function statusOf(path: string, ...headers: string[]): Promise<number> {
  const head = [`GET ${path} HTTP/1.1`, ...headers, "Connection: close", "", ""];
  return Number((await hub.raw(head.join("\r\n"))).split(" ")[1]);
}

describe("a page's origin", () => {
  const foreign = [
    "null",
    "file://",
    "HTTPS://APP.EXAMPLE.COM",
    "https://APP.example.com",
    "https://app.example.com.evil.tld",
    "https://evil-app.example.com",
    "https://app.example.com:8443",
    "http://app.example.com",
    "https://app.example.com@evil.tld",
    "https://user@app.example.com",
    "https://app.example.com/",
    // The second one has a Cyrillic letter that looks like ours, as browsers write it.
    "https://xn--pp-7lc.example.com",
    "https://\u00e0pp.example.com",
    "https://app.example.com, https://evil.tld",
    "",
  ];

  test.each(foreign)("%j is refused while the hub is open, whatever the route", async (origin) => {
    await restart({ open: true, origins: [LISTED] });
    const headers = { origin };
    for (const path of ["/healthz", "/rooms", MESSAGES, "/", "/main.js", "/nowhere"]) {
      expect([path, await hub.request(path, { headers })]).toMatchObject([path, BAD_ORIGIN]);
    }
    expect(await hub.post(MESSAGES, { event: "message", data: 1 }, headers)).toMatchObject(BAD_ORIGIN);
    const form = { method: "POST", headers, body: new URLSearchParams({ message: "x" }) };
    const reply = await hub.request("/live/build", form);
    expect(reply).toMatchObject(BAD_ORIGIN);
    expect(reply.headers.has("access-control-allow-origin")).toBe(false);
    expect(await hub.request(MESSAGES, { method: "OPTIONS", headers })).toMatchObject(BAD_ORIGIN);
    expect((await hub.request(MESSAGES)).body).toMatchObject({ messages: [] });
  });

  test("with a Cyrillic letter is refused as raw bytes too", async () => {
    await restart({ open: true, origins: [LISTED] });
    expect(await statusOf("/rooms", "Host: localhost", "Origin: https://\u0430pp.example.com")).toBe(403);
    expect(await statusOf("/rooms", "Host: localhost", `Origin: ${LISTED}`)).toBe(200);
  });

  test("may be the hub's own, by its host and port", async () => {
    await restart({ open: true });
    expect((await hub.request("/rooms", { headers: { origin: hub.url } })).status).toBe(200);
    const other = { headers: { origin: `http://127.0.0.1:${hub.port + 1}` } };
    expect(await hub.request("/rooms", other)).toMatchObject(BAD_ORIGIN);
    await restart({});
    const { status } = await hub.request("/rooms", { headers: { origin: "http://localhost:5173" } });
    expect(status).toBe(200);
    expect(await hub.request("/rooms", { headers: { origin: LISTED } })).toMatchObject(BAD_ORIGIN);
  });

  test("on the list gets what browsers ask for", async () => {
    await restart({ open: true, origins: [LISTED] });
    const headers = { origin: LISTED };
    for (const path of ["/rooms", "/nowhere", "/rooms/bad/messages"]) {
      const reply = await hub.request(path, { headers });
      expect(reply.headers.get("access-control-allow-origin")).toBe(LISTED);
      expect(reply.headers.get("vary")).toContain("Origin");
      expect(reply.headers.get("access-control-expose-headers")).toBe("Retry-After,X-Request-Id");
    }
    const asked = { ...headers, "access-control-request-method": "POST" };
    const preflight = await hub.request(MESSAGES, { method: "OPTIONS", headers: asked });
    expect(preflight).toMatchObject({ status: 204, body: "" });
    expect(preflight.headers.get("access-control-allow-origin")).toBe(LISTED);
    expect(preflight.headers.get("access-control-allow-methods")).toBe("GET,HEAD,POST,DELETE");
    const allowed = preflight.headers.get("access-control-allow-headers");
    expect(allowed).toBe("Content-Type,Authorization,Idempotency-Key,Last-Event-ID,Cache-Control");
    expect((await hub.request("/rooms")).headers.has("access-control-allow-origin")).toBe(false);
  });
});

describe("a hub for its own machine", () => {
  test("is called by one of the machine's own names", async () => {
    for (const host of ["localhost", `127.0.0.1:${hub.port}`, "[::1]:3000", "LOCALHOST:1"]) {
      expect([host, await statusOf("/rooms", `Host: ${host}`)]).toEqual([host, 200]);
    }
    for (const host of [
      "evil.tld",
      "localhost.evil.tld",
      "127.0.0.1.evil.tld",
      "localhost@evil.tld",
      "10.0.0.1",
      "",
    ]) {
      expect([host, await statusOf("/rooms", `Host: ${host}`)]).toEqual([host, 403]);
    }
    await restart({ open: true });
    expect(await statusOf("/rooms", "Host: hub.example.com")).toBe(200);
  });
});

describe("every reply", () => {
  test("has the headers that keep a browser from harm", async () => {
    const paths = ["/rooms", "/nowhere", "/", "/main.js", "/rooms/bad", "/openapi.json", "/live/build"];
    for (const path of paths) {
      const { headers } = await hub.request(path);
      expect([path, headers.get("content-security-policy")]).toEqual([
        path,
        "default-src 'none';script-src 'self';style-src 'self';img-src 'self' data:;connect-src 'self';" +
          "base-uri 'none';form-action 'none';frame-ancestors 'none'",
      ]);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
      expect(headers.get("x-request-id")).toMatch(/^[\w-]{16}$/);
      expect(headers.has("strict-transport-security")).toBe(false);
      expect(headers.has("x-powered-by")).toBe(false);
      const isPage = path === "/" || path === "/main.js";
      expect([path, headers.get("cache-control")]).toEqual([path, isPage ? "no-cache" : "no-store"]);
    }
  });

  test("to HEAD is that to GET without a body", async () => {
    for (const path of ["/", "/rooms", "/healthz", "/rooms/chat%3Aa", MESSAGES]) {
      const reply = await hub.request(path, { method: "HEAD" });
      expect([path, reply.status, reply.body]).toEqual([path, 200, ""]);
    }
    expect(await hub.request("/nowhere", { method: "HEAD" })).toMatchObject({ status: 404, body: "" });
  });
});

describe("inside another Express app", () => {
  function mount(prefix: string): HttpHubOptions {
    return {
      mount: (handler) => {
        const app = express();
        app.use(express.json());
        app.use(prefix, handler);
        app.get(`${prefix}/own`, (request, response) => {
          response.json({ own: request.originalUrl });
        });
        app.post(`${prefix}/rooms`, (request, response) => void response.json(request.body));
        app.use((_request, response) => void response.status(404).send("the app's own"));
        return app;
      },
    };
  }

  test.each(["/hub", ""])("under %j it answers its routes there", async (prefix) => {
    await restart(mount(prefix));
    expect(await hub.post(`${prefix}${MESSAGES}`, { event: "message", data: 1 })).toMatchObject({
      status: 201,
      body: { room: "chat:access", offset: 1 },
    });
    const line = { method: "POST", headers: { "content-type": "application/x-ndjson" } };
    const lines = await hub.request(`${prefix}${MESSAGES}`, {
      ...line,
      body: '{"event":"message","data":2}',
    });
    expect(JSON.parse(lines.body as string)).toMatchObject({ offset: 2 });
    expect((await hub.request(`${prefix}${MESSAGES}?limit=1`)).body).toMatchObject({
      messages: [{ offset: 2 }],
    });
    const live = await hub.request(`${prefix}/live/build?x=1`);
    expect(live.headers.get("location")).toBe(`${prefix}/stream/build`);
    expect((await hub.request(`${prefix}/stream/build`)).body).toContain("roomcast");
    expect((await hub.request(`${prefix}/main.js`)).status).toBe(200);
    expect((await hub.request(`${prefix}/openapi.json`)).body).toMatchObject({
      servers: [{ url: prefix || "/" }],
    });
    expect(await hub.request(`${prefix}/rooms/bad`)).toMatchObject(errorReply("bad_room", 400));
  });

  test.each(["/hub", ""])("under %j it leaves the app's own routes alone", async (prefix) => {
    await restart(mount(prefix));
    // From anywhere: who may call them is the app's business.
    const headers = { origin: "https://elsewhere.example.com", "content-type": "application/json" };
    const own = await hub.request(`${prefix}/own`, { headers });
    expect(own).toMatchObject({ status: 200, body: { own: `${prefix}/own` } });
    expect(own.headers.has("content-security-policy")).toBe(false);
    expect(own.headers.has("x-request-id")).toBe(false);
    expect(own.headers.has("x-powered-by")).toBe(true);
    const posted = await hub.request(`${prefix}/rooms`, { method: "POST", headers, body: '{"a":1}' });
    expect(posted.body).toEqual({ a: 1 });
    expect(await hub.request(`${prefix}/nowhere`)).toMatchObject({ status: 404, body: "the app's own" });
    expect(await hub.request(`${prefix}/rooms`, { headers })).toMatchObject(BAD_ORIGIN);
  });

  test("it says that a parser of the app has taken its lines", async () => {
    await restart({
      mount: (handler) => {
        const app = express();
        app.use(express.text({ type: "*/*" }), handler);
        return app;
      },
    });
    const init = { method: "POST", headers: { "content-type": "application/x-ndjson" }, body: "{}\n" };
    expect(await hub.request(MESSAGES, init)).toMatchObject(errorReply("internal", 500));
    expect(String(hub.failures[0]?.error)).toContain("another body parser");
  });
});
