import { type Key, pathOf } from "./functions";
import { read, request } from "./request";
import type { FoundLines, LogLine } from "./schema";

/** Which lines: the newest `tail` of those kept since then (`1h`; all without), and whether those to come as well. */
export interface LogsAsked {
  tail: number;
  since?: string;
  follow: boolean;
  /** Those of this replica only. */
  replica?: string;
}

/** Hand over lines, the oldest first, until they, the signal or the platform ends it. */
export async function readLogs(key: Key, asked: LogsAsked, take: (lines: LogLine[]) => void, signal: AbortSignal): Promise<void> {
  const query = new URLSearchParams({ follow: String(asked.follow), tail: String(asked.tail) });
  if (asked.since) query.set("since", asked.since);
  if (asked.replica) query.set("instance", asked.replica);
  await readLines(`${pathOf(key)}/logs?${query}`, take, signal);
}

/** Hand over the JSON lines of an answer as they come, until they or the signal end. */
export async function readLines<T>(path: string, take: (lines: T[]) => void, signal: AbortSignal): Promise<void> {
  const answer = await request(path, { signal });
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (reader) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    if (lines.length > 0) take(lines.map((line) => JSON.parse(line) as T));
  }
}

/** Hand over the newest `tail` lines and those to come, of one replica if it is named. */
export const followLogs = (key: Key, tail: number, take: (lines: LogLine[]) => void, signal: AbortSignal, replica = ""): Promise<void> =>
  readLogs(key, { tail, follow: true, ...(replica ? { replica } : {}) }, take, signal);

export const MOST_FOUND = 500;

/** Which of the lines kept; what is empty narrows nothing. Times are RFC 3339 or durations as `10m`. */
export interface LinesWanted {
  search: string;
  call: string;
  instance: string;
  since: string;
  until: string;
}

/** The newest first; `before` is what the page before said. */
export function searchLogs(key: Key, wanted: LinesWanted, before: number, signal: AbortSignal): Promise<FoundLines> {
  const query = new URLSearchParams({ function: key.name, limit: String(MOST_FOUND) });
  for (const [name, value] of Object.entries(wanted)) if (value) query.set(name, value);
  if (before) query.set("before", String(before));
  return read(`/v1/namespaces/${encodeURIComponent(key.namespace)}/logs?${query}`, { signal });
}
