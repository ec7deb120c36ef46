// Who is to blame when a Durable Object does not answer: the platform, or the application's own code in the
// object, as after a bad deploy. The platform may answer the next time; code that throws will throw again.
import { messageOf } from "../wire/errors.ts";

/** What the platform says of objects that it could not run, or had to stop. */
const PLATFORM =
  /internal error|network connection lost|object reset|code was updated|caused object to be reset|overloaded|too much load|exceeded|storage operation|SQL is not enabled|new_sqlite_classes|does not implement the method|does not support RPC|Durable Object answered within/i;

/**
 * Whether code of the object threw, by what the platform says of an error that comes from a stub
 * (developers.cloudflare.com/durable-objects/best-practices/error-handling). Nothing is known of an error
 * without that mark.
 */
export function isApplications(cause: unknown): boolean {
  if (!(cause instanceof Error) || !says(cause, "remote")) return false;
  const platforms =
    says(cause, "retryable") || says(cause, "overloaded") || says(cause, "durableObjectReset");
  return !platforms && !PLATFORM.test(messageOf(cause));
}

function says(cause: Error, property: string): boolean {
  return (cause as unknown as Record<string, unknown>)[property] === true;
}
