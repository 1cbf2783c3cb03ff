// The machine or cluster, and what runs there.
import { read } from "./request";
import type { Machine } from "./schema";

export const readMachine = (): Promise<Machine> => read("/v1/machine");
