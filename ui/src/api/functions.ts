import { read, request, send } from "./request";
import type { DeployRequest, FunctionStatus, ScaleRequest } from "./schema";

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

export const deployFunction = (key: Key, wanted: DeployRequest): Promise<FunctionStatus> =>
  send("PUT", pathOf(key), wanted);

export const scaleFunction = (key: Key, wanted: ScaleRequest): Promise<FunctionStatus> =>
  send("POST", `${pathOf(key)}/scale`, wanted);

export async function removeFunction(key: Key): Promise<void> {
  await request(pathOf(key), { method: "DELETE" });
}

export async function readBuildLog(key: Key): Promise<string> {
  return (await request(`${pathOf(key)}/build-log`)).text();
}
