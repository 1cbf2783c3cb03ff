// The same call as a command line. It goes to the function's own address, and holds nothing of this page's credential.
import { type Asked, bodyOf, callOf, hasBody } from "./asked";

export async function curlOf(asked: Asked, url: string): Promise<string> {
  const call = callOf(asked);
  // Neither brackets and braces in the address nor dots in its path are to make other calls of this one.
  const parts = ["curl", "-i", "--globoff", "--path-as-is"];
  if (asked.method === "HEAD") parts.push("--head");
  else if (asked.method !== "GET") parts.push("-X", quoted(asked.method));
  for (const [name, value] of call.headers ?? []) parts.push("-H", quoted(value ? `${name}: ${value}` : `${name};`));
  if (hasBody(asked)) {
    if (asked.kind === "file") parts.push("--data-binary", quoted(`@${asked.file?.name ?? "FILE"}`));
    else parts.push("--data-raw", quoted(await bodyOf(asked).text()));
  }
  const tail = call.target === "/" ? "" : call.target;
  return [...parts, quoted(url.replace(/\/$/, "") + tail)].join(" ");
}

function quoted(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
