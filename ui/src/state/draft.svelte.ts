// Code that is being edited: files as they were, as they are now, and what to tell the platform of the difference.
import type { ChangedFile, SourceChange, SourceFile } from "../api/schema";

const MOST_TEXT = 256 * 1024;

export interface DraftFile {
  path: string;
  size_bytes: number;
  /** Null for what cannot be edited as text. */
  text: string | null;
  /** The bytes of a file that was brought in and is no text. */
  base64?: string;
}

export class Draft {
  files = $state.raw<DraftFile[]>([]);
  chosen = $state("");
  #before: Map<string, string | null>;
  /** The bundle that the files came from; empty for new code. */
  readonly base: string;

  constructor(files: readonly Pick<SourceFile, "path" | "size_bytes" | "text">[], base = "") {
    this.base = base;
    this.#before = new Map(base ? files.map(({ path, text }) => [path, text ?? null]) : []);
    this.files = files.map(({ path, size_bytes, text }) => ({ path, size_bytes, text: text ?? null }));
    this.chosen = (files.find(({ path }) => /^(handler|index|main|app)\./.test(path)) ?? files.find(({ text }) => text) ?? files[0])?.path ?? "";
  }

  get current(): DraftFile | undefined {
    return this.files.find(({ path }) => path === this.chosen);
  }

  get removed(): string[] {
    return [...this.#before.keys()].filter((path) => !this.files.some((file) => file.path === path));
  }

  get dirty(): boolean {
    return this.removed.length > 0 || this.files.some((file) => this.isChanged(file));
  }

  isChanged(file: DraftFile): boolean {
    return file.base64 !== undefined || !this.#before.has(file.path) || this.#before.get(file.path) !== file.text;
  }

  write(text: string): void {
    if (this.current?.text !== text) this.#put(this.chosen, { text, size_bytes: text.length });
  }

  /** Add an empty file and choose it; false where there is one of this path, or it is no path. */
  add(path: string): boolean {
    if (!path || path.endsWith("/") || this.files.some((file) => file.path === path)) return false;
    this.#put(path, { text: "", size_bytes: 0 });
    this.chosen = path;
    return true;
  }

  remove(path: string): void {
    this.files = this.files.filter((file) => file.path !== path);
    if (this.chosen === path) this.chosen = this.files[0]?.path ?? "";
  }

  /** Bring in a file of this machine. */
  async take(file: File, path = file.name): Promise<void> {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const text = textOf(bytes);
    this.#put(path, text === null ? { text: null, size_bytes: bytes.length, base64: base64Of(bytes) } : { text, size_bytes: bytes.length });
    this.chosen = path;
  }

  change(): SourceChange {
    const files = this.files.filter((file) => this.isChanged(file)).map(({ path, text, base64 }): ChangedFile => {
      if (base64 !== undefined) return { path, base64 };
      // What is new and says who reads it is a program; what was there stays one, or none.
      return { path, text: text ?? "", ...(!this.#before.has(path) && text?.startsWith("#!") ? { executable: true } : {}) };
    });
    return { ...(this.base ? { base: this.base } : {}), files, removed: this.removed };
  }

  #put(path: string, file: Omit<DraftFile, "path">): void {
    const others = this.files.filter((each) => each.path !== path);
    this.files = [...others, { path, ...file }].sort((one, other) => (one.path < other.path ? -1 : 1));
  }
}

export function textOf(bytes: Uint8Array): string | null {
  if (bytes.length > MOST_TEXT) return null;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.includes("\0") ? null : text;
  } catch {
    return null;
  }
}

export function base64Of(bytes: Uint8Array): string {
  const PIECE = 0x8000;
  const parts = Array.from({ length: Math.ceil(bytes.length / PIECE) }, (_, number) => String.fromCharCode(...bytes.subarray(number * PIECE, (number + 1) * PIECE)));
  return btoa(parts.join(""));
}
