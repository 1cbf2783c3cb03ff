// When a schedule would be due: asked while it is still being written.
import { read } from "./request";
import type { Due } from "./schema";

export const dueNext = (schedule: string, timezone: string, signal: AbortSignal): Promise<Due> =>
  read(`/v1/schedule?${new URLSearchParams({ schedule, timezone })}`, { signal });
