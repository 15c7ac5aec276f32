import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { environment, packageRoot } from "./run-node.ts";

const run = promisify(execFile);

/** What a checkout has beside what the package is made of. */
const NOT_COPIED = /^(node_modules|dist|coverage|data|docs|test|\..*)$/;

/** Is the package as its users get it: packed from a copy of the sources, and installed into an empty project. */
export class InstalledPackage {
  /** The project's folder. */
  readonly folder: string;
  readonly tarball: string;
  readonly #base: string;

  private constructor(base: string, tarball: string) {
    this.#base = base;
    this.folder = join(base, "project");
    this.tarball = tarball;
  }

  /** @param packages what the project has beside the package, in the versions of this checkout */
  static async install(...packages: readonly string[]): Promise<InstalledPackage> {
    const base = mkdtempSync(join(tmpdir(), "roomcast-package-"));
    try {
      const installed = new InstalledPackage(base, await pack(base));
      mkdirSync(installed.folder);
      installed.write("package.json", JSON.stringify({ private: true, type: "module" }));
      const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
      const versions = packages.map((name) => `${name}@${versionOf(name)}`);
      await npm(installed.folder, "install", ...flags, installed.tarball, ...versions);
      return installed;
    } catch (error) {
      rmSync(base, { recursive: true });
      throw error;
    }
  }

  write(name: string, content: string): void {
    writeFileSync(join(this.folder, name), content);
  }

  /** The paths of the tarball's files, without the folder that all are in. */
  async files(): Promise<string[]> {
    const { stdout } = await run("tar", ["-tzf", this.tarball]);
    return stdout
      .trimEnd()
      .split("\n")
      .map((path) => path.replace(/^package\//, ""));
  }

  read(path: string): string {
    return readFileSync(join(this.folder, "node_modules/roomcast", path), "utf8");
  }

  /** Compiles the project with this checkout's compiler; gives what that complains about. */
  async compile(): Promise<string> {
    const tsc = join(packageRoot, "node_modules/typescript/bin/tsc");
    return run(process.execPath, [tsc, "--pretty", "false"], { cwd: this.folder }).then(
      () => "",
      (error: unknown) => {
        const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string };
        return stdout + stderr;
      },
    );
  }

  remove(): void {
    rmSync(this.#base, { recursive: true });
  }
}

/** Packs a copy, since packing builds from nothing and others use this checkout's build. */
async function pack(base: string): Promise<string> {
  const copy = join(base, "sources");
  const isCopied = (path: string): boolean => !NOT_COPIED.test(path.slice(packageRoot.length).split("/")[0]!);
  cpSync(packageRoot, copy, { recursive: true, filter: (path) => isCopied(path) });
  symlinkSync(join(packageRoot, "node_modules"), join(copy, "node_modules"));
  const output = await npm(copy, "pack", "--json", "--pack-destination", base);
  // The build may have said something before.
  const [{ filename }] = JSON.parse(output.slice(output.indexOf("[\n"))) as [{ filename: string }];
  return join(base, filename);
}

function versionOf(name: string): string {
  const { dependencies, devDependencies } = JSON.parse(
    readFileSync(join(packageRoot, "package.json"), "utf8"),
  ) as Record<"dependencies" | "devDependencies", Record<string, string>>;
  return (dependencies[name] ?? devDependencies[name])!;
}

async function npm(folder: string, ...args: readonly string[]): Promise<string> {
  // Of an npm that runs the tests: where it works is no business of this one.
  const fromNpm = Object.keys(process.env).filter((name) =>
    /^(npm_(package|lifecycle|command|config_local_prefix)|INIT_CWD$)/.test(name),
  );
  const env = environment(Object.fromEntries(fromNpm.map((name) => [name, undefined])));
  const { stdout } = await run("npm", args, { cwd: folder, env, maxBuffer: 2 ** 26 });
  return stdout;
}
