// Triggers: what calls functions, or begins flows, when something happens.
import { read, request, send } from "./request";
import type { Tried, TriggerRequest, TriggerStatus } from "./schema";

export type Source = TriggerRequest["source"];

const all = (namespace: string): string => `/v1/namespaces/${encodeURIComponent(namespace)}/triggers`;
const one = (namespace: string, name: string): string => `${all(namespace)}/${encodeURIComponent(name)}`;

export const listTriggers = (namespace: string): Promise<TriggerStatus[]> => read(all(namespace));

export const putTrigger = (namespace: string, name: string, wanted: TriggerRequest, isNew: boolean): Promise<TriggerStatus> =>
  send("PUT", `${one(namespace, name)}?mode=${isNew ? "create" : "upsert"}`, wanted);

export const pauseTrigger = (namespace: string, name: string, paused: boolean): Promise<TriggerStatus> =>
  read(`${one(namespace, name)}/${paused ? "pause" : "resume"}`, { method: "POST" });

/** Give it an event by hand, as JSON or as a text. */
export function tryTrigger(namespace: string, name: string, data: string): Promise<Tried> {
  const event = { specversion: "1.0", id: crypto.randomUUID(), source: "/console", type: "com.dayfly.test", data: valueOf(data) };
  const options = { method: "POST", body: JSON.stringify(event), type: "application/cloudevents+json" };
  return read(`${one(namespace, name)}/test`, options);
}

export async function removeTrigger(namespace: string, name: string): Promise<void> {
  await request(one(namespace, name), { method: "DELETE" });
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
