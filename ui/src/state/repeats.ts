// A log that is followed anew begins with lines that are here already. Times do not say which: replicas stamp their
// lines each by itself, and the pieces of a long line have one time.

/** What tells lines apart. */
export interface Told {
  unix_ns: number;
  text: string;
  stream?: string;
  replica?: string;
  call_id?: string;
}

/**
 * Leaves out of what a follower is handed, among the first `tail`, the lines that were `seen`, each as often as it was,
 * and what comes before them, which is older; those after them were printed since.
 */
export function repeatsOf<T extends Told>(seen: T[], tail: number): (lines: T[]) => T[] {
  const known = new Map<string, number>();
  for (const line of seen) known.set(nameOf(line), (known.get(nameOf(line)) ?? 0) + 1);
  const newest_ns = seen.reduce((newest, { unix_ns }) => Math.max(newest, unix_ns), 0);
  let left = seen.length > 0 ? tail : 0;
  /** Whether it is at those that were seen, or past them. */
  let met = false;
  /** What came before that; it is news after all if none of those seen is kept any more. */
  let before: T[] = [];
  return (lines) => {
    const fresh: T[] = [];
    for (const line of lines) {
      const times = left > 0 ? (known.get(nameOf(line)) ?? 0) : 0;
      left -= 1;
      known.set(nameOf(line), times - 1);
      if (times > 0) before = [];
      met ||= times > 0 || left < 0 || line.unix_ns > newest_ns;
      if (times > 0) continue;
      if (met) fresh.push(...before.splice(0), line);
      else before.push(line);
    }
    return fresh;
  };
}

const nameOf = (line: Told): string => JSON.stringify([line.unix_ns, line.replica, line.stream, line.call_id, line.text]);
