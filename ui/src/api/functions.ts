import { read, request, send } from "./request";
import type { Canary, DeployRequest, FunctionStatus, RevisionStatus, RollbackRequest, ScaleRequest } from "./schema";

export const DEFAULT_NAMESPACE = "openfaas-fn";

/** A function's identity. */
export interface Key {
  namespace: string;
  name: string;
}

export function keyOf(status: FunctionStatus): Key {
  return { namespace: status.spec.namespace ?? DEFAULT_NAMESPACE, name: status.spec.name };
}

/** `NAME.NAMESPACE`, which is unique. */
export const nameOf = (key: Key): string => `${key.name}.${key.namespace}`;

export function pathOf(key: Key): string {
  return `/v1/namespaces/${encodeURIComponent(key.namespace)}/functions/${encodeURIComponent(key.name)}`;
}

export const listFunctions = (namespace: string): Promise<FunctionStatus[]> =>
  read(`/v1/namespaces/${encodeURIComponent(namespace)}/functions`);

export const describeFunction = (key: Key): Promise<FunctionStatus> => read(pathOf(key));

/** Deploy a revision; with a canary it has to prove itself with a part of the calls first. */
export function deployFunction(key: Key, wanted: DeployRequest, canary: Canary | null = null): Promise<FunctionStatus> {
  const { weight, ...rest } = canary ?? { weight: 0 };
  const named = Object.entries(rest).map(([name, value]): [string, string] => [`canary_${name}`, String(value)]);
  const asked = canary ? `?${new URLSearchParams([["canary", String(weight)], ...named])}` : "";
  return send("PUT", pathOf(key) + asked, wanted);
}

export const listRevisions = (key: Key): Promise<RevisionStatus[]> => read(`${pathOf(key)}/revisions`);

export const rollBack = (key: Key, wanted: RollbackRequest): Promise<FunctionStatus> =>
  send("POST", `${pathOf(key)}/rollback`, wanted);

export const promote = (key: Key): Promise<FunctionStatus> => send("POST", `${pathOf(key)}/promote`, {});

export const scaleFunction = (key: Key, wanted: ScaleRequest): Promise<FunctionStatus> =>
  send("POST", `${pathOf(key)}/scale`, wanted);

export async function removeFunction(key: Key): Promise<void> {
  await request(pathOf(key), { method: "DELETE" });
}

export async function readBuildLog(key: Key): Promise<string> {
  return (await request(`${pathOf(key)}/build-log`)).text();
}
