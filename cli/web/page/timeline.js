// A node's life: a strip, where what is recent has more room, and a list, latest first, of all that happened.

import { drawing, element, length, moment, toneOf } from "/page/elements.js";

const WIDTH = 400;
const LEFT = 8;
const GAP_S = 300;
const NEAR_S = 10; // ages below this are drawn as they are; beyond, ten times as old is one step further
const MARKS = [[60, "1 min"], [600, "10 min"], [3600, "1 h"], [86400, "1 d"], [604800, "1 w"]];
const POWER = { "power on": "--on", "power off": "--off" };
const ENDED = { succeeded: "--good", failed: "--fault", cancelled: "--off", expired: "--off" };

export function drawStrip(events, requests, now) {
  const times = [...events.map((one) => one.at), ...requests.map((one) => one.accepted_at)];
  const oldest = Math.max(60, now - Math.min(now, ...times));
  const scale = Math.log(1 + oldest / NEAR_S);
  const x = (at) => LEFT + (WIDTH - 2 * LEFT) * (1 - Math.log(1 + Math.max(0, now - at) / NEAR_S) / scale);
  const bar = (from, to, y, height, colour, title) => {
    const made = drawing("rect", { x: x(from), y, width: Math.max(2, x(to) - x(from)), height, rx: 1.5 },
      drawing("title", {}, title));
    made.style.fill = `var(${colour})`;
    return made;
  };
  const strip = drawing("svg", { viewBox: `0 0 ${WIDTH} 86`, class: "strip", role: "img", "aria-label":
    `Timeline of ${events.length} events and ${requests.length} requests; the list below says the same.` });
  strip.append(label("power", 11), label("requests", 37), label("events", 63));
  const told = events.filter((one) => one.power).sort((a, b) => a.at - b.at);
  told.forEach((one, index) => strip.append(
    bar(one.at, told[index + 1]?.at ?? now, 15, 9, POWER[one.power] ?? "--unknown", one.power)));
  for (const one of requests) {
    strip.append(bar(one.started_at ?? one.accepted_at, one.ended_at ?? now, 41, 9, ENDED[one.state] ?? "--moving",
      `${titleOf(one)}: ${one.state}`));
  }
  for (const one of events) {
    strip.append(bar(one.at, one.at, 67, 7, toneOf(one.type) === "bad" ? "--fault" : "--text", one.type));
  }
  for (const [age, name] of MARKS.filter(([age]) => age < oldest)) {
    strip.append(drawing("text", { x: x(now - age), y: 85, "text-anchor": "middle" }, name));
  }
  strip.append(drawing("text", { x: WIDTH - LEFT, y: 85, "text-anchor": "end" }, "now"));
  return strip;
}

function label(text, y) {
  return drawing("text", { x: LEFT, y }, text);
}

export function titleOf(request) {
  return request.target ? `${request.verb} ${request.target}` : request.verb;
}

export function drawLife(events) {
  const items = [];
  events.forEach((one, index) => {
    const later = events[index - 1];
    if (later && later.at - one.at > GAP_S) {
      items.push(element("li", { class: "gap" }, `${length(later.at - one.at)} of nothing`));
    }
    items.push(element("li", { "data-tone": toneOf(one.type) }, moment(one.at), element("span", {}, one.type),
      one.words ? element("p", {}, one.words) : null));
  });
  return element("ol", { class: "life" }, ...items);
}
