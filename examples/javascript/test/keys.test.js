/**
 * Keys, at a conductor that wants them: the one at CASTIRON_ENDPOINT, whose public key is SERVER_KEY, and which lets in
 * the pair of PUBLIC_KEY and SECRET_KEY, a reader's. Run by `node --test`.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { curveKeyPair } from "zeromq";
import { Client } from "../lib/client.js";

const endpoint = process.env.CASTIRON_ENDPOINT ?? "";
const serverKey = process.env.SERVER_KEY ?? "";
const own = { publicKey: process.env.PUBLIC_KEY ?? "", secretKey: process.env.SECRET_KEY ?? "" };

/** @param {import("../lib/connection.js").Keys} [keys] @param {number} [patienceS] */
const clientWith = (keys, patienceS = 20) => new Client(endpoint, { keys, patienceS });

test("who is on the list asks, and hears events", async () => {
  const client = clientWith({ serverKey, ...own });
  const { result, seq } = await client.ask("node.list");
  assert.deepEqual(result.nodes.map((/** @type {any} */ node) => node.name), ["n1"]);
  for await (const event of client.events({ since: seq - 1 })) {
    assert.equal(event.type, "node.create.end");
    break;
  }
  const refused = await client.ask("node.delete", { node: "n1" }).catch((error) => error);
  assert.deepEqual([refused.code, refused.details.needs], ["verb.forbidden", "admin"]);
  client.close();
});

test("who is not is told at once, however patient", async () => {
  const client = clientWith({ serverKey, ...curveKeyPair() });
  await assert.rejects(client.ask("node.list"), { code: "key.refused", applied: "no", message: /allow-list/ });
  client.close();
});

test("who has no key is told at once", async () => {
  const client = clientWith();
  await assert.rejects(client.ask("node.list"), { code: "key.refused", applied: "no", message: /uses keys/ });
  client.close();
});

test("who takes another for the conductor sends it nothing", async () => {
  const client = clientWith({ serverKey: curveKeyPair().publicKey, ...own }, 1);
  await assert.rejects(client.ask("node.list"), { code: "conductor.lost", applied: "no", message: /its public key/ });
  client.close();
});
