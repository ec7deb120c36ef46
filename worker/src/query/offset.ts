// Where in its text a statement is wrong, as SQLite tells it with some errors: in bytes of UTF-8.
import { Buffer } from "node:buffer";
import { messageOf, WireError } from "../wire/errors.ts";

/** What a trigger raises may say the same; SQLite itself never says it of a constraint. */
const OFFSET = / at offset (\d+)(?=: SQLITE_(?!CONSTRAINT)\w+(?: \(extended: \w+\))?$)/;

/** The offset in the text that SQLite was given: in a Durable Object's words, or in an error's details. */
export function offsetOf(error: unknown): number | undefined {
  if (error instanceof WireError) return error.details?.["offset"] as number | undefined;
  const told = OFFSET.exec(messageOf(error))?.[1];
  return told === undefined ? undefined : Number(told);
}

/** SQLite's words without the offset: the text that it was given may be one of ours. */
export function withoutOffset(message: string): string {
  return message.replace(OFFSET, "");
}

/** The same words with an offset. */
export function withOffset(message: string, offset: number): string {
  return message.replace(/(?=: SQLITE_\w+(?: \(extended: \w+\))?$)/, ` at offset ${offset}`);
}

/** How many bytes SQLite counts for a text. */
export function bytesOf(text: string): number {
  return text === "" ? 0 : Buffer.byteLength(text);
}
