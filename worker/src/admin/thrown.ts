// Who is to blame when a Durable Object does not answer: the platform, or the application's own code in the
// object, as after a bad deploy. The platform may answer the next time; code that throws will throw again.
import { messageOf } from "../wire/errors.ts";

/** What the platform says of objects that it could not run, or had to stop. */
const PLATFORM =
  /internal error|network connection lost|object reset|code was updated|caused object to be reset|overloaded|too much load|exceeded|storage operation|SQLITE_(?:FULL|IOERR|NOMEM|CORRUPT|BUSY|LOCKED|CANTOPEN|PROTOCOL|NOTADB|INTERRUPT|READONLY)|SQL is not enabled|new_sqlite_classes|does not implement the method|does not support RPC|Durable Object answered within/i;

/**
 * What it says of objects that it reset, besides. A reset is the platform's wherever its words may be: a wrong
 * guess the other way tells an operator to roll back a good deploy.
 */
const PLATFORM_RESETS = /^$|durable object|^actor |no longer a(?:ccessible|ctive)|different machine/i;

/** Of a reset that the application's code asked for, or brought about, in the platform's words. */
const APPLICATION_RESETS = /application called abort\(\)|the application left the database/i;

/**
 * Whether code of the object threw, by what the platform says of an error that comes from a stub
 * (developers.cloudflare.com/durable-objects/best-practices/error-handling). Nothing is known of an error
 * without a mark. `remote` is code that threw in a request. What a constructor or `blockConcurrencyWhile`
 * throws resets the object: `durableObjectReset`, over RPC without `remote`, and with the words of the error.
 */
export function isApplications(cause: unknown): boolean {
  if (!(cause instanceof Error) || says(cause, "retryable") || says(cause, "overloaded")) return false;
  const text = messageOf(cause);
  if (!says(cause, "durableObjectReset")) return says(cause, "remote") && !PLATFORM.test(text);
  return APPLICATION_RESETS.test(text) || !(PLATFORM.test(text) || PLATFORM_RESETS.test(text));
}

function says(cause: Error, property: string): boolean {
  return (cause as unknown as Record<string, unknown>)[property] === true;
}
