/** Who may import whom. The first rule whose `files` fits a file is that file's rule. */
export interface Rule {
  readonly files: string;
  /** What it may import beside its own folder, if `files` names one (`…/**`). */
  readonly imports: readonly string[];
  /** The packages it may import, `node:` ones included. */
  readonly packages: { readonly only: readonly string[] } | { readonly allBut: readonly string[] };
}

const network = ["socket.io", "engine.io", "express", "cors", "helmet", "ws"];
const redis = ["redis", "@redis/client", "@socket.io/redis-adapter"];

/** The part of the core that stores implement or share; the rest of it is none of their business. */
const hubForStores = ["broker", "presence-store", "observer", "recovery"].map(
  (name) => `server/hub/${name}.ts`,
);

/** What starts programs, a Redis and a browser for tests, and knows nothing of the product. */
const outsiders = [
  "browser.ts",
  "commands.ts",
  "plain-socket.ts",
  "programs.mjs",
  "redis-server.ts",
  "run-node.ts",
  "wait.ts",
].map((name) => `test/support/${name}`);

/** All of the product. */
const everything: readonly string[] = ["server/**", "shared/**", "client/**"];

/** Packages of the web app's user interface. */
const userInterface: readonly string[] = ["preact", "@preact/signals", "anser"];

export const rules: readonly Rule[] = [
  { files: "shared/**", imports: [], packages: { only: [] } },
  {
    files: "client/web/**",
    imports: ["client/**", "shared/**"],
    packages: { only: ["socket.io-client", ...userInterface] },
  },
  { files: "client/**", imports: ["shared/**"], packages: { only: ["socket.io-client"] } },
  {
    // The core runs with any store and any transport, hence with none of their packages.
    files: "server/hub/**",
    imports: ["shared/**"],
    packages: {
      only: ["limiter", "node:crypto", "node:events", "node:perf_hooks", "node:timers/promises", "node:util"],
    },
  },
  {
    // What lies beside the folders is common to all transports; the same goes for stores.
    files: "server/transports/*.ts",
    imports: ["server/transports/*.ts", "server/hub/**", "shared/**"],
    packages: { allBut: redis },
  },
  {
    files: "server/transports/*/**",
    imports: ["server/transports/*.ts", "server/hub/**", "shared/**"],
    packages: { allBut: redis },
  },
  {
    files: "server/stores/*.ts",
    imports: ["server/stores/*.ts", ...hubForStores, "shared/**"],
    packages: { allBut: [...network, ...redis] },
  },
  {
    files: "server/stores/*/**",
    imports: ["server/stores/*.ts", ...hubForStores, "shared/**"],
    packages: { allBut: network },
  },
  {
    files: "server/publisher/**",
    imports: ["server/stores/redis/**", "shared/**"],
    packages: { allBut: network },
  },
  {
    // What others publish is taken in and handed to a publisher: neither hub nor transport knows of it.
    files: "server/bridge/**",
    imports: ["server/publisher/**", "server/stores/redis/**", "shared/**"],
    packages: { only: ["notepack.io"] },
  },
  {
    files: "server/sources/**",
    imports: ["server/publisher/**", "shared/**"],
    packages: { allBut: [...network, ...redis] },
  },
  {
    files: "server/operations/**",
    imports: ["server/hub/**", "shared/**"],
    packages: { allBut: redis },
  },
  // The composition root, its options and the command: the only files that see everything.
  { files: "server/index.ts", imports: everything, packages: { allBut: [] } },
  { files: "server/config*.ts", imports: everything, packages: { allBut: [] } },
  // The one way from the product to the runner that breaks it.
  { files: "server/cli/chaos.ts", imports: [...everything, "chaos/index.ts"], packages: { allBut: [] } },
  { files: "server/cli/**", imports: everything, packages: { allBut: [] } },
  {
    // Talks to hubs as their users do, from outside; only planted bugs reach into one.
    files: "chaos/**",
    imports: [
      "shared/**",
      "client/sdk/**",
      "server/publisher/**",
      "server/hub/**",
      "server/index.ts",
      "server/config.ts",
    ],
    packages: {
      only: [
        "socket.io-client",
        "node:child_process",
        "node:events",
        "node:fs",
        "node:net",
        "node:os",
        "node:path",
        "node:timers/promises",
        "node:url",
      ],
    },
  },
  {
    // Measures servers from outside, roomcast and others; it borrows how chaos starts processes and ends them.
    files: "bench/**",
    imports: ["shared/**", "server/publisher/**", "chaos/processes.ts", "chaos/redis-process.ts"],
    packages: {
      only: [
        "@socket.io/redis-adapter",
        "commander",
        "express",
        "redis",
        "socket.io",
        "socket.io-client",
        "node:child_process",
        "node:events",
        "node:fs",
        "node:http",
        "node:inspector",
        "node:inspector/promises",
        "node:net",
        "node:os",
        "node:path",
        "node:url",
      ],
    },
  },
  // What a drop-in replacement is for: clients of others, against a hub that is a program.
  { files: "test/dialects/**", imports: outsiders, packages: { allBut: [] } },
  ...outsiders.map((files) => ({ files, imports: outsiders, packages: { allBut: [] } })),
];

/** Whether a rule allows a package, given by its name without a path. */
export function packagesAllowed({ packages }: Rule, name: string): boolean {
  // Our own name would lead around every rule.
  if (name === "roomcast") return false;
  return "only" in packages ? packages.only.includes(name) : !packages.allBut.includes(name);
}
