import { type Key, pathOf } from "./functions";
import { request } from "./request";
import type { LogLine } from "./schema";

/** Hand over lines as they come, the newest `tail` of those kept first, until the signal or the platform ends it; of one replica, if it is named. */
export async function followLogs(
  key: Key,
  tail: number,
  take: (lines: LogLine[]) => void,
  signal: AbortSignal,
  replica = "",
): Promise<void> {
  const only = replica ? `&instance=${encodeURIComponent(replica)}` : "";
  const answer = await request(`${pathOf(key)}/logs?follow=true&tail=${tail}${only}`, { signal });
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
