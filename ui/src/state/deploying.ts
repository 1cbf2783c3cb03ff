// What the ways to deploy hand over: where to, and what, or how it is made ready.
import type { Key } from "../api/functions";
import type { DeployRequest } from "../api/schema";

export type Deploy = (key: Key, request: DeployRequest | (() => Promise<DeployRequest>)) => void;
