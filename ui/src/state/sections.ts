// The views beside functions, in the order of the navigation. Each is a script of its own, fetched when it is opened;
// its component is given `path`, what follows its name in the address.
import type { Component } from "svelte";

import { session } from "../api/session.svelte";
import type { SectionName } from "./place.svelte";

export interface Section {
  name: SectionName;
  title: string;
  load: () => Promise<{ default: Component<{ path: string[] }> }>;
  /** Whether the credential is good for it. */
  open: () => boolean;
}

export const looks = (): boolean => session.mayLook;
export const rules = (): boolean => session.info?.caller?.role === "admin";

export const sections: Section[] = [
  { name: "calls", title: "Calls", load: () => import("../view/Calls.svelte"), open: looks },
  { name: "events", title: "Events", load: () => import("../view/Events.svelte"), open: looks },
  { name: "flows", title: "Flows", load: () => import("../view/Flows.svelte"), open: looks },
  { name: "machine", title: "Machine", load: () => import("../view/Machine.svelte"), open: () => session.isOfAll },
  { name: "settings", title: "Settings", load: () => import("../view/Settings.svelte"), open: looks },
];
