/** Have the link of where somebody is in sight, in a row of links that is wider than a telephone. */
export const inSight = (is_here: boolean) => (link: HTMLElement): void => {
  const row = link.parentElement;
  if (!is_here || !row) return;
  const [outer, inner] = [row.getBoundingClientRect(), link.getBoundingClientRect()];
  row.scrollLeft += inner.left + inner.width / 2 - (outer.left + outer.width / 2);
};
