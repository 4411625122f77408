// One node: what it is, why it does what it does, and its life. Asked for anew when it has changed.

import { element, length, moment } from "/page/elements.js";
import { drawLife, drawStrip, titleOf } from "/page/timeline.js";

const PAUSE_MS = 400;

export class Panel {
  uuid = null;

  constructor(closed) {
    this.closed = closed;
    this.box = document.getElementById("panel");
    this.title = document.getElementById("panel-title");
    this.body = document.getElementById("panel-body");
    this.opened = new Set(); // requests whose trace is shown
    this.timer = 0;
    document.getElementById("close").addEventListener("click", () => this.close());
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && this.uuid) this.close(); });
  }

  async show(uuid, name) {
    this.uuid = uuid;
    this.opened.clear();
    this.title.textContent = name;
    this.body.replaceChildren(element("p", { class: "quiet" }, "asking"));
    this.box.hidden = false;
    document.querySelector("main").classList.add("open");
    this.title.focus({ preventScroll: true });
    await this.load();
  }

  close() {
    this.uuid = null;
    this.box.hidden = true;
    document.querySelector("main").classList.remove("open");
    this.closed();
  }

  // Asks again soon; however much happens to a node, a few times a second at the most.
  touch(uuids) {
    if (!this.uuid || !uuids.has(this.uuid) || this.timer) return;
    this.timer = setTimeout(() => { this.timer = 0; if (this.uuid) this.load(); }, PAUSE_MS);
  }

  async load() {
    const { uuid } = this;
    const answer = await ask(`/api/nodes/${encodeURIComponent(uuid)}`);
    if (uuid !== this.uuid) return;
    if (answer.error) this.body.replaceChildren(element("p", { class: "quiet", role: "alert" }, answer.error.message));
    else this.draw(answer);
  }

  draw({ node, findings, requests, events }) {
    const now = Date.now() / 1000;
    this.title.textContent = node.name;
    this.body.replaceChildren(
      drawStrip(events, requests, now),
      element("dl", { class: "facts" }, ...facts(node, now)),
      element("h3", {}, "Why it does what it does"),
      element("ul", { class: "why" }, ...findings.map(finding)),
      element("h3", {}, "Life"),
      drawLife(events),
      element("h3", {}, "Requests"),
      ...(requests.length ? requests.map((one) => this.request(one)) : [element("p", { class: "quiet" }, "none")]));
  }

  request(one) {
    const lasted = one.ended_at ? `, ${length(one.ended_at - (one.started_at ?? one.accepted_at))}` : "";
    const trace = element("ol", {});
    const box = element("details", {}, element("summary", {}, moment(one.accepted_at), ` ${titleOf(one)} `,
      element("span", { class: "state" }, one.state), lasted), one.error ? element("p", {}, one.error) : null, trace);
    const load = async () => {
      const answer = await ask(`/api/requests/${encodeURIComponent(one.id)}`);
      const lines = answer.error ? [element("li", {}, answer.error.message)] : [
        element("li", {}, `${one.id}, by ${one.requester}`), ...answer.entries.map(entry)];
      trace.replaceChildren(...lines);
    };
    box.addEventListener("toggle", () => {
      if (box.open) load();
      if (box.open) this.opened.add(one.id);
      else this.opened.delete(one.id);
    });
    box.open = this.opened.has(one.id);
    return box;
  }
}

function facts(node, now) {
  const seen = node.power_state_at ? `, seen ${length(Math.max(0, now - node.power_state_at))} ago` : "";
  const told = [
    ["power", `${node.power_state ?? "unknown"}${node.target_power_state ? ` → ${node.target_power_state}` : ""}${seen}`],
    ["provision", `${node.provision_state}${node.target_provision_state ? ` → ${node.target_provision_state}` : ""}`],
    ["fault", node.fault],
    ["maintenance", node.maintenance ? node.maintenance_reason ?? "yes" : null],
    ["last error", node.last_error === node.maintenance_reason ? null : node.last_error],
    ["failed checks", node.power_check_failures || null],
    ["locked by", node.lock ? [node.lock.owner, node.lock.reason].filter(Boolean).join(": ") : null],
    ["marks", ["protected", "retired", "disable_power_off"].filter((name) => node[name]).join(", ").replaceAll("_", " ")],
    ["class", [node.resource_class, ...node.traits].filter(Boolean).join(", ")],
    ["alarms", Object.entries(node.alarms).map(([name, alarm]) => `${name}: ${alarm.state}`).join(", ")],
    ["driver", node.driver],
    ["uuid", node.uuid],
  ];
  return told.filter(([, value]) => value).flatMap(([name, value]) =>
    [element("dt", {}, name), element("dd", {}, String(value))]);
}

function finding(one) {
  return element("li", {}, one.text, one.since ? element("span", { class: "quiet" }, " (since ", moment(one.since), ")") : null,
    one.advice ? element("p", { class: "advice" }, one.advice) : null);
}

function entry(one) {
  const lasted = one.until && one.until > one.at ? ` ${length(one.until - one.at)}` : "";
  return element("li", {}, moment(one.at), ` ${one.word}${one.count > 1 ? ` ×${one.count}` : ""}${lasted} ${one.words}`);
}

export async function ask(where) {
  try {
    const response = await fetch(where);
    return await response.json();
  } catch (error) {
    return { error: { message: `No answer: ${error.message}` } };
  }
}
