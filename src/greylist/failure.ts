/** Whose move it is: `failed` it could not be done (exit 1), `usage` the command line or configuration is wrong (exit 2). */
export type FailureKind = 'failed' | 'usage';

export interface FailureDetails {
  readonly kind?: FailureKind;
  /** What the operator can type or do next; one line. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** An error meant for the operator: `message` is `what failed: why`, or a head line and a list; it is cleaned where it is printed. */
export class Failure extends Error {
  readonly kind: FailureKind;
  readonly hint: string | undefined;

  constructor(message: string, details: FailureDetails = {}) {
    super(message, { cause: details.cause });
    this.name = 'Failure';
    this.kind = details.kind ?? 'failed';
    this.hint = details.hint;
  }
}

/** The code of a system or database error, such as ENOENT; undefined for anything else. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** The words of anything that was thrown; for system errors without the noise of code and call. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code: string = codeOf(error) ?? '';
  switch (code) {
    case 'ENOENT':
      return 'no such file or directory';
    case 'EACCES':
      return 'permission denied';
    case 'EPERM':
      return 'operation not permitted';
    case 'EISDIR':
      return 'is a directory';
    case 'ENOTDIR':
      return 'not a directory';
    case 'EADDRINUSE':
      return 'address already in use';
    case 'ECONNREFUSED':
      return 'connection refused';
    case 'EROFS':
      return 'read-only file system';
    case 'ENOSPC':
      return 'no space left on device';
    default:
      return error.message;
  }
}
