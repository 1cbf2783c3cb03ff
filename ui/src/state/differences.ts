// What differs between two deployments: settings by their paths, and files.
import type { FunctionSpec, Source } from "../api/schema";

export interface Difference {
  path: string;
  before: string;
  after: string;
}

const UNTOLD = new Set(["bundle", "name", "namespace"]);

export function settingsBetween(before: FunctionSpec, after: FunctionSpec): Difference[] {
  const [old, now] = [flat(before), flat(after)];
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((path) => old.get(path) !== now.get(path))
    .sort()
    .map((path) => ({ path, before: old.get(path) ?? "", after: now.get(path) ?? "" }));
}

export interface FileDifference {
  path: string;
  /** Null where there is none, or none that is text. */
  before: string | null;
  after: string | null;
  kind: "added" | "removed" | "changed";
}

export function filesBetween(before: Source, after: Source): FileDifference[] {
  const old = new Map(before.files.map((file) => [file.path, file]));
  const now = new Map(after.files.map((file) => [file.path, file]));
  return [...new Set([...old.keys(), ...now.keys()])].sort().flatMap((path): FileDifference[] => {
    const [was, is] = [old.get(path), now.get(path)];
    if (was && is && was.text === is.text && was.size_bytes === is.size_bytes) return [];
    return [{ path, before: was?.text ?? null, after: is?.text ?? null, kind: !was ? "added" : !is ? "removed" : "changed" }];
  });
}

function flat(spec: FunctionSpec): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of Object.entries(spec)) {
    if (UNTOLD.has(name) || value === null) continue;
    if (Array.isArray(value)) found.set(name, value.join(", "));
    else if (typeof value === "object") for (const [key, each] of Object.entries(value)) found.set(`${name}.${key}`, String(each));
    else found.set(name, String(value));
  }
  return found;
}
