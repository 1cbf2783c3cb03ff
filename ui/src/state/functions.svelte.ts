// The functions of the namespace looked at, or of all of them; asked for anew while the page is visible.
import { listFunctions } from "../api/functions";
import { listNamespaces } from "../api/platform";
import { told } from "../api/request";
import type { FunctionStatus } from "../api/schema";
import { whileVisible } from "./polling";

const PERIOD_MS = 2000;
const KEY = "dayfly.namespace";

class Functions {
  namespaces = $state<string[]>([]);
  /** The one looked at; empty for all. */
  namespace = $state(sessionStorage.getItem(KEY) ?? "");
  all = $state.raw<FunctionStatus[] | null>(null);
  trouble = $state("");

  choose(namespace: string): void {
    sessionStorage.setItem(KEY, namespace);
    this.namespace = namespace;
    this.all = null;
  }

  /** Keep it fresh until what is returned is called. */
  watch(): () => void {
    return whileVisible(() => this.refresh(), PERIOD_MS);
  }

  async refresh(): Promise<void> {
    try {
      this.namespaces = await listNamespaces();
      if (this.namespace && !this.namespaces.includes(this.namespace)) this.choose("");
      const asked = this.namespace;
      const wanted = asked ? [asked] : this.namespaces;
      const found = (await Promise.all(wanted.map(listFunctions))).flat();
      if (asked === this.namespace) this.all = found;
      this.trouble = "";
    } catch (error) {
      this.trouble = told(error);
      throw error;
    }
  }

  forget(): void {
    this.all = null;
    this.namespaces = [];
    this.trouble = "";
  }
}

export const functions = new Functions();
