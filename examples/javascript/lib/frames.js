/**
 * Frames and bodies of castiron/1 (PROTOCOL.md, sections 6, 7 and 13.1): bytes to maps and back, no sockets.
 */

import { decode, encode } from "@msgpack/msgpack";

/** @typedef {{[field: string]: any}} Fields */
/** @typedef {{id: string, kind: string, body: {result?: any, error?: any, seq: number}}} Reply */
/** @typedef {{topic: string, body: Fields}} Published */

export const HEADER = "castiron/1";

/**
 * Write a message. What is undefined is left out, so that optional arguments need no care.
 *
 * @param {string} id at most 64 bytes, not in use
 * @param {Fields} body the verb and its arguments
 * @returns {Uint8Array[]}
 */
export function writeMessage(id, body) {
  return [Buffer.from(HEADER), Buffer.from(id), encode(body, { ignoreUndefined: true })];
}

/**
 * Read a reply; null if it is none that this client knows.
 *
 * @param {Uint8Array[]} frames without the empty one that REQ sockets see
 * @returns {Reply | null}
 */
export function readReply(frames) {
  if (frames.length !== 4 || text(frames[0]) !== HEADER) return null;
  return { id: text(frames[1]), kind: text(frames[2]), body: /** @type {any} */ (decode(frames[3])) };
}

/**
 * Read a message of the stream of events; null if it is none that this client knows.
 *
 * @param {Uint8Array[]} frames
 * @returns {Published | null}
 */
export function readPublished(frames) {
  if (frames.length !== 3 || text(frames[1]) !== HEADER) return null;
  return { topic: text(frames[0]), body: /** @type {any} */ (decode(frames[2])) };
}

/** @param {Uint8Array | undefined} bytes */
function text(bytes) {
  return Buffer.from(bytes ?? []).toString("utf8");
}
