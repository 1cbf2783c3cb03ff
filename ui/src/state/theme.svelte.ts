// Light or dark: as the system says, or as somebody chose, which is remembered.
export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];
const KEY = "dayfly.theme";

class Look {
  theme = $state<Theme>(THEMES.find((each) => each === localStorage.getItem(KEY)) ?? "system");

  constructor() {
    this.#show();
  }

  choose(theme: Theme): void {
    this.theme = theme;
    localStorage.setItem(KEY, theme);
    this.#show();
  }

  #show(): void {
    if (this.theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.theme;
  }
}

export const look = new Look();
