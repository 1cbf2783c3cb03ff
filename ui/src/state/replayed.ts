// A recorded call as somebody changes it before it is made once more: what of it a form can show, and what is then sent.
import type { CallPayload, ReplayedRequest } from "../api/schema";
import type { Pair } from "./asked";
import { editable } from "./bytes";

/** Headers that a gateway writes anew, as the platform's own list has them; a key would take the queue instead. */
const ANEW = [
  "connection", "content-length", "expect", "forwarded", "host", "idempotency-key", "keep-alive", "te", "trailer",
  "transfer-encoding", "upgrade", "x-call-id", "x-duration-seconds", "x-real-ip", "x-start-time",
];
const ANEW_PREFIXES = ["proxy-", "x-forwarded-", "x-function-", "x-dayfly-"];
const REDACTED = "[redacted]";

const isAnew = (name: string): boolean => ANEW.includes(name.toLowerCase()) || ANEW_PREFIXES.some((each) => name.toLowerCase().startsWith(each));

/** Those that somebody wrote, and that are known; what was redacted has to be written again. */
export const headersOf = (payload: CallPayload | undefined): Pair[] =>
  (payload?.headers ?? []).filter(([name, value]) => !isAnew(name) && !value.includes(REDACTED)).map(([name, value]) => ({ name, value }));

/** The body for a form; null where it is no text, or too much of one, and is sent as it is kept. */
export const bodyOf = (payload: CallPayload | undefined): string | null => editable(payload?.body ?? "");

/** What is sent: a body that nobody touched goes byte for byte as it is kept. */
export function requestOf(payload: CallPayload | undefined, method: string, target: string, headers: Pair[], body: string | null): ReplayedRequest {
  const kept = payload?.body ?? "";
  const named = headers.map(({ name, value }): [string, string] => [name.trim(), value.trim()]).filter(([name]) => name);
  return { method, target, headers: named, body: body === null || body === bodyOf(payload) ? kept : encoded(body) };
}

function encoded(text: string): string {
  const bytes = new TextEncoder().encode(text);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
