// The functions of the namespace looked at, or of all of them; live while the page is visible.
import { followFunctions } from "../api/live";
import { told } from "../api/request";
import type { Glance, GlanceNews } from "../api/schema";

const AGAIN_MS = 2000;
const KEY = "dayfly.namespace";

class Functions {
  namespaces = $state.raw<string[]>([]);
  /** The one looked at; empty for all. */
  namespace = $state(sessionStorage.getItem(KEY) ?? "");
  /** Null as long as they are not known. */
  all = $state.raw<Glance[] | null>(null);
  trouble = $state("");
  #known = new Map<string, Glance>();

  choose(namespace: string): void {
    sessionStorage.setItem(KEY, namespace);
    this.#known = new Map();
    this.namespace = namespace;
    this.all = null;
  }

  /** Keep it fresh until what is returned is called. */
  watch(): () => void {
    let controller: AbortController | null = null;
    const begin = (): void => {
      if (document.hidden) {
        controller?.abort();
        controller = null;
      } else if (!controller) {
        controller = new AbortController();
        void this.#follow(this.namespace, controller.signal);
      }
    };
    document.addEventListener("visibilitychange", begin);
    begin();
    return () => {
      document.removeEventListener("visibilitychange", begin);
      controller?.abort();
    };
  }

  forget(): void {
    this.#known = new Map();
    this.all = null;
    this.namespaces = [];
    this.trouble = "";
  }

  async #follow(namespace: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        let whole = true;
        await followFunctions(namespace, (news) => {
          if (signal.aborted) return;
          this.#take(news, whole);
          whole = false;
          this.trouble = "";
        }, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.trouble = told(error);
        if (namespace && this.namespaces.length > 0 && !this.namespaces.includes(namespace)) this.choose("");
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  #take({ namespaces, functions = [], gone = [] }: GlanceNews, whole: boolean): void {
    if (whole) this.#known = new Map();
    for (const each of functions) this.#known.set(`${each.name}.${each.namespace}`, each);
    for (const [namespace, name] of gone) this.#known.delete(`${name}.${namespace}`);
    this.namespaces = namespaces;
    this.all = [...this.#known.values()];
  }
}

export const functions = new Functions();
