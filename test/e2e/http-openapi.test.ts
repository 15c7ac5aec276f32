import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Express } from "express";
import { RETRYABLE, type ErrorCode } from "../../shared/errors.ts";
import { createApp } from "../../server/transports/http/app.ts";
import { COMMON_ERRORS, isRoute, ROUTES } from "../../server/transports/http/routes.ts";
import { HTTP_STATUS } from "../../server/transports/http-status.ts";
import { startHttpHub, type HttpHub } from "../support/http-hub.ts";

let hub: HttpHub;

beforeAll(async () => {
  hub = await startHttpHub();
});

afterAll(async () => {
  await hub.close();
});

describe("the description of the API", () => {
  interface Layer {
    readonly handle: { readonly stack?: readonly Layer[] };
    readonly route?: { readonly path: string; readonly methods: Readonly<Record<string, boolean>> };
  }

  function mounted({ stack }: { readonly stack?: readonly Layer[] }): string[] {
    return (stack ?? []).flatMap(({ route, handle }) =>
      route === undefined
        ? mounted(handle)
        : Object.keys(route.methods).map((method) => `${method} ${route.path}`),
    );
  }

  test("has every route that there is, and no other", async () => {
    const app: Express = createApp(hub.context);
    const table = ROUTES.map(({ method, path }) => `${method} ${path}`);
    expect(mounted(app.router as unknown as Layer["handle"]).toSorted()).toEqual(table.toSorted());
    const { body } = await hub.request("/openapi.json");
    const { paths } = body as { paths: Record<string, Record<string, unknown>> };
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`),
    );
    expect(described.toSorted()).toEqual(table.toSorted());
    for (const { method, path } of ROUTES) expect(isRoute(method.toUpperCase(), path)).toBe(true);
  });

  test("is complete: each schema that it names is there, each error one of the table's", async () => {
    const { body, status } = await hub.request("/openapi.json");
    expect(status).toBe(200);
    expect(body).toMatchObject({ openapi: "3.1.0", info: { version: "1.2.3" }, servers: [{ url: "/" }] });
    const { components } = body as { components: Record<string, Record<string, unknown>> };
    for (const [, kind, name] of JSON.stringify(body).matchAll(/"#\/components\/(\w+)\/(\w+)"/g)) {
      expect([name, components[kind!]]).toEqual([
        name,
        expect.objectContaining({ [name!]: expect.anything() }),
      ]);
    }
    const known = new Set<ErrorCode>(Object.keys(RETRYABLE) as ErrorCode[]);
    for (const { errors } of ROUTES)
      expect([...COMMON_ERRORS, ...errors].every((code) => known.has(code))).toBe(true);
    const statuses = new Set<number>(Object.values(HTTP_STATUS));
    for (const methods of Object.values((body as { paths: object }).paths) as Record<
      string,
      { responses: object }
    >[]) {
      for (const { responses } of Object.values(methods)) {
        const failing = Object.keys(responses)
          .map(Number)
          .filter((code) => code >= 400);
        expect(failing.filter((code) => !statuses.has(code))).toEqual([]);
      }
    }
  });
});
