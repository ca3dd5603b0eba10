/**
 * What a server believes to be in Redis without asking: what it saw there last, and nothing where it never found anything, as most
 * triplets are new. The script compares; a guess that was wrong costs a round trip, two where a window is open.
 */

/** Of so many keys at least, about 350 bytes each, what was seen last is known; of twice as many at most. */
const remembered = 2 ** 15;
/** Longer keys are those of strangers who want them kept: nothing is believed to be there, and the script tells. */
const longestKey = 300;
/** So many batches at most are read first before the next is guessed: other servers change what this one has seen. */
const longestPause = 64;

export class Guesses {
  #recent = new Map<string, string>();
  #older = new Map<string, string>();
  #pause = 0;
  #rest = 0;

  /** Is the next batch to be guessed? Not for a while after wrong guesses, the longer the more of them there were in a row. */
  isTime(): boolean {
    if (this.#rest === 0) return true;
    this.#rest -= 1;
    return false;
  }

  /** What a guess was worth. */
  was(right: boolean): void {
    this.#pause = right ? 0 : Math.min(longestPause, 2 * this.#pause + 1);
    this.#rest = this.#pause;
  }

  /** What is there, probably; '' is nothing. */
  ofAll(keys: readonly string[]): Map<string, string> {
    const values = new Map<string, string>();
    for (const key of keys) values.set(key, this.#recent.get(key) ?? this.#older.get(key) ?? '');
    return values;
  }

  /** What was seen there. */
  see(key: string, value: string): void {
    if (key.length > longestKey) return;
    this.#recent.set(key, value);
    if (this.#recent.size < remembered) return;
    this.#older = this.#recent;
    this.#recent = new Map();
  }
}
