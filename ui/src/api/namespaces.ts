// Namespaces, the tenants of an installation: their quotas, and what is used of them.
import { read, request, send } from "./request";
import type { NamespaceChange, NamespaceStatus } from "./schema";

const one = (name: string): string => `/v1/namespaces/${encodeURIComponent(name)}`;

export const describeNamespace = (name: string): Promise<NamespaceStatus> => read(one(name));

export const makeNamespace = (name: string, wanted: NamespaceChange): Promise<NamespaceStatus> => send("POST", one(name), wanted);

/** What is left out becomes as a new namespace has it. */
export const changeNamespace = (name: string, wanted: NamespaceChange): Promise<NamespaceStatus> => send("PUT", one(name), wanted);

export async function removeNamespace(name: string, force: boolean): Promise<void> {
  await request(`${one(name)}${force ? "?force=true" : ""}`, { method: "DELETE" });
}
