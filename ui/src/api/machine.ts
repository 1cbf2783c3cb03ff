// The machine or cluster, what runs there, and what the platform's own parts say.
import { readLines } from "./logs";
import { read } from "./request";
import type { Machine, PartLine } from "./schema";

export const readMachine = (): Promise<Machine> => read("/v1/machine");

/** Hand over the newest `tail` lines of a process, container or pod, and those to come. */
export const followPart = (name: string, tail: number, take: (lines: PartLine[]) => void, signal: AbortSignal): Promise<void> =>
  readLines(`/v1/machine/logs/${encodeURIComponent(name)}?tail=${tail}&follow=true`, take, signal);
