import { HubError } from "../../shared/errors.ts";
import { DEFAULT_LIMITS, type Limits } from "../../shared/limits.ts";
import { areAddresses } from "../stores/redis/addresses.ts";

export interface PublisherOptions {
  /** Straight to this Redis, or of a cluster one address or several; `REDIS_URL` if neither this nor `url` is given. */
  readonly redisUrl?: string;
  /** The hub to post to, which may have a path before its routes; `ROOMCAST_URL`, or http://127.0.0.1:3000. */
  readonly url?: string;
  /** What the hub is shown as the bearer's key; `ROOMCAST_KEY`. */
  readonly key?: string;
  /** How long an emit may take where it does not say so itself, in ms; 5,000. */
  readonly timeoutMs?: number;
  /** Those of the hub, where it has other ones than the default. */
  readonly limits?: Partial<Limits>;
  /** Gets what an operator should know, a line each; standard error. */
  readonly onNotice?: (line: string) => void;
}

/** Where messages go. */
type Target =
  | { readonly kind: "redis"; readonly url: string }
  | { readonly kind: "http"; readonly url: string; readonly key: string | undefined };

export interface Settings {
  readonly target: Target;
  readonly timeoutMs: number;
  readonly limits: Limits;
  /** What should be said about the choice. */
  readonly notice?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

interface Setting {
  readonly name: string;
  readonly value: string;
}

const DEFAULT_URL = "http://127.0.0.1:3000";
const DEFAULT_TIMEOUT_MS = 5_000;

/**
 * Puts the settings together: an option beats the environment, and Redis beats the hub where both are named alike.
 *
 * @throws HubError `bad_request`, naming the option or variable
 */
export function loadSettings(options: PublisherOptions, env: Environment): Settings {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const timeoutMs = checkTimeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS, limits);
  const redis = given("redisUrl", options.redisUrl) ?? given("REDIS_URL", env["REDIS_URL"]);
  const hub = given("url", options.url) ?? given("ROOMCAST_URL", env["ROOMCAST_URL"]);
  const hubIsMeant = options.redisUrl === undefined && options.url !== undefined;
  if (redis !== undefined && !hubIsMeant) {
    const target = { kind: "redis", url: checkRedisUrl(redis) } as const;
    if (hub === undefined) return { target, timeoutMs, limits };
    const notice = `${redis.name} and ${hub.name} are both set: messages go straight to Redis`;
    return { target, timeoutMs, limits, notice };
  }
  const url = checkHubUrl(hub ?? { name: "url", value: DEFAULT_URL });
  const key = checkKey(given("key", options.key) ?? given("ROOMCAST_KEY", env["ROOMCAST_KEY"]));
  return { target: { kind: "http", url, key }, timeoutMs, limits };
}

/** @throws HubError `bad_request` */
export function checkTimeout(ms: unknown, { idempotencyMs }: Limits): number {
  // Later than that, the log no longer knows the id, and a retry would be a second message.
  if (typeof ms === "number" && ms >= 1 && ms <= idempotencyMs) return ms;
  throw new HubError("bad_request", `timeoutMs is a number of milliseconds from 1 to ${idempotencyMs}`);
}

/** An empty variable is as none; an empty option is a mistake. */
function given(name: string, value: string | undefined): Setting | undefined {
  const isVariable = name === name.toUpperCase();
  return value === undefined || (isVariable && value === "") ? undefined : { name, value };
}

/** The faulty value is not repeated in the errors: it may hold a password. */
function checkRedisUrl({ name, value }: Setting): string {
  if (areAddresses(value)) return value;
  throw new HubError(
    "bad_request",
    `${name} is no address of a Redis: it looks like redis://host:6379, redis://user:password@host:6379/0 or rediss://… for TLS; of a cluster several, separated by commas`,
  );
}

function checkHubUrl({ name, value }: Setting): string {
  const url = /^https?:\/\//.test(value) && URL.canParse(value) ? new URL(value) : undefined;
  if (url !== undefined && `${url.username}${url.password}${url.search}${url.hash}` === "") {
    return url.href.replace(/\/+$/, "");
  }
  throw new HubError(
    "bad_request",
    `${name} is no address of a hub: it looks like ${DEFAULT_URL} or https://example.com/prefix, without user, password, ? and # (a key goes into ROOMCAST_KEY)`,
  );
}

function checkKey(key: Setting | undefined): string | undefined {
  if (key === undefined || /^[\x21-\x7e]+$/.test(key.value)) return key?.value;
  throw new HubError(
    "bad_request",
    `${key.name} is no key: one has only visible ASCII characters and no space`,
  );
}
