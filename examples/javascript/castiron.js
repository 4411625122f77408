#!/usr/bin/env node
/**
 * A small command line over the client, one JSON value a line:
 *
 *     node castiron.js ask VERB [JSON]             ask any verb; announcements and parts come before the last line
 *     node castiron.js power TARGET RANGE          drive machines, a line for each, then the summary
 *     node castiron.js events [SINCE [COUNT]]      follow events, from a number on; end after so many
 *
 * CASTIRON_ENDPOINT says where the conductor is. Off this machine it takes keys: CASTIRON_CLIENT_KEY is the file of your
 * secret key, as castiron writes it, CASTIRON_SERVER_KEY the conductor's public key or a file with it. Exit codes: 0; 1 for what was refused or failed, told on standard
 * error; 64 for a wrong command line.
 */

import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { Client } from "./lib/client.js";

/** @typedef {(client: Client, words: string[]) => Promise<boolean>} Command */

/** @type {Record<string, Command>} */
const COMMANDS = {
  async ask(client, [verb = "hello", fields = "{}"]) {
    const { result } = await client.ask(verb, JSON.parse(fields), (kind, early) => tell({ kind, result: early }));
    tell(result);
    return !result.error;
  },

  async power(client, [target = "", range = ""]) {
    const outcomes = client.bulk({ verb: "node.power.set", target }, { nodes: [range] });
    for (;;) {
      const { done, value } = await outcomes.next();
      if (done) {
        tell(value);
        return value.failed + value.not_sent === 0;
      }
      tell({ node: value.node, state: value.request?.state, error: value.error ?? value.request?.error });
    }
  },

  async events(client, [since, count = "Infinity"]) {
    let left = Number(count);
    for await (const event of client.events({ since: since === undefined ? undefined : Number(since) })) {
      tell(event);
      if (--left <= 0) break;
    }
    return true;
  },
};

/** @param {unknown} value */
function tell(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function endpoint() {
  const runtime = process.env.XDG_RUNTIME_DIR;
  const folder = runtime ? `${runtime}/castiron` : `${homedir()}/.castiron`;
  return process.env.CASTIRON_ENDPOINT ?? `ipc://${folder}/conductor.ipc`;
}

/** A key as text. */
const Z85 = /^[0-9A-Za-z.:+=^!/*?&<>()[\]{}@%$#-]{40}$/;

/** Return the keys that the environment names; undefined: none are used. */
function keys() {
  const { CASTIRON_CLIENT_KEY: own, CASTIRON_SERVER_KEY: server } = process.env;
  if (!own || !server) return undefined;
  return { publicKey: key(own, "public"), secretKey: key(own, "secret"), serverKey: Z85.test(server) ? server : key(server, "public") };
}

/**
 * Return one key of a key file.
 *
 * @param {string} path
 * @param {"public" | "secret"} which
 */
function key(path, which) {
  const found = new RegExp(`^ *${which}-key *= *"(.{40})" *$`, "m").exec(readFileSync(path, "utf8"))?.[1];
  if (!found) throw new TypeError(`${path} has no ${which} key.`);
  return found;
}

/** @param {string[]} words */
async function main([name = "", ...words]) {
  const command = COMMANDS[name];
  if (!command) {
    process.stderr.write("usage: castiron.js ask VERB [JSON] | power TARGET RANGE | events [SINCE [COUNT]]\n");
    return 64;
  }
  const client = new Client(endpoint(), { keys: keys() });
  try {
    return (await command(client, words)) ? 0 : 1;
  } catch (error) {
    const { code, message, applied, details } = /** @type {any} */ (error);
    process.stderr.write(`${JSON.stringify({ code, message, applied, details })}\n`);
    return 1;
  } finally {
    client.close();
  }
}

process.exitCode = await main(process.argv.slice(2));
