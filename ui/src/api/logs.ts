import { type Key, pathOf } from "./functions";
import { read, request } from "./request";
import type { FoundLines, LogLine } from "./schema";

/** Hand over the JSON lines of an answer as they come, none at first, once it has begun; until they or the signal end. */
export async function readLines<T>(path: string, take: (lines: T[]) => void, signal: AbortSignal): Promise<void> {
  const answer = await request(path, { signal });
  take([]);
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
export async function followLogs(key: Key, tail: number, take: (lines: LogLine[]) => void, signal: AbortSignal, replica = ""): Promise<void> {
  const query = new URLSearchParams({ follow: "true", tail: String(tail) });
  if (replica) query.set("instance", replica);
  await readLines(`${pathOf(key)}/logs?${query}`, take, signal);
}

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
