// What a view does with the platform, and what it asks it for: whether something is under way, and what went wrong last.
// Views that list, make, change and remove things are put together from these two.
import { untrack } from "svelte";

import { Refusal, told } from "../api/request";
import { whileVisible } from "./polling";

/** What somebody does in a view or a form. */
export class Work {
  busy = $state(false);
  #refused = $state("");
  #field = $state("");
  readonly #fields: () => readonly string[];

  /** `fields` are those of a form at which a refusal can stand, as the platform calls them. */
  constructor(fields: () => readonly string[] = () => []) {
    this.#fields = fields;
  }

  /** What went wrong, for people; empty when nothing did, and for what is told at a field. */
  get trouble(): string {
    return this.#fields().includes(this.#field) ? "" : this.#refused;
  }

  /** What the platform has against a field. */
  at(field: string): string {
    return this.#field === field ? this.#refused.replace(`${field}: `, "") : "";
  }

  /** Say what went wrong, or that nothing did. */
  tell(trouble: string): void {
    this.#refused = trouble;
    this.#field = "";
  }

  /** Do it, and return whether it was done. */
  async act(task: () => Promise<unknown>): Promise<boolean> {
    this.busy = true;
    this.tell("");
    try {
      await task();
      return true;
    } catch (error) {
      this.#refused = told(error);
      this.#field = error instanceof Refusal ? error.field : "";
      return false;
    } finally {
      this.busy = false;
    }
  }
}

interface Ways<T> {
  /** Names what the question is about: another one of these begins it anew. */
  of?: () => unknown;
  /** How often it is asked again while somebody looks; once without. */
  every_ms?: number;
  /** Whether an answer is the last one, after which only `again` asks. */
  is_last?: (now: T) => boolean;
}

/** Something that the platform is asked for, and asked again after each change. Made while a component is. */
export class Fresh<T> extends Work {
  /** The last answer; null as long as there is none to this question. */
  now = $state.raw<T | null>(null);
  #unanswered = $state("");
  #question = 0;
  readonly #load: () => Promise<T>;

  constructor(load: () => Promise<T>, { of, every_ms, is_last }: Ways<T> = {}) {
    super();
    this.#load = load;
    $effect(() => {
      of?.();
      this.#question += 1;
      this.now = null;
      if (every_ms) return whileVisible(async () => this.now !== null && is_last?.(this.now) ? undefined : this.#ask(), every_ms);
      untrack(() => void this.again());
      return undefined;
    });
  }

  override get trouble(): string {
    return super.trouble || this.#unanswered;
  }

  /** Ask once more; what goes wrong is in `trouble`. */
  async again(): Promise<void> {
    await this.#ask().catch(() => undefined);
  }

  /** Do it and see what became of it; return whether it was done. */
  override async act(task: () => Promise<unknown>): Promise<boolean> {
    return super.act(async () => {
      await task();
      await this.again();
    });
  }

  /** An answer to a question that is asked no more is nobody's. */
  async #ask(): Promise<void> {
    const question = this.#question;
    try {
      const found = await this.#load();
      if (question !== this.#question) return;
      this.now = found;
      this.#unanswered = "";
    } catch (error) {
      if (question === this.#question) this.#unanswered = told(error);
      throw error;
    }
  }
}
