/**
 * Memory that forgets. What was not touched for `periodSeconds` of the log's time is gone at the latest after twice as
 * long, in one sweep: looking up and forgetting cost the same however much is remembered.
 */
export interface Recent<V> {
  get: (key: string) => V | undefined;
  set: (key: string, value: V) => void;
  /** Forgets `key` and tells what it was. */
  take: (key: string) => V | undefined;
  /** Moves the clock on; hands what is forgotten to `forgotten`. */
  advance: (now: number) => void;
  readonly isEmpty: () => boolean;
  /** Everything remembered. */
  values: () => Iterable<V>;
}

/** Makes an empty memory. */
export function createRecent<V>(periodSeconds: number, forgotten?: (value: V) => void): Recent<V> {
  let young = new Map<string, V>();
  let old = new Map<string, V>();
  let turnedAt: number | undefined;

  return {
    get: (key) => {
      const found = young.get(key);
      if (found !== undefined || old.size === 0) return found;
      const aged = old.get(key);
      if (aged === undefined) return undefined;
      old.delete(key);
      young.set(key, aged);
      return aged;
    },
    set: (key, value) => {
      if (old.size > 0) old.delete(key);
      young.set(key, value);
    },
    take: (key) => {
      const found = young.get(key) ?? old.get(key);
      if (found === undefined) return undefined;
      if (!young.delete(key)) old.delete(key);
      return found;
    },
    advance: (now) => {
      turnedAt ??= now;
      if (now - turnedAt < periodSeconds) return;
      const gone = [old, ...(now - turnedAt < 2 * periodSeconds ? [] : [young])];
      old = gone.length === 2 ? new Map<string, V>() : young;
      young = new Map();
      turnedAt = now;
      if (forgotten) for (const map of gone) for (const value of map.values()) forgotten(value);
    },
    isEmpty: () => young.size === 0 && old.size === 0,
    values: function* () {
      yield* old.values();
      yield* young.values();
    },
  };
}
