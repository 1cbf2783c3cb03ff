// A form beside the JSON that it stands for: what is said in one is there in the other.
export const WAYS = [{ value: "form", label: "Form" }, { value: "json", label: "JSON (advanced)" }] as const;
export type WayOfForm = (typeof WAYS)[number]["value"];

export class JsonForm<T extends object> {
  way = $state<WayOfForm>("form");
  text = $state("");
  readonly #written: () => T;
  readonly #read: (spec: T) => void;

  /** `written` says what the form means; `read` has the form say that, and throws an error when it cannot. */
  constructor(written: () => T, read: (spec: T) => void) {
    this.#written = written;
    this.#read = read;
  }

  /** What is wanted, however it is said. Throws an error for what is no JSON. */
  get wanted(): T {
    return this.way === "form" ? this.#written() : this.#parsed();
  }

  /** Go over to the other; what the form cannot say stays JSON, and the error says why. */
  go(way: WayOfForm): void {
    if (way === this.way) return;
    if (way === "json") this.text = JSON.stringify(this.#written(), null, 2);
    else this.#read(this.#parsed());
    this.way = way;
  }

  #parsed(): T {
    try {
      const found: unknown = JSON.parse(this.text);
      if (found && typeof found === "object" && !Array.isArray(found)) return found as T;
    } catch (error) {
      throw new Error(`This is not JSON: ${error instanceof Error ? error.message : String(error)}`);
    }
    throw new Error("This is JSON, but not an object in braces");
  }
}
