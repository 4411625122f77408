/**
 * The stream of events, without a gap (PROTOCOL.md, section 13.2): what is published, and what `event.list` has.
 */

import { Subscriber } from "zeromq";
import { curve, shakeHands } from "./connection.js";
import { ConductorLost, EventsLost } from "./errors.js";
import { readPublished } from "./frames.js";

/** @typedef {import("./frames.js").Fields} Fields */
/** @typedef {import("./client.js").Client} Client */

/**
 * Yield each event once, in order.
 *
 * @param {Client} client whose connection the missing ones are read by
 * @param {{since?: number, types?: string[]}} choice
 * @returns {AsyncGenerator<Fields, void, void>}
 * @throws {EventsLost} some are gone for good, or the numbers are another conductor's
 * @throws {ConductorLost} it was gone for longer than the client's patience
 */
export async function* follow(client, { since, types = [] }) {
  const wanted = types.map(pattern);
  let last = since;
  /** @type {string | undefined} */
  let conductor;
  for (;;) {
    const stream = await subscribed(client);
    try {
      // Each turn of this loop begins anew with rule 1: nothing counts before a heartbeat.
      for await (const { topic, body } of stream) {
        const isHeartbeat = topic === "heartbeat";
        if (isHeartbeat) {
          if (conductor !== undefined && conductor !== body.conductor) throw new EventsLost("Another conductor.");
          conductor = body.conductor;
          if (last !== undefined && body.seq < last) await assureSameStore(client, last);
        }
        last ??= /** @type {number} */ (body.seq); // from now on: the first of a stream is a heartbeat
        if (body.seq <= last || !(isHeartbeat || topic.startsWith("events/"))) continue;
        const missed = isHeartbeat || body.seq !== last + 1 ? listed(client, last, body.seq) : [body];
        for await (const event of missed) {
          last = event.seq;
          if (wanted.length === 0 || wanted.some((one) => one.test(event.type))) yield event;
        }
      }
    } finally {
      stream.return();
    }
  }
}

/**
 * Subscribe, and return what is published from the first heartbeat on; it ends when the connection breaks or is silent.
 *
 * @param {Client} client
 * @returns {Promise<AsyncGenerator<{topic: string, body: any}, void, void>>}
 */
async function subscribed(client) {
  for (;;) {
    const welcome = await client.hello();
    if (!welcome.events_endpoint) throw new EventsLost("This conductor publishes no events.");
    const silence = welcome.heartbeat_interval_s * welcome.liveness;
    const socket = new Subscriber({ linger: 0, receiveTimeout: silence * 1000, ...curve(client.keys) });
    socket.subscribe("events/", "heartbeat");
    try {
      await shakeHands(socket, endpointOf(welcome.events_endpoint, client.endpoint), silence);
      return published(socket);
    } catch (error) {
      socket.close();
      if (!(error instanceof ConductorLost)) throw error;
    }
  }
}

/** @param {Subscriber} socket @returns {AsyncGenerator<{topic: string, body: any}, void, void>} */
async function* published(socket) {
  let inPlace = false;
  socket.events.on("disconnect", () => socket.close());
  try {
    while (!socket.closed) {
      const message = readPublished(await socket.receive());
      inPlace ||= message?.topic === "heartbeat";
      if (inPlace && message) yield message;
    }
  } catch {
    // Silent for too long, or closed: whoever reads begins anew.
  } finally {
    socket.close();
  }
}

/**
 * Yield the events after one number, up to another, page by page.
 *
 * @param {Client} client
 * @param {number} since
 * @param {number} upTo
 * @returns {AsyncGenerator<Fields, void, void>}
 */
async function* listed(client, since, upTo) {
  while (since < upTo) {
    const { result: page } = await client.ask("event.list", { since });
    if (page.latest_seq < since) throw new EventsLost("An older copy of the store was put in place.");
    if (since + 1 < page.oldest_seq) throw new EventsLost(`Events ${since + 1} to ${page.oldest_seq - 1} are gone.`);
    yield* page.events;
    since = page.next_since;
  }
}

/** @param {Client} client @param {number} last */
async function assureSameStore(client, last) {
  const { result: page } = await client.ask("event.list", { since: last, limit: 1 });
  if (page.latest_seq < last) throw new EventsLost("An older copy of the store was put in place.");
}

/**
 * Return where to subscribe: an endpoint on all addresses is reached by the one that reached the conductor.
 *
 * @param {string} published
 * @param {string} reached
 */
export function endpointOf(published, reached) {
  const host = /^tcp:\/\/(.*):\d+$/.exec(reached)?.[1] ?? "127.0.0.1";
  return published.replace(/^tcp:\/\/(0\.0\.0\.0|\[::\]):/, `tcp://${host}:`);
}

/** @param {string} words a type; * stands for any characters */
function pattern(words) {
  return new RegExp(`^${words.split("*").map((part) => part.replace(/[.\\^$+?()[\]{}|]/g, "\\$&")).join(".*")}$`);
}
