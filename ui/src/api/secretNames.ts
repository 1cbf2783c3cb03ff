import { read } from "./request";
import type { SecretStatus } from "./schema";

/** The names of a namespace's secrets. */
export const listSecrets = async (namespace: string): Promise<string[]> =>
  (await read<SecretStatus[]>(`/v1/namespaces/${encodeURIComponent(namespace)}/secrets`)).map(({ name }) => name);
