import { type Key, pathOf } from "./functions";
import { read, send } from "./request";
import type { BundleReceipt, Source, SourceChange, Starter } from "./schema";

export const readSource = (key: Key, revision = 0): Promise<Source> => read(`${pathOf(key)}/source?revision=${revision}`);

export const listStarters = (): Promise<Starter[]> => read("/v1/templates");

/** Have a bundle made of a change, and return its digest. */
export async function makeBundle(namespace: string, change: SourceChange): Promise<string> {
  const path = `/v1/namespaces/${encodeURIComponent(namespace)}/sources`;
  return (await send<BundleReceipt>("POST", path, change)).digest;
}
