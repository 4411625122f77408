// What a node's state looks like: one table for each way to colour the fleet. The first line that fits a node is its own.
// Colour is never the only sign: each line has a shape of its own, and a word.

const isMoving = (node) => Boolean(node.to_power || node.to_state || node.doing);
const FAILED = /failed$|^error$/;
const UNDER_WAY = /ing$|wait|hold/;

// What changes without an event is looked for now and then (app.js): `work` of a node is from the latest look.
const lateOf = (node) => node.work?.late ?? 0;
const failuresOf = (node) => Math.max(node.failures ?? 0, node.work?.failures ?? 0);
const queuedOf = (node) => Math.max(node.queued ?? 0, node.work?.queued ?? 0);
export const LOOKED_FOR = new Set(["checks", "queue"]);

export const SCHEMES = {
  power: [
    { key: "fault", word: "fault", colour: "--fault", shape: "cross", fits: (node) => node.fault },
    { key: "maintenance", word: "maintenance", colour: "--maintenance", shape: "corner", fits: (node) => node.maintenance },
    { key: "moving", word: "on its way", colour: "--moving", shape: "dot", fits: isMoving },
    { key: "on", word: "power on", colour: "--on", shape: "full", fits: (node) => node.power === "power on" },
    { key: "off", word: "power off", colour: "--off", shape: "hollow", fits: (node) => node.power === "power off" },
    { key: "unknown", word: "unknown", colour: "--unknown", shape: "hatched", fits: () => true },
  ],
  provision: [
    { key: "failed", word: "failed", colour: "--fault", shape: "cross", fits: (node) => FAILED.test(node.state) },
    { key: "under way", word: "under way", colour: "--moving", shape: "dot", fits: (node) => UNDER_WAY.test(node.state) },
    { key: "active", word: "active", colour: "--used", shape: "full", fits: (node) => node.state === "active" },
    { key: "available", word: "available", colour: "--on", shape: "barred", fits: (node) => node.state === "available" },
    { key: "manageable", word: "manageable", colour: "--ready", shape: "ring", fits: (node) => node.state === "manageable" },
    { key: "enroll", word: "enroll", colour: "--off", shape: "hollow", fits: (node) => node.state === "enroll" },
    { key: "other", word: "other", colour: "--unknown", shape: "hatched", fits: () => true },
  ],
  checks: [
    { key: "failing", word: "check failed", colour: "--fault", shape: "cross", fits: (node) => node.fault || failuresOf(node) },
    { key: "aside", word: "in maintenance", colour: "--off", shape: "hollow", fits: (node) => node.maintenance },
    { key: "late", word: "check late", colour: "--maintenance", shape: "corner", fits: (node) => lateOf(node) > 0 },
    { key: "on time", word: "on time", colour: "--on", shape: "full", fits: () => true },
  ],
  queue: [
    { key: "several", word: "several wait", colour: "--maintenance", shape: "corner", fits: (node) => queuedOf(node) > 1 },
    { key: "one", word: "one waits", colour: "--used", shape: "barred", fits: (node) => queuedOf(node) === 1 },
    { key: "busy", word: "at work", colour: "--moving", shape: "dot", fits: isMoving },
    { key: "idle", word: "idle", colour: "--off", shape: "hollow", fits: () => true },
  ],
};

export const lookOf = (scheme, node) => SCHEMES[scheme].find((look) => look.fits(node));

// All that a cell says, in words: for the tip, for those who hear the page, and for the table.
export function wordsOf(node) {
  const words = [node.power ?? "power unknown", node.state];
  if (node.to_power) words.push(`to ${node.to_power}`);
  if (node.to_state) words.push(`to ${node.to_state}`);
  if (node.doing) words.push(`doing ${node.doing}`);
  if (queuedOf(node)) words.push(`${queuedOf(node)} waiting`);
  if (node.fault) words.push(`fault: ${node.fault}`);
  if (node.maintenance) words.push("maintenance");
  if (failuresOf(node)) words.push(`${failuresOf(node)} checks failed`);
  if (lateOf(node)) words.push(`check ${Math.round(lateOf(node))} s late`);
  if (node.retired) words.push("retired");
  if (node.protected) words.push("protected");
  return words.join(", ");
}

const DRAWN = {
  full: () => {},
  hollow: (pen, box, ink) => inset(pen, box, ink.back, Math.max(1.5, Math.min(box.w, box.h) / 9)),
  ring: (pen, box, ink) => inset(pen, box, ink.back, Math.min(box.w, box.h) / 3.4),
  cross: (pen, box, ink) => lines(pen, box, ink.over, [[0.25, 0.25, 0.75, 0.75], [0.75, 0.25, 0.25, 0.75]]),
  barred: (pen, box, ink) => lines(pen, box, ink.over, [[0.2, 0.78, 0.8, 0.78]]),
  hatched: (pen, box, ink) => lines(pen, box, ink.over, [[0, 0.6, 0.6, 0], [0.4, 1, 1, 0.4]]),
  corner(pen, box, ink) {
    const side = Math.min(box.w, box.h) * 0.6;
    pen.fillStyle = ink.over;
    pen.beginPath();
    pen.moveTo(box.x + box.w - side, box.y);
    pen.lineTo(box.x + box.w, box.y);
    pen.lineTo(box.x + box.w, box.y + side);
    pen.fill();
  },
  dot(pen, box, ink) {
    pen.fillStyle = ink.over;
    pen.beginPath();
    pen.arc(box.x + box.w / 2, box.y + box.h / 2, Math.max(1.5, Math.min(box.w, box.h) / 6), 0, 7);
    pen.fill();
  },
};

function inset(pen, box, colour, width) {
  pen.fillStyle = colour;
  pen.fillRect(box.x + width, box.y + width, box.w - 2 * width, box.h - 2 * width);
}

function lines(pen, box, colour, parts) {
  const side = Math.min(box.w, box.h);
  const left = box.x + (box.w - side) / 2;
  const top = box.y + (box.h - side) / 2;
  pen.strokeStyle = colour;
  pen.lineWidth = Math.max(1.2, side / 9);
  pen.beginPath();
  for (const [x0, y0, x1, y1] of parts) {
    pen.moveTo(left + x0 * side, top + y0 * side);
    pen.lineTo(left + x1 * side, top + y1 * side);
  }
  pen.stroke();
}

// Draws a state: its colour, and its shape upon it. `ink` has the colours that shapes are drawn with.
export function draw(pen, box, look, ink) {
  pen.fillStyle = ink[look.colour];
  pen.fillRect(box.x, box.y, box.w, box.h);
  DRAWN[look.shape](pen, box, ink);
}

export function inks() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(name).trim();
  const ink = { over: read("--over"), back: read("--card"), text: read("--text"), focus: read("--focus") };
  for (const look of Object.values(SCHEMES).flat()) ink[look.colour] = read(look.colour);
  return ink;
}
