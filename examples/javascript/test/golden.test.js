/**
 * Every golden vector of PROTOCOL.md, section 16, is read and written as it stands there. Run by `node --test`; PROTOCOL
 * names the file.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { decode } from "@msgpack/msgpack";
import { HEADER, readPublished, readReply, writeMessage } from "../lib/frames.js";

const page = readFileSync(process.env.PROTOCOL ?? "../../transport/PROTOCOL.md", "utf8");
const vectors = [...page.matchAll(/^([^\n]+)\.\n\n```golden\n(.*?)```/gms)].map(([, name, lines]) => ({ name, lines }));

test("there are golden vectors", () => assert.ok(vectors.length >= 10));

for (const { name = "", lines = "" } of vectors) {
  test(name, () => {
    const all = lines.trim().split("\n").map((line) => line.split(" | "));
    const rows = all.filter(([hex]) => hex !== "-"); // the empty frame of a REQ socket
    const frames = rows.map(([hex = ""]) => Buffer.from(hex.trim(), "hex"));
    const [, ...last] = rows[rows.length - 1] ?? [];
    const meant = JSON.parse(last.join(" | "));
    const message = /** @type {any} */ (frames[frames.length - 1]);
    assert.deepEqual(decode(message), meant);
    if (name.startsWith("Request")) {
      const [header, id, body] = writeMessage(String(frames[1]), meant);
      assert.deepEqual([String(header), String(id), decode(/** @type {any} */ (body))], [HEADER, String(frames[1]), meant]);
    }
    if (name.startsWith("Reply")) assert.deepEqual(readReply(frames)?.body, meant);
    if (name.startsWith("Published")) assert.deepEqual(readPublished(frames)?.body, meant);
  });
}
