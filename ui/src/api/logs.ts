import { type Key, pathOf } from "./functions";
import { request } from "./request";
import type { LogLine } from "./schema";

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
  const answer = await request(`${pathOf(key)}/logs?${query}`, { signal });
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (reader) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    if (lines.length > 0) take(lines.map((line) => JSON.parse(line) as LogLine));
  }
}

/** Hand over the newest `tail` lines and those to come, of one replica if it is named. */
export const followLogs = (key: Key, tail: number, take: (lines: LogLine[]) => void, signal: AbortSignal, replica = ""): Promise<void> =>
  readLogs(key, { tail, follow: true, ...(replica ? { replica } : {}) }, take, signal);
