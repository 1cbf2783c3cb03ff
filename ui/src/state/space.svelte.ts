// The namespace that calls, events, flows and settings are looked at in: one at a time, as the API has them.
import { listNamespaces } from "../api/platform";
import { session } from "../api/session.svelte";

const KEY = "dayfly.space";

class Space {
  names = $state.raw<string[]>([]);
  #chosen = $state(sessionStorage.getItem(KEY) ?? "");

  get name(): string {
    const { info } = session;
    return this.#chosen || info?.caller?.namespace || info?.default_namespace || "";
  }

  choose(name: string): void {
    sessionStorage.setItem(KEY, name);
    this.#chosen = name;
  }

  async load(): Promise<void> {
    this.names = await listNamespaces();
    if (!this.names.includes(this.name)) this.choose(this.names[0] ?? "");
  }

  forget(): void {
    sessionStorage.removeItem(KEY);
    this.#chosen = "";
    this.names = [];
  }
}

export const space = new Space();
