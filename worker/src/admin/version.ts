import { WireError } from "../wire/errors.ts";
import { OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION } from "../wire/limits.ts";

/** Which version is the newest that the client speaks. A client without the header speaks version 1. */
export const VERSION_HEADER = "x-dbmigrate-protocol";

/** The newest version that both sides speak. */
export function commonVersion(
  asked: string | null,
  newest = PROTOCOL_VERSION,
  oldest = OLDEST_PROTOCOL_VERSION,
): number {
  if (asked !== null && !/^[1-9]\d{0,5}$/.test(asked))
    throw new WireError("bad-request", `${VERSION_HEADER}: expected the number of a version`);
  const common = Math.min(Number(asked ?? "1"), newest);
  if (common < oldest)
    throw new WireError(
      "protocol-version",
      `this Worker speaks protocol ${oldest} to ${newest}, and the command ${common}: update dbmigrate`,
    );
  return common;
}
