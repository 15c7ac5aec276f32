/** The least version of a package that has no known hole, for all its copies or with another for nested ones. */
export interface Floor {
  readonly floor: string;
  readonly why: string;
  readonly nested?: { readonly floor: string; readonly why: string };
}

/** The parts of a package-lock.json that are looked at; `packages` is keyed by the place in node_modules. */
export interface Lockfile {
  readonly lockfileVersion: number;
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly optional?: boolean;
}

/** Lists copies of a package that are older than its floor, and floors for packages that are not there. */
export function floorViolations(lock: Lockfile, floors: Readonly<Record<string, Floor>>): string[] {
  return Object.entries(floors).flatMap(([name, { floor, nested }]) => {
    const copies = Object.entries(lock.packages).filter(([path]) => path.endsWith(`node_modules/${name}`));
    if (copies.length === 0) return [`${name} has a floor but is not in the lockfile`];
    return copies.flatMap(([path, { version = "none" }]) => {
      const least = path === `node_modules/${name}` ? floor : (nested?.floor ?? floor);
      return isAtLeast(version, least) ? [] : [`${path} is ${version}, below ${least}`];
    });
  });
}

/** Lists entries that could not be verified, or that name the place that one author's machine got them from. */
export function lockViolations(lock: Lockfile, isInstalled: (path: string) => boolean): string[] {
  return Object.entries(lock.packages).flatMap(([path, { integrity, resolved, optional }]) => {
    if (path === "") return [];
    // A build for another platform may lack the hash: the registry that was asked did not have it.
    const needsHash = optional !== true || isInstalled(path);
    return [
      ...(needsHash && !integrity?.startsWith("sha512-") ? [`${path} has no sha512 integrity`] : []),
      ...(resolved === undefined ? [] : [`${path} names its registry`]),
    ];
  });
}

function isAtLeast(version: string, floor: string): boolean {
  // A pre-release comes before its version, so it cannot count as reaching it.
  if (!/^\d+\.\d+\.\d+$/.test(version)) return false;
  return version.localeCompare(floor, "en", { numeric: true }) >= 0;
}
