/**
 * One connection: a DEALER socket, what is in flight on it, and signs of life (PROTOCOL.md, sections 6 and 12).
 *
 * It lives from a handshake to the first doubt, then it is closed, and everything in flight is lost. To ask again is
 * the client's business, not its own.
 */

import { Dealer } from "zeromq";
import { CastironError, ConductorLost, KeyRefused } from "./errors.js";
import { readReply, writeMessage } from "./frames.js";

/** @typedef {import("./frames.js").Fields} Fields */
/** @typedef {{serverKey: string, publicKey: string, secretKey: string}} Keys CURVE keys, each 40 characters of Z85 */
/** @typedef {{result: any, seq: number}} Answer */
/** @typedef {(kind: "accepted" | "part", result: any) => void} Listener */
/** @typedef {{resolve: (answer: Answer) => void, reject: (error: Error) => void, listen: Listener}} Waiting */

/** Until there is a `hello` that tells others. */
const FIRST = { heartbeat_interval_s: 10, liveness: 3, limits: { in_flight_per_peer: 128 } };

export class Connection {
  /** @type {Map<string, Waiting>} */
  #inFlight = new Map();
  /** @type {(() => void)[]} those who wait for room */
  #queue = [];
  #lastId = 0;
  #sentAt = Date.now();
  #heardAt = Date.now();
  /** @type {Promise<void>} the sends before; a socket takes one at a time */
  #sending = Promise.resolve();
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  /** @type {Fields} */
  welcome = FIRST;
  isOpen = true;

  /** @param {Dealer} socket that has shaken hands */
  constructor(socket) {
    this.#socket = socket;
    socket.events.on("disconnect", () => this.close("The connection broke."));
    void this.#read();
  }

  /** @type {Dealer} */
  #socket;

  /**
   * Connect, and say hello.
   *
   * @param {string} endpoint
   * @param {{client: string, keys?: Keys, timeoutS: number}} options
   * @returns {Promise<Connection>}
   * @throws {ConductorLost} nobody answers there in time
   * @throws {KeyRefused} somebody does, and does not take the key
   */
  static async open(endpoint, { client, keys, timeoutS }) {
    const socket = new Dealer({ linger: 0, maxMessageSize: 67_108_864, ...curve(keys) });
    try {
      await shakeHands(socket, endpoint, timeoutS);
    } catch (error) {
      socket.close();
      throw error;
    }
    const connection = new Connection(socket);
    const late = setTimeout(() => connection.close(`${endpoint} does not answer.`), timeoutS * 1000);
    try {
      connection.welcome = (await connection.ask({ verb: "hello", client })).result;
    } catch (error) {
      connection.close("No hello.");
      throw error;
    } finally {
      clearTimeout(late);
    }
    connection.#timer = setInterval(() => connection.#look(), (connection.welcome.heartbeat_interval_s * 1000) / 2);
    return connection;
  }

  /**
   * Send a message, and return what its last reply holds. Waits while as many are in flight as one peer may have.
   *
   * @param {Fields} body
   * @param {Listener} [listen] hears the replies before the last one
   * @returns {Promise<Answer>}
   * @throws {CastironError} it was refused
   * @throws {ConductorLost} no answer will come
   */
  async ask(body, listen = () => {}) {
    // A ping needs no room: it is what tells whether there ever will be some.
    while (this.isOpen && body.verb !== "ping" && this.#inFlight.size >= this.#room()) {
      await new Promise((go) => this.#queue.push(() => go(undefined)));
    }
    if (!this.isOpen) throw new ConductorLost("The connection broke before it was asked.", "no");
    const id = String(++this.#lastId);
    return new Promise((resolve, reject) => {
      this.#inFlight.set(id, { resolve, reject, listen });
      this.#send(writeMessage(id, body));
    });
  }

  /**
   * End it. All that is in flight is lost.
   *
   * @param {string} why
   */
  close(why = "It was closed.") {
    if (!this.isOpen) return;
    this.isOpen = false;
    clearInterval(this.#timer);
    this.#socket.close();
    for (const waiting of this.#inFlight.values()) waiting.reject(new ConductorLost(why, "unknown"));
    this.#inFlight.clear();
    for (const go of this.#queue.splice(0)) go();
  }

  /** One place less than there are, for a ping. */
  #room() {
    return this.welcome.limits.in_flight_per_peer - 1;
  }

  /** @param {Uint8Array[]} frames */
  #send(frames) {
    this.#sentAt = Date.now();
    this.#sending = this.#sending
      .then(() => this.#socket.send(frames))
      .catch(() => this.close("A message could not be sent."));
  }

  async #read() {
    try {
      for await (const frames of this.#socket) this.#hear(frames);
    } catch (error) {
      this.close(`What came cannot be read: ${error}`);
    }
  }

  /** @param {Uint8Array[]} frames */
  #hear(frames) {
    this.#heardAt = Date.now();
    const reply = readReply(frames);
    const waiting = reply && this.#inFlight.get(reply.id);
    if (!reply || !waiting) return;
    if (reply.kind === "accepted" || reply.kind === "part") waiting.listen(reply.kind, reply.body.result);
    if (reply.kind !== "final") return; // of a kind that is not known: ignored
    this.#inFlight.delete(reply.id);
    this.#queue.shift()?.();
    if (reply.body.error) waiting.reject(new CastironError(reply.body.error));
    else waiting.resolve({ result: reply.body.result, seq: reply.body.seq });
  }

  /** Look whether each side has heard of the other, twice in a heartbeat interval. */
  #look() {
    if (this.#inFlight.size === 0) {
      this.#heardAt = Date.now(); // who waits for nothing hears nothing
      return;
    }
    const interval = this.welcome.heartbeat_interval_s * 1000;
    const patience = interval * this.welcome.liveness;
    const now = Date.now();
    if (now - this.#heardAt > patience) this.close("The conductor is silent.");
    else if (now - this.#sentAt > patience) this.close("This program stood still; the conductor took it for gone.");
    else if (now - this.#sentAt >= interval / 2) void this.#ping();
  }

  async #ping() {
    try {
      const { result } = await this.ask({ verb: "ping" });
      if (result.boot_id !== this.welcome.boot_id) this.close("The conductor was started anew.");
    } catch {
      // Whoever waits is told of it themselves.
    }
  }
}

/**
 * Return the options of a socket that uses keys.
 *
 * @param {Keys} [keys]
 */
export function curve(keys) {
  if (!keys) return {};
  return { curveServerKey: keys.serverKey, curvePublicKey: keys.publicKey, curveSecretKey: keys.secretKey };
}

/**
 * Connect a socket; nothing waits in it for a conductor that may never come.
 *
 * @param {import("zeromq").Socket & {connect: (endpoint: string) => void}} socket
 * @param {string} endpoint
 * @param {number} timeoutS
 * @returns {Promise<void>}
 */
export function shakeHands(socket, endpoint, timeoutS) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new ConductorLost(`No conductor at ${endpoint}.`, "no")), timeoutS * 1000);
    /** @param {Error} error */
    const refuse = (error) => {
      clearTimeout(late);
      reject(error);
    };
    socket.events.on("handshake", () => {
      clearTimeout(late);
      resolve();
    });
    socket.events.on("handshake:error:auth", () => refuse(new KeyRefused(`${endpoint}: this key is not in the allow-list.`)));
    socket.events.on("handshake:error:protocol", () => refuse(new KeyRefused(`${endpoint}: one side uses keys, the other not.`)));
    // A conductor that is just ending breaks one off, too; so this may be tried again.
    socket.events.on("handshake:error:other", () =>
      refuse(new ConductorLost(`${endpoint}: the handshake broke off. Is that its public key?`, "no")));
    socket.connect(endpoint);
  });
}
