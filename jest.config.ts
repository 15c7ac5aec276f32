/** @jest-config-loader esbuild-register */
import type { Config } from "jest";

const base = {
  testEnvironment: "node",
  extensionsToTreatAsEsm: [".ts"],
  // Strips types and nothing else; `npm test` checks them first.
  transform: {
    "\\.ts$": [
      "@swc/jest",
      { jsc: { target: "es2022", parser: { syntax: "typescript" } }, module: { type: "es6" } },
    ],
  },
} satisfies Config;

const config: Config = {
  projects: [
    {
      ...base,
      displayName: "unit",
      testMatch: ["<rootDir>/{shared,server,client,chaos,bench}/**/*.test.ts", "<rootDir>/test/*.test.ts"],
    },
    { ...base, displayName: "conformance", testMatch: ["<rootDir>/test/conformance/*.test.ts"] },
    { ...base, displayName: "dialects", testMatch: ["<rootDir>/test/dialects/*.test.ts"] },
    { ...base, displayName: "e2e", testMatch: ["<rootDir>/test/e2e/*.test.ts"] },
  ],
  reporters: ["default", "<rootDir>/test/support/closing-line-reporter.mjs"],
  testTimeout: 30_000,
  maxWorkers: 2,
};

export default config;
