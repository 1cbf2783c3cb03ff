// The credential lives in this tab's session storage and travels in a header. A cookie would be sent to every port of
// the host, functions' among them.
import type { PlatformInfo } from "./schema";

const KEY = "dayfly.authorization";

class Session {
  authorization = $state(sessionStorage.getItem(KEY) ?? "");
  info = $state<PlatformInfo | null>(null);
  /** Why somebody is asked to sign in again. */
  notice = $state("");

  get mayChange(): boolean {
    return this.info?.caller?.role === "admin" || this.info?.caller?.role === "deploy";
  }

  /** Whether functions may be listed and looked at. */
  get mayLook(): boolean {
    return this.info?.caller?.role !== "invoke" && this.info?.caller?.role !== "query";
  }

  /** Whether functions may be called. */
  get mayCall(): boolean {
    return this.mayChange || this.info?.caller?.role === "invoke";
  }

  /** Whether questions may be asked in SQL. */
  get mayAsk(): boolean {
    return this.info?.caller?.role !== "invoke";
  }

  /** Whether tokens may be made and revoked. */
  get mayAdminister(): boolean {
    return this.info?.caller?.role === "admin";
  }

  /** Whether the installation as a whole may be changed. */
  get isOfAll(): boolean {
    return this.mayAdminister && this.info?.caller?.namespace === null;
  }

  begin(authorization: string, info: PlatformInfo): void {
    sessionStorage.setItem(KEY, authorization);
    this.authorization = authorization;
    this.info = info;
    this.notice = "";
  }

  end(notice = ""): void {
    sessionStorage.removeItem(KEY);
    this.authorization = "";
    this.info = null;
    this.notice = notice;
  }
}

export const session = new Session();

export function withPassword(name: string, password: string): string {
  const bytes = new TextEncoder().encode(`${name}:${password}`);
  return "Basic " + btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

export function withToken(token: string): string {
  return `Bearer ${token.trim()}`;
}
