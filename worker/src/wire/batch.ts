// The body of `rows` (docs/wire-format.md, section 4).
import { BinaryReader, badBatch } from "./binary.ts";
import { messageOf } from "./errors.ts";
import { asInteger, asObject, asString, asStrings } from "./json.ts";
import { LIMITS } from "./limits.ts";

const MAGIC = "DMR1";
const MAX_HEADER_BYTES = 100_000;

interface FrameHeader {
  readonly table: string;
  /** The insertable columns, the rowid's name first where no column shows it. */
  readonly columns: readonly string[];
  /** How many rows of the table come before this frame's; absent from an older sender. */
  readonly from?: number | undefined;
}

/** Rows as JSONB; the plan says per column how it travels (section 3.3). */
export interface JsonbFrame extends FrameHeader {
  readonly kind: "J";
  readonly plan: string;
  readonly rows: number;
  readonly jsonb: Uint8Array;
}

/** One row as cells, for rows too large for JSONB. */
export interface CellFrame extends FrameHeader {
  readonly kind: "D";
  readonly cells: Uint8Array;
  readonly reals: Uint8Array;
}

export type Frame = JsonbFrame | CellFrame;

/**
 * The frames of a batch; their bytes alias the body.
 * @throws WireError bad-batch
 */
export function decodeBatch(body: Uint8Array): Frame[] {
  const reader = new BinaryReader(body);
  if (asciiOf(reader.take(4, "the magic")) !== MAGIC) throw badBatch(`the body does not start with ${MAGIC}`);
  const frames: Frame[] = [];
  while (!reader.atEnd) frames.push(decodeFrame(reader));
  return frames;
}

function decodeFrame(reader: BinaryReader): Frame {
  const kind = asciiOf(reader.take(1, "a frame's kind"));
  if (kind !== "J" && kind !== "D") throw badBatch("a frame is neither J nor D");
  const header = decodeHeader(reader.counted("a frame's header"));
  const payload = reader.counted("a frame's payload");
  return kind === "J" ? jsonbFrame(header, payload) : cellFrame(header, payload);
}

interface AnyHeader extends FrameHeader {
  readonly plan: string;
  readonly rows: number;
}

function decodeHeader(bytes: Uint8Array): AnyHeader {
  if (bytes.length > MAX_HEADER_BYTES) throw badBatch("a frame's header is too long");
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    const header = asObject(JSON.parse(text), "header");
    const columns = asStrings(header["columns"], "columns");
    // One more than a table may have: the rowid that no column shows.
    if (columns.length < 1 || columns.length > LIMITS.columns + 1)
      throw badBatch("columns: too few or too many");
    return {
      table: asString(header["table"], "table"),
      columns,
      plan: asString(header["plan"], "plan"),
      rows: asInteger(header["rows"], "rows", 0, Number.MAX_SAFE_INTEGER),
      ...(header["from"] !== undefined && {
        from: asInteger(header["from"], "from", 0, Number.MAX_SAFE_INTEGER),
      }),
    };
  } catch (cause) {
    throw badBatch(`a frame's header is malformed: ${messageOf(cause)}`);
  }
}

function jsonbFrame(header: AnyHeader, jsonb: Uint8Array): JsonbFrame {
  if (jsonb.length > LIMITS.frameBytes) throw badBatch(`a J payload is over ${LIMITS.frameBytes} bytes`);
  if (!/^[vbm]+$/.test(header.plan) || header.plan.length !== header.columns.length) {
    throw badBatch("plan: expected one of v, b, m per column");
  }
  return { kind: "J", ...header, jsonb };
}

function cellFrame(header: AnyHeader, payload: Uint8Array): CellFrame {
  if (header.plan !== "" || header.rows !== 1) throw badBatch("a D frame holds one row and no plan");
  const reader = new BinaryReader(payload);
  const cells = reader.counted("a D frame's cells");
  const { table, columns, from } = header;
  return { kind: "D", table, columns, ...(from !== undefined && { from }), cells, reals: reader.rest() };
}

function asciiOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
