// What somebody wants to send to a function, as the form has it, and what it becomes on the way.
import type { DirectCall } from "../api/schema";

/** The usual ones; a function may be asked by any other. */
export const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] as const;
export const KINDS = ["text", "json", "form", "file"] as const;
export type Kind = (typeof KINDS)[number];

export interface Pair {
  name: string;
  value: string;
}

export interface Asked {
  method: string;
  path: string;
  query: Pair[];
  headers: Pair[];
  kind: Kind;
  text: string;
  form: Pair[];
  file: File | null;
}

const TYPES: Record<Kind, string> = {
  text: "text/plain",
  json: "application/json",
  form: "application/x-www-form-urlencoded",
  file: "application/octet-stream",
};

export function nothingYet(): Asked {
  return { method: "POST", path: "/", query: [], headers: [], kind: "text", text: "", form: [], file: null };
}

export function hasBody(asked: Asked): boolean {
  return asked.method !== "GET" && asked.method !== "HEAD";
}

export function bodyOf(asked: Asked): Blob {
  if (!hasBody(asked)) return new Blob([]);
  if (asked.kind === "file") return asked.file ?? new Blob([]);
  return new Blob([asked.kind === "form" ? encoded(asked.form) : asked.text]);
}

/** The call without its body. What the path lacks in escapes is added; what it has is left as it is. */
export function callOf(asked: Asked): DirectCall {
  const headers = named(asked.headers).map(({ name, value }): [string, string] => [name, value.trim()]);
  const typed = headers.some(([name]) => name.toLowerCase() === "content-type");
  if (hasBody(asked) && !typed) headers.push(["Content-Type", typeOf(asked)]);
  return { method: asked.method, target: targetOf(asked), headers };
}

export function targetOf(asked: Asked): string {
  const path = asked.path.startsWith("/") ? asked.path : `/${asked.path}`;
  const query = encoded(asked.query);
  const whole = query ? `${path}${path.includes("?") ? "&" : "?"}${query}` : path;
  return whole.replace(/[^!-~]+|[#"<>]/gu, encodeURIComponent);
}

function typeOf(asked: Asked): string {
  return (asked.kind === "file" && asked.file?.type) || TYPES[asked.kind];
}

export function encoded(pairs: Pair[]): string {
  return new URLSearchParams(named(pairs).map(({ name, value }): [string, string] => [name, value])).toString();
}

function named(pairs: Pair[]): Pair[] {
  return pairs.map(({ name, value }) => ({ name: name.trim(), value })).filter(({ name }) => name);
}
