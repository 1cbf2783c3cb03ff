import { read } from "./request";
import type { PlatformInfo } from "./schema";

export const describePlatform = (authorization?: string): Promise<PlatformInfo> =>
  read("/v1/info", authorization === undefined ? {} : { authorization });

export const listNamespaces = (): Promise<string[]> => read("/v1/namespaces");
