// A log that is followed anew begins with lines that are here already. Times do not say which: replicas stamp their
// lines each by itself, and the pieces of a long line have one time.
import type { LogLine } from "../api/schema";

/**
 * Leaves out of what a follower is handed the lines that were `seen`, each as often as it was, among the first `tail`;
 * those after them were printed since.
 */
export function repeatsOf(seen: LogLine[], tail: number): (lines: LogLine[]) => LogLine[] {
  const known = new Map<string, number>();
  for (const line of seen) known.set(nameOf(line), (known.get(nameOf(line)) ?? 0) + 1);
  let left = seen.length > 0 ? tail : 0;
  return (lines) =>
    lines.filter((line) => {
      if (left <= 0) return true;
      left -= 1;
      const times = known.get(nameOf(line)) ?? 0;
      known.set(nameOf(line), times - 1);
      return times <= 0;
    });
}

const nameOf = (line: LogLine): string => JSON.stringify([line.unix_ns, line.replica, line.stream, line.call_id, line.text]);
