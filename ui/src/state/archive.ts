// Archives of somebody's code, opened in the browser: zip, and tar as it is or gzipped. What they hold is sent as files.
const BLOCK = 512;
const ENCRYPTED = 1;
const NEITHER = "This is neither a zip nor a tar archive, or it is damaged";
const MOST_BYTES = 64 * 1024 * 1024;

export interface Unpacked {
  path: string;
  bytes: Uint8Array<ArrayBuffer>;
  executable: boolean;
}

/** Return the archive's files. Throws an error that says what is wrong with it. */
export async function unpack(file: File): Promise<Unpacked[]> {
  let bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return withoutFolder(await unzipped(bytes));
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = await inflated(bytes, "gzip");
  return withoutFolder(untarred(bytes));
}

async function inflated(bytes: Uint8Array<ArrayBuffer>, format: "gzip" | "deflate-raw"): Promise<Uint8Array<ArrayBuffer>> {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format)).getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let size = 0; ; ) {
    const { value, done } = await reader.read().catch(() => {
      throw new Error("The archive is damaged: what is packed in it cannot be unpacked");
    });
    if (done) break;
    size += value.length;
    if (size > MOST_BYTES) throw new Error("The archive unpacks to more than 64 MiB; the command line deploys larger ones");
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function unzipped(bytes: Uint8Array<ArrayBuffer>): Promise<Unpacked[]> {
  const view = new DataView(bytes.buffer);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < 0) throw new Error("The zip archive is damaged: it has no end");
  const files: Unpacked[] = [];
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== 0x02014b50) throw new Error("The zip archive is damaged: its list of files is");
    const [method, packed, nameLength] = [view.getUint16(at + 10, true), view.getUint32(at + 20, true), view.getUint16(at + 28, true)];
    const path = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const local = view.getUint32(at + 42, true);
    const begins = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const body = bytes.slice(begins, begins + packed);
    if (view.getUint16(at + 8, true) & ENCRYPTED) throw new Error(`The zip archive asks for a password: ${path} is encrypted`);
    if (method !== 0 && method !== 8) throw new Error(`The zip archive packs ${path} in a way that is not known here`);
    const mode = view.getUint8(at + 5) === 3 ? view.getUint16(at + 40, true) : 0;
    if (!path.endsWith("/")) files.push({ path, bytes: method === 8 ? await inflated(body, "deflate-raw") : body, executable: (mode & 0o100) !== 0 });
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return files;
}

function untarred(bytes: Uint8Array<ArrayBuffer>): Unpacked[] {
  if (bytes.length < BLOCK) throw new Error(NEITHER);
  const words = new TextDecoder();
  const field = (at: number, length: number): string => (words.decode(bytes.subarray(at, at + length)).split("\0")[0] ?? "").trim();
  const files: Unpacked[] = [];
  let long = "";
  for (let at = 0; at + BLOCK <= bytes.length; ) {
    const name = field(at, 100);
    if (!name && !long) break;
    const size = parseInt(field(at + 124, 12) || "0", 8);
    if (!Number.isFinite(size) || field(at + 257, 5) !== "ustar") throw new Error(NEITHER);
    const kind = String.fromCharCode(bytes[at + 156] ?? 0);
    const body = bytes.slice(at + BLOCK, at + BLOCK + size);
    if (body.length < size) throw new Error("The tar archive is damaged: it ends in the middle of a file");
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    if (kind === "L") long = words.decode(body).replace(/\0+$/, "");
    else if (kind === "x") long = /\d+ path=(.*)\n/.exec(words.decode(body))?.[1] ?? "";
    else {
      const prefix = field(at - BLOCK - Math.ceil(size / BLOCK) * BLOCK + 345, 155);
      const path = (long || (prefix ? `${prefix}/${name}` : name)).replace(/^(\.\/)+/, "");
      long = "";
      const mode = parseInt(field(at - BLOCK - Math.ceil(size / BLOCK) * BLOCK + 100, 8) || "0", 8);
      if ((kind === "0" || kind === "\0") && !path.endsWith("/")) files.push({ path, bytes: body, executable: (mode & 0o100) !== 0 });
    }
  }
  return files;
}

/** An archive of a folder holds the folder; what a function is made of is in it. */
function withoutFolder(files: Unpacked[]): Unpacked[] {
  const kept = files.filter(({ path }) => !/(^|\/)(__pycache__|node_modules|\.git|__MACOSX)\//.test(path));
  if (kept.length === 0) throw new Error("The archive holds no file");
  const folder = kept[0]?.path.split("/")[0] ?? "";
  return kept.every(({ path }) => path.startsWith(`${folder}/`)) ? kept.map((file) => ({ ...file, path: file.path.slice(folder.length + 1) })) : kept;
}
