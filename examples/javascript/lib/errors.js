/**
 * What can go wrong: refusals by the conductor (PROTOCOL.md, section 11), and what only a client can notice.
 */

/** The conductor refused a message, or cannot say what became of it. Go by `code`, and where you do not know it by `retry`. */
export class CastironError extends Error {
  /** @param {import("./frames.js").Fields} fields `error` of a reply */
  constructor(fields) {
    super(fields.message);
    this.name = "CastironError";
    /** @type {string} */
    this.code = fields.code;
    /** @type {"never" | "later" | "after"} */
    this.retry = fields.retry;
    /** @type {"caller" | "conductor" | "bmc"} */
    this.source = fields.source;
    /** @type {import("./frames.js").Fields} */
    this.details = fields.details ?? {};
    /** @type {"no" | "yes" | "unknown" | undefined} whether it reached the machine */
    this.applied = fields.applied;
    /** @type {number | undefined} with `retry` "after": not to be sent again earlier, in seconds */
    this.retryAfterS = fields.retry_after_s;
    /** @type {string | undefined} finds it in the conductor's log */
    this.errorId = fields.error_id;
  }
}

/** No answer will come: there is no connection, or it broke, or the conductor was started anew. */
export class ConductorLost extends Error {
  /**
   * @param {string} message
   * @param {"no" | "unknown"} applied "no": nothing was sent; "unknown": it may have been accepted
   */
  constructor(message, applied) {
    super(message);
    this.name = "ConductorLost";
    this.code = "conductor.lost";
    this.applied = applied;
  }
}

/** Events are gone for good, or the numbers are another conductor's: look at all nodes anew. */
export class EventsLost extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "EventsLost";
    this.code = "events.lost";
  }
}

/** The conductor does not take this key, or none, or knows nothing of keys: to try again is of no use. */
export class KeyRefused extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "KeyRefused";
    this.code = "key.refused";
    this.applied = "no";
  }
}
