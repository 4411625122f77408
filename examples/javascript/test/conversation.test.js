/**
 * A conversation with the conductor at CASTIRON_ENDPOINT, whose nodes are n1, n2 and n3, and off. Run by `node --test`.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { randomUUID } from "node:crypto";
import { CastironError } from "../lib/errors.js";
import { Client } from "../lib/client.js";
import { endpointOf } from "../lib/events.js";

const client = new Client(process.env.CASTIRON_ENDPOINT ?? "");
after(() => client.close());

test("a conductor says who it is", async () => {
  const welcome = await client.hello();
  assert.ok(welcome.speaks.length > 0);
  assert.ok(welcome.limits.in_flight_per_peer > 0);
});

test("a refusal has a code, and says that nothing was touched", async () => {
  const refused = await client.ask("node.show", { node: "n9" }).catch((error) => error);
  assert.ok(refused instanceof CastironError);
  assert.deepEqual([refused.code, refused.retry, refused.source], ["node.not_found", "never", "caller"]);
});

test("a request is announced, carried out, and the same under the same key", async () => {
  const key = randomUUID();
  /** @type {any[]} */
  const announced = [];
  const asked = { node: "n1", target: "power on", replies: "both", key };
  const { result } = await client.ask("node.power.set", asked, (kind, view) => announced.push([kind, view.id]));
  assert.equal(result.state, "succeeded");
  assert.deepEqual(announced, [["accepted", result.id]]);
  const again = await client.ask("node.power.set", asked);
  assert.equal(again.result.id, result.id);
  const reused = await client.ask("node.power.set", { ...asked, target: "power off" }).catch((error) => error);
  assert.equal(reused.code, "request.reused");
});

test("more questions than may be in flight are all answered", async () => {
  const answers = await Promise.all(Array.from({ length: 400 }, () => client.ask("node.show", { node: "n1" })));
  assert.ok(answers.every(({ result }) => result.name === "n1"));
});

test("a bulk tells of each node once", async () => {
  const bulk = client.bulk({ verb: "node.power.set", target: "power on" }, { nodes: ["n[1-3]"], batch: 1 });
  const told = [];
  let step = await bulk.next();
  for (; !step.done; step = await bulk.next()) told.push([step.value.node, step.value.request?.state]);
  assert.deepEqual(told, [["n1", "succeeded"], ["n2", "succeeded"], ["n3", "succeeded"]]);
  assert.deepEqual([step.value.total, step.value.succeeded], [3, 3]);
});

test("a bulk that is refused fails", async () => {
  const bulk = client.bulk({ verb: "node.power.set", target: "power on" }, { nodes: ["n[8-9]"] });
  await assert.rejects(bulk.next(), { code: "node.not_found" });
});

test("events come in order, from the first one on, and those that happen meanwhile", async () => {
  const seqs = [];
  let asked = null;
  const { seq: known } = await client.ask("node.list");
  for await (const event of client.events({ since: 0 })) {
    seqs.push(event.seq);
    if (event.seq >= known) asked ??= client.ask("node.power.set", { node: "n2", target: "power off", replies: "final" });
    if (event.seq > known && event.type === "node.power_set.end") break;
  }
  assert.deepEqual(seqs, seqs.map((_, index) => index + 1));
  assert.equal((await asked)?.result.state, "succeeded");
});

test("events of one type are picked", async () => {
  for await (const event of client.events({ since: 0, types: ["node.power_set.*"] })) {
    assert.match(event.type, /^node\.power_set\./);
    break;
  }
});

test("a machine far away is not asked without keys", () => {
  assert.throws(() => new Client("tcp://192.0.2.1:5570"), TypeError);
  assert.equal(endpointOf("tcp://0.0.0.0:5571", "tcp://192.0.2.1:5570"), "tcp://192.0.2.1:5571");
});
