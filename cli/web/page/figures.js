// The conductor's figures: what `castiron status --watch` shows, as tiles and lines.

import { element, length } from "/page/elements.js";

const LATE_MS = 500;
const LAG_MS = 250;
const SHOWN = 6;

const rate = (value) => (value === null ? "–" : value.toFixed(value < 10 ? 1 : 0));
const ms = (value) => (value === null || value === undefined ? "–" : `${value < 100 ? +value.toPrecision(2) : Math.round(value)}`);

function tiles(status) {
  const worst = Object.values(status.lag).map((lag) => lag.p99_ms ?? 0).reduce((a, b) => Math.max(a, b), 0);
  return [
    ["nodes", status.nodes.total, "", false],
    ["checks", rate(status.checks_per_s), "/s", false],
    ["failing checks", rate(status.check_failures_per_s), "/s", status.check_failures_per_s > 0],
    ["late, p99", ms(status.late_p99_ms), "ms", status.late_p99_ms > LATE_MS],
    ["lag, p99", ms(worst), "ms", worst > LAG_MS],
    ["commits", rate(status.commits_per_s), "/s", false],
    ["events", rate(status.events_per_s), "/s", false],
    ["messages", rate(status.messages_per_s), "/s", false],
    ["store", status.store_state ?? "unknown", "", status.store_state !== "ok"],
  ];
}

function lines(status) {
  const filled = (gauge) => (gauge.limit ? gauge.used / gauge.limit : 0);
  const queues = Object.entries(status.queues).filter(([, gauge]) => !gauge.limit || filled(gauge) >= 0.01)
    .sort(([, a], [, b]) => filled(b) - filled(a)).slice(0, SHOWN)
    .map(([name, gauge]) => `${name.replaceAll("_", " ")} ${gauge.used}${gauge.limit ? ` of ${gauge.limit}` : ""}`);
  const bmcs = status.bmcs ?? { slowest: [], failing_longest: [], failing: {} };
  const failing = Object.values(bmcs.failing).reduce((a, b) => a + b, 0);
  return [
    ["queues", queues.join(", ") || "nothing waits"],
    ["at their bound", status.at_bound.map((name) => name.replaceAll("_", " ")).join(", ")],
    ["slowest BMCs", bmcs.slowest.slice(0, SHOWN).map((one) => `${one.node} ${Math.round(one.response_ms)} ms`).join(", ")],
    ["failing BMCs", failing ? `${failing}: ${bmcs.failing_longest.slice(0, SHOWN)
      .map((one) => `${one.node} (${one.code}, ${length(Math.max(0, status.at - one.since))})`).join(", ")}` : ""],
    ["slow turns", status.slow_turns.count ? `${status.slow_turns.count}` : ""],
  ].filter(([, told]) => told);
}

export function drawFigures(status) {
  document.getElementById("conductor").textContent = `conductor ${status.conductor.slice(0, 8)}, up ${length(status.uptime_s)}`;
  document.getElementById("figures").replaceChildren(...tiles(status).map(([name, value, unit, alarms]) =>
    element("div", { "data-alarm": String(alarms) }, element("dt", {}, name),
      element("dd", {}, String(value), element("small", {}, ` ${unit}`)))));
  document.getElementById("lines").replaceChildren(...lines(status).flatMap(([name, told]) =>
    [element("dt", {}, name), element("dd", {}, told)]));
}
