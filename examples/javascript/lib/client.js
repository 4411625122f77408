/**
 * A client of castiron: asks verbs, sends again what may be sent again, and follows events.
 *
 *     const client = new Client("ipc:///run/user/1000/castiron/conductor.ipc");
 *     const request = await client.ask("node.power.set", { node: "n1", target: "power on", replies: "final" });
 *     for await (const event of client.events({ since: 0 })) console.log(event.seq, event.type);
 *     client.close();
 *
 * Written from PROTOCOL.md. A request gets a key, and is sent again with it for as long as its answer is lost, so it
 * is carried out once (sections 9.3 and 12).
 */

import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { Connection } from "./connection.js";
import { CastironError, ConductorLost } from "./errors.js";
import { follow } from "./events.js";

/** @typedef {import("./frames.js").Fields} Fields */

/** Verbs that become requests, and so may have a key (section 9). */
const REQUESTS = new Set(["node.power.set", "node.boot_device.set", "node.boot_device.get", "node.provision.set"]);

/** Verbs that are not to be sent twice, as they have no key (section 9). */
const ONCE = new Set([
  "node.create",
  "node.delete",
  "node.step.done",
  "allocation.create",
  "allocation.delete",
  "runbook.create",
  "runbook.delete",
]);

/** The longest string in `nodes` of a bulk. */
const MAX_RANGE = 49_152;

export class Client {
  /** @type {Promise<Connection> | null} */
  #connecting = null;
  #isClosed = false;

  /**
   * @param {string} endpoint ipc://PATH or tcp://HOST:PORT
   * @param {object} [options]
   * @param {string} [options.name] what you are, for the conductor's log
   * @param {import("./connection.js").Keys} [options.keys] needed off this machine
   * @param {number} [options.patienceS] how long a conductor may be gone before a call fails
   */
  constructor(endpoint, { name = "castiron-javascript/0.1.0", keys, patienceS = 30 } = {}) {
    if (!keys && !isLocal(endpoint)) throw new TypeError(`${endpoint} is off this machine: it takes keys.`);
    this.endpoint = endpoint;
    this.name = name;
    this.keys = keys;
    this.patienceS = patienceS;
  }

  /** Return what the conductor says of itself. @returns {Promise<Fields>} */
  async hello() {
    return (await this.ask("hello", { client: this.name })).result;
  }

  /**
   * Ask, and return the last reply: `{result, seq}`. While the conductor is gone, wait for it; what was in flight is
   * sent again if its verb is idempotent or it has a key, and what meets a limit is sent again when the conductor says.
   *
   * @param {string} verb
   * @param {Fields} [fields] its arguments, but for `key`, which is made where it is missing
   * @param {import("./connection.js").Listener} [listen] hears announcements and parts
   * @returns {Promise<import("./connection.js").Answer>}
   * @throws {CastironError} it was refused
   * @throws {ConductorLost} the conductor was gone for too long; `applied` says whether it may have accepted
   * @throws {import("./errors.js").KeyRefused} it does not take the key
   */
  async ask(verb, fields = {}, listen) {
    /** @type {Fields} */
    const body = { verb, ...fields };
    if (REQUESTS.has(verb) && !body.dry_run) body.key ??= randomUUID();
    return this.#deliver(() => body, listen);
  }

  /**
   * Ask the same of many nodes (section 9.2); yield what became of each, once, and return the summary.
   *
   * @param {Fields} order the verb and its arguments, without the node
   * @param {Fields} choice nodes, where, batch, and what else `bulk.run` takes
   * @returns {AsyncGenerator<Fields, Fields, void>}
   */
  async *bulk(order, choice) {
    const body = { verb: "bulk.run", order, key: randomUUID(), ...choice };
    /** @type {Fields[]} */
    const outcomes = [];
    const told = new Set();
    /** @type {string[]} */
    let names = [];
    let wake = () => {};
    /** @type {import("./connection.js").Listener} */
    const listen = (kind, result) => {
      if (kind === "accepted") names = result.nodes;
      for (const outcome of result.outcomes ?? []) {
        if (!told.has(outcome.node_uuid)) outcomes.push(outcome);
        told.add(outcome.node_uuid);
      }
      wake();
    };
    // Sent again, it names the nodes that were announced: conditions may choose others by then.
    const again = () => (fits(names) ? { ...body, nodes: [names.join(",")], where: undefined } : body);
    /** @type {Fields | null} */
    let summary = null;
    /** @type {unknown} */
    let failure = null;
    this.#deliver(again, listen)
      .then(({ result }) => (summary = result))
      .catch((error) => (failure = error))
      .finally(() => wake());
    for (;;) {
      yield* outcomes.splice(0);
      if (failure) throw failure;
      if (summary) return summary;
      await new Promise((go) => (wake = () => go(undefined)));
    }
  }

  /**
   * Yield each event once, in order, without a gap, through restarts of the conductor (section 13).
   *
   * @param {{since?: number, types?: string[]}} [choice] since: the number of the last one that is known; without it,
   *     from now on. types: these only, as "node.power_set.*"
   * @returns {AsyncGenerator<Fields, void, void>}
   */
  events(choice = {}) {
    return follow(this, choice);
  }

  /** Close the connection. Whoever waits gets ConductorLost. */
  close() {
    this.#isClosed = true;
    this.#connecting?.then((connection) => connection.close()).catch(() => {});
  }

  /**
   * @param {() => Fields} make
   * @param {import("./connection.js").Listener} [listen]
   * @returns {Promise<import("./connection.js").Answer>}
   */
  async #deliver(make, listen) {
    /** @type {"no" | "unknown"} */
    let applied = "no"; // of all attempts so far
    const until = Date.now() + this.patienceS * 1000;
    for (;;) {
      const connection = await this.#connection(applied);
      const body = make();
      try {
        return await connection.ask(body, listen);
      } catch (error) {
        if (error instanceof CastironError && error.retry === "after" && Date.now() < until) {
          await pause((error.retryAfterS ?? 1) * 1000); // nothing was accepted
        } else if (error instanceof ConductorLost && !this.#isClosed) {
          if (error.applied === "unknown") applied = "unknown";
          if (applied === "unknown" && !body.key && ONCE.has(body.verb)) throw error;
        } else {
          throw error;
        }
      }
    }
  }

  /**
   * Return the connection; where there is none, make one, as long as patience lasts.
   *
   * @param {"no" | "unknown"} applied what is known of the question that needs it
   * @returns {Promise<Connection>}
   */
  async #connection(applied) {
    const until = Date.now() + this.patienceS * 1000;
    for (;;) {
      if (this.#isClosed) throw new ConductorLost("This client was closed.", applied);
      try {
        this.#connecting ??= Connection.open(this.endpoint, {
          client: this.name,
          keys: this.keys,
          timeoutS: Math.max(0.1, (until - Date.now()) / 1000),
        });
        const connection = await this.#connecting;
        if (connection.isOpen) return connection;
        this.#connecting = null;
      } catch (error) {
        this.#connecting = null;
        if (!(error instanceof ConductorLost)) throw error;
        if (Date.now() >= until) throw new ConductorLost(error.message, applied);
        await pause(100);
      }
    }
  }
}

/** @param {string[]} names */
function fits(names) {
  return names.length > 0 && names.join(",").length <= MAX_RANGE;
}

/** @param {string} endpoint */
function isLocal(endpoint) {
  return /^(ipc:\/\/|tcp:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\]):)/.test(endpoint);
}
