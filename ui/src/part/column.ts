// A column of a table that can be sorted.
import type { Snippet } from "svelte";

export interface Column<Row> {
  title: string;
  /** What is sorted by, and shown where there is no `cell`; left out for a column that has no order. */
  value?: (row: Row) => string | number;
  cell?: Snippet<[Row]>;
  number?: boolean;
  /** Never broken over lines: a word or two. */
  short?: boolean;
  /** Left out where the screen is narrow. */
  wide?: boolean;
}
