/** Checks the shape of the source tree by its text. Every check is pure and returns one line per violation. */
import { readdirSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join, posix, sep } from "node:path";
import { packagesAllowed, rules, type Rule } from "./import-rules.ts";

/** A file by its path from the root of the repository, with forward slashes. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

export const longestFile = 300;

const notSources = new Set(["node_modules", "dist", "coverage", "data", ".git"]);
const modules = /\.(ts|tsx|mjs)$/;
const counted = /\.(ts|tsx|mjs|lua|css)$/;

/** Reads every file that a check looks at. */
export function readSources(root: string): SourceFile[] {
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => !notSources.has(entry.name))
    .flatMap((entry) =>
      entry.isDirectory()
        ? readdirSync(join(root, entry.name), { recursive: true, encoding: "utf8" }).map((name) =>
            join(entry.name, name),
          )
        : [entry.name],
    )
    .filter((path) => counted.test(path))
    .map((path) => ({
      path: path.split(sep).join("/"),
      text: readFileSync(join(root, path), "utf8"),
    }));
}

/** Lists what a module imports or re-exports, types and dynamic imports too; `?` stands for a computed one. */
export function importsOf(text: string): string[] {
  const code = text.replaceAll(
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (_comment, literal?: string) => literal ?? " ",
  );
  const statements = code.matchAll(/^\s*(?:import|export)\b(?:[^;'"`]*?\bfrom)?\s*(["'])([^"'\n]+)\1/gm);
  const calls = code.matchAll(
    /(?<![\w.$])(?:import|require)\s*\(\s*(?:(["'`])([^"'`$\n]+)\1\s*[,)]|[^)\s])/g,
  );
  return [...statements, ...calls].map((match) => match[2] ?? "?");
}

/**
 * Finds imports that the rules of `import-rules.ts` forbid, and files that no rule covers. Tests are exempt, but for
 * those that a rule names.
 */
export function importViolations(files: readonly SourceFile[]): string[] {
  const governed = files.filter(
    ({ path }) =>
      modules.test(path) &&
      (path.startsWith("test/")
        ? rules.some(({ files: glob }) => matches(glob, path))
        : /^(shared|client|server|chaos|bench)\//.test(path) && !path.endsWith(".test.ts")),
  );
  return governed.flatMap((file) => {
    const rule = rules.find(({ files: glob }) => matches(glob, file.path));
    if (rule === undefined) return [`${file.path} is covered by no import rule`];
    return importsOf(file.text)
      .filter((specifier) => !isAllowed(rule, file.path, specifier))
      .map((specifier) => `${file.path} may not import ${specifier === "?" ? "a computed path" : specifier}`);
  });
}

/** Finds import circles over all files, and tells each by its path. Imports of types count. */
export function importCircles(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.filter(({ path }) => modules.test(path)).map((file) => [file.path, file]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const file = byPath.get(path);
    if (file === undefined || done.has(path)) return;
    if (trail.includes(path)) {
      circles.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
      return;
    }
    for (const specifier of importsOf(file.text)) {
      if (isRelative(specifier)) visit(resolve(path, specifier), [...trail, path]);
    }
    done.add(path);
  };
  for (const path of byPath.keys()) visit(path, []);
  return circles;
}

/** Finds files that no longer fit a few screens. */
export function lengthViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
    return counted.test(path) && lines > longestFile
      ? [`${path} has ${lines} lines, over ${longestFile}`]
      : [];
  });
}

function isAllowed(rule: Rule, path: string, specifier: string): boolean {
  if (specifier === "?") return rule.imports.includes("**");
  if (!isRelative(specifier)) return packagesAllowed(rule, packageOf(specifier));
  const target = resolve(path, specifier);
  // As many leading folders as the rule names: `server/transports/*/**` owns server/transports/sse/.
  const depth = rule.files.split("/").length - 1;
  const own = path.split("/").slice(0, depth).join("/");
  const ownsFolder = rule.files.endsWith("/**");
  return (ownsFolder && target.startsWith(`${own}/`)) || rule.imports.some((glob) => matches(glob, target));
}

function isRelative(specifier: string): boolean {
  return /^\.{1,2}(\/|$)/.test(specifier);
}

function resolve(path: string, specifier: string): string {
  return posix.join(posix.dirname(path), specifier);
}

function packageOf(specifier: string): string {
  if (isBuiltin(specifier)) return specifier.startsWith("node:") ? specifier : `node:${specifier}`;
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** `*` is any part of one name, `**` any path. */
function matches(glob: string, path: string): boolean {
  const pattern = glob.replaceAll(/[.+^$()|[\]]|\*\*|\*/g, (found) =>
    found === "**" ? ".*" : found === "*" ? "[^/]*" : `\\${found}`,
  );
  return new RegExp(`^${pattern}$`).test(path);
}
