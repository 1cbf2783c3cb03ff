import { type Key, pathOf } from "./functions";
import { request } from "./request";
import type { LogLine } from "./schema";

/** Hand over lines as they come, the newest `tail` of those kept first, until the signal or the platform ends it. */
export async function followLogs(
  key: Key,
  tail: number,
  take: (lines: LogLine[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const answer = await request(`${pathOf(key)}/logs?follow=true&tail=${tail}`, { signal });
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
