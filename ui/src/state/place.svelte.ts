// Where on the page somebody is, kept in the address behind the `#`, so that a reload and the back button work.
import type { Key } from "../api/functions";

export const PARTS = ["invoke", "status", "logs"] as const;
export type Part = (typeof PARTS)[number];
export const WAYS = ["store", "image"] as const;
export type Way = (typeof WAYS)[number];
/** The views beside functions. What is in `path` is theirs to say. */
export const SECTIONS = ["calls", "events", "flows", "machine", "query", "settings"] as const;
export type SectionName = (typeof SECTIONS)[number];

export type Place =
  | { view: "functions" }
  | { view: "function"; key: Key; part: Part }
  | { view: "deploy"; part: Way }
  | { view: SectionName; path: string[] };

export function placeOf(hash: string): Place {
  const [view, ...rest] = hash.replace(/^#\/?/, "").split("/").map(decoded);
  if (view === "functions" && rest[0] && rest[1]) {
    const part = PARTS.find((each) => each === rest[2]) ?? "invoke";
    return { view: "function", key: { namespace: rest[0], name: rest[1] }, part };
  }
  if (view === "deploy") return { view, part: WAYS.find((each) => each === rest[0]) ?? "store" };
  const section = SECTIONS.find((each) => each === view);
  return section ? { view: section, path: rest.filter(Boolean) } : { view: "functions" };
}

export function hashOf(place: Place): string {
  if (place.view === "functions") return "#/functions";
  if (place.view === "deploy") return place.part === "store" ? "#/deploy" : `#/deploy/${place.part}`;
  if (place.view !== "function") return ["#", place.view, ...place.path.map(encodeURIComponent)].join("/");
  const { namespace, name } = place.key;
  const part = place.part === "invoke" ? "" : `/${place.part}`;
  return `#/functions/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}${part}`;
}

export function go(place: Place): void {
  location.hash = hashOf(place);
}

class Here {
  place = $state<Place>(placeOf(location.hash));

  constructor() {
    addEventListener("hashchange", () => (this.place = placeOf(location.hash)));
  }
}

export const here = new Here();

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}
