// Figures of reports as people read them.
import type { Sums } from "../api/schema";
import { duration } from "./words";

/** By how much something differs from the time before. */
export function changeOf(now: number | null = 0, before: number | null = 0): string {
  if (!before) return now ? "new" : "–";
  const part = Math.round((100 * ((now ?? 0) - before)) / before);
  return `${part > 0 ? "+" : part < 0 ? "−" : "±"}${Math.abs(part)} %`;
}

/** A time within which calls were answered; null is beyond the longest that is told apart. */
export function latency({ calls = 0 }: Sums, seconds: number | null = 0): string {
  if (!calls) return "–";
  return seconds === null ? "longer" : duration(seconds);
}
