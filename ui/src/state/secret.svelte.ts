// A secret that a form names: one that is there, or one that is written together with what needs it.
import { putSecret, removeSecret } from "../api/secrets";
import { base64Of } from "./draft.svelte";

const KEY_BYTES = 32;

export class NamedSecret {
  name = $state("");
  /** Whether it is written together with the form, under this name and with this in it. */
  isNew = $state(false);
  content = $state("");

  constructor(name = "") {
    this.name = name;
  }

  /** Put a key by chance into it, which nobody can guess. */
  generate(): void {
    this.content = base64Of(crypto.getRandomValues(new Uint8Array(KEY_BYTES))).replace(/[+/=]/g, "");
  }

  /** Do what needs it. A new one is there before, and goes again when that is refused. */
  async with<T>(namespace: string, task: () => Promise<T>): Promise<T> {
    if (!this.isNew || !this.name) return task();
    await putSecret(namespace, this.name, new Blob([this.content]), true);
    try {
      return await task();
    } catch (error) {
      await removeSecret(namespace, this.name);
      throw error;
    }
  }
}
