import { read } from "./request";
import type { StoreItem } from "./schema";

export const listStore = (): Promise<StoreItem[]> => read("/v1/store");

/** The picture as something to look at: an image can script nothing. */
export const iconOf = (item: StoreItem): string => `data:image/svg+xml,${encodeURIComponent(item.icon)}`;

/** Whether what a function was deployed from is this one. */
export const isMadeOf = (item: StoreItem, image: string | undefined): boolean => {
  const plain = (image ?? "").replace(/^docker\.io\//, "").replace(/[:@].*$/, "");
  return plain !== "" && [item.image.replace(/:.*$/, ""), ...item.stands_for].includes(plain);
};
