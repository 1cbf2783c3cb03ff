// Whether JSON is looked at as a tree, which is remembered.
const KEY = "dayfly.tree";

class AsTree {
  on = $state(localStorage.getItem(KEY) === "yes");

  choose(on: boolean): void {
    this.on = on;
    localStorage.setItem(KEY, on ? "yes" : "no");
  }
}

export const asTree = new AsTree();
