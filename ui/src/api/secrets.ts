// Secrets: their names and who uses them. What is in one goes in and never comes back.
import { read, request } from "./request";
import type { SecretStatus } from "./schema";

const all = (namespace: string): string => `/v1/namespaces/${encodeURIComponent(namespace)}/secrets`;

export const listSecrets = (namespace: string): Promise<SecretStatus[]> => read(all(namespace));

/** Write it; one that is there is written anew unless it is to be new. */
export const putSecret = (namespace: string, name: string, content: Blob, isNew = false): Promise<SecretStatus> =>
  read(`${all(namespace)}/${encodeURIComponent(name)}?mode=${isNew ? "create" : "upsert"}`, { method: "PUT", body: content, type: "application/octet-stream" });

export async function removeSecret(namespace: string, name: string): Promise<void> {
  await request(`${all(namespace)}/${encodeURIComponent(name)}`, { method: "DELETE" });
}
