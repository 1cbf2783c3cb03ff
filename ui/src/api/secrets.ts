// Secrets: their names and who uses them. What is in one goes in and never comes back.
import { read, request } from "./request";
import type { SecretStatus } from "./schema";

const all = (namespace: string): string => `/v1/namespaces/${encodeURIComponent(namespace)}/secrets`;

export const listSecrets = (namespace: string): Promise<SecretStatus[]> => read(all(namespace));

export const putSecret = (namespace: string, name: string, content: Blob): Promise<SecretStatus> =>
  read(`${all(namespace)}/${encodeURIComponent(name)}`, { method: "PUT", body: content, type: "application/octet-stream" });

export async function removeSecret(namespace: string, name: string): Promise<void> {
  await request(`${all(namespace)}/${encodeURIComponent(name)}`, { method: "DELETE" });
}
