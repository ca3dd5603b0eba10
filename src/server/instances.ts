/** How many messages are remembered; postgrey remembers 10, few enough that a busy server gives a message two headers. */
const remembered = 1000;

/**
 * Tells the first recipient of a message from its further ones, by the protocol's `instance`, so that a message gets one X-Greylist
 * header. A client that sends no instance (Exim) is always new.
 */
export function createInstances(): (instance: string | undefined) => boolean {
  const seen = new Set<string>();
  return (instance) => {
    if (!instance) return true;
    if (seen.has(instance)) return false;
    seen.add(instance);
    if (seen.size > remembered) {
      for (const oldest of seen) {
        seen.delete(oldest);
        break;
      }
    }
    return true;
  };
}
