// Calls that wait for their turn, and those that failed for good.
import { read, send } from "./request";
import type { CallStatus, DeadLetters, Moved } from "./schema";

const of = (namespace: string): string => `/v1/namespaces/${encodeURIComponent(namespace)}`;
const LIMIT = 1000;

export const listQueued = (namespace: string): Promise<CallStatus[]> => read(`${of(namespace)}/calls?limit=${LIMIT}`);

export const listDead = (namespace: string): Promise<CallStatus[]> => read(`${of(namespace)}/dead-letters?limit=${LIMIT}`);

/** With its last answer. */
export const readCall = (id: string): Promise<CallStatus> => read(`/v1/calls/${encodeURIComponent(id)}`);

export const cancelCall = (id: string): Promise<CallStatus> =>
  read(`/v1/calls/${encodeURIComponent(id)}`, { method: "DELETE" });

export const redrive = (namespace: string, which: DeadLetters): Promise<Moved> =>
  send("POST", `${of(namespace)}/dead-letters/redrive`, which);

export const purge = (namespace: string, which: DeadLetters): Promise<Moved> =>
  send("POST", `${of(namespace)}/dead-letters/purge`, which);
