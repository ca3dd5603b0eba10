/**
 * Lines that two files of a set both hold: mail.log and mail.info, or a rotated file beside its compressed copy. Lines of
 * one second are compared whole; a line that one file holds several times counts as often.
 */

/** Lines of the same second are told apart as long as they come this close together. */
const rememberedSeconds = 2;

interface Copies {
  /** How often each source held the line. */
  readonly bySource: number[];
  most: number;
}

/** Makes the memory; the function tells whether the line of source number `source` came from another one before. */
export function createDuplicates(): (source: number, line: string, time: number) => boolean {
  let young = new Map<string, Copies>();
  let old = new Map<string, Copies>();
  let turnedAt = -Infinity;

  return (source, line, time) => {
    if (Math.abs(time - turnedAt) > rememberedSeconds) {
      old = young;
      young = new Map();
      turnedAt = time;
    }
    let copies = young.get(line) ?? old.get(line);
    if (!copies) {
      copies = { bySource: [], most: 0 };
      young.set(line, copies);
    }
    const own = (copies.bySource[source] ?? 0) + 1;
    copies.bySource[source] = own;
    if (own <= copies.most) return true;
    copies.most = own;
    return false;
  };
}
