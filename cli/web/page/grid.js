// The fleet as a grid on a canvas as large as what is visible of it: only those cells are drawn that can be seen, so
// 10,000 nodes cost no more than a thousand. Few nodes get tiles with their names.

import { draw, inks, lookOf, wordsOf } from "/page/states.js";

const GAP = 2;
const TILE = { w: 100, h: 34 };
const SIDES = [34, 28, 24, 20, 17, 15, 13, 12];

export class Grid {
  at = -1; // which of those shown is marked

  constructor(fleet, open) {
    this.fleet = fleet;
    this.open = open;
    this.box = document.getElementById("grid");
    this.canvas = document.getElementById("canvas");
    this.room = document.getElementById("room");
    this.said = document.getElementById("cell");
    this.tip = document.getElementById("tip");
    this.isAsked = false;
    new ResizeObserver(() => this.refresh()).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.refresh());
    this.box.addEventListener("scroll", () => this.refresh());
    this.box.addEventListener("keydown", (event) => this.heed(event));
    this.box.addEventListener("focus", () => { if (this.at < 0) this.mark(0); });
    this.canvas.addEventListener("click", (event) => {
      const index = this.under(event);
      if (index >= 0) { this.mark(index); this.open(this.fleet.shown[index].uuid); }
    });
    this.canvas.addEventListener("pointermove", (event) => this.hint(event));
    this.canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
  }

  // Draws with the next frame, however often it is asked.
  refresh() {
    if (this.isAsked) return;
    this.isAsked = true;
    requestAnimationFrame(() => { this.isAsked = false; this.draw(); });
  }

  // Chooses the largest cells with which all fit, and makes room for those that do not.
  measure() {
    const width = this.box.clientWidth;
    const most = parseFloat(getComputedStyle(this.box).maxHeight);
    const count = this.fleet.shown.length;
    const acrossOf = ({ w }) => Math.max(1, Math.floor((width + GAP) / (w + GAP)));
    const heightOf = (size) => Math.ceil(count / acrossOf(size)) * (size.h + GAP);
    const sizes = [TILE, ...SIDES.map((side) => ({ w: side, h: side }))];
    const size = sizes.find((one) => heightOf(one) <= most) ?? sizes.at(-1);
    this.across = acrossOf(size);
    this.hasNames = size === TILE;
    this.size = this.hasNames ? { w: (width + GAP) / this.across - GAP, h: size.h } : size;
    const height = Math.min(most, heightOf(size));
    this.room.style.height = `${heightOf(size) - height}px`;
    return { width, height };
  }

  draw() {
    const { width, height } = this.measure();
    const dense = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * dense);
    this.canvas.height = Math.round(height * dense);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    const pen = this.canvas.getContext("2d");
    pen.scale(dense, dense);
    const ink = inks();
    const row = this.size.h + GAP;
    const first = Math.floor(this.box.scrollTop / row) * this.across;
    const last = Math.min(this.fleet.shown.length, (Math.floor((this.box.scrollTop + height) / row) + 1) * this.across);
    for (let index = first; index < last; index += 1) this.drawCell(pen, index, ink);
  }

  drawCell(pen, index, ink) {
    const node = this.fleet.shown[index];
    const box = this.boxOf(index);
    const look = lookOf(this.fleet.scheme, node);
    if (this.hasNames) this.drawTile(pen, box, node, look, ink);
    else draw(pen, box, look, ink);
    if (index === this.at) {
      pen.strokeStyle = ink.text;
      pen.lineWidth = 2;
      pen.strokeRect(box.x + 1, box.y + 1, box.w - 2, box.h - 2);
    }
  }

  drawTile(pen, box, node, look, ink) {
    pen.globalAlpha = 0.16;
    pen.fillStyle = ink[look.colour];
    pen.fillRect(box.x, box.y, box.w, box.h);
    pen.globalAlpha = 1;
    draw(pen, { x: box.x, y: box.y, w: 18, h: box.h }, look, ink);
    pen.fillStyle = ink.text;
    pen.font = "12px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.fillText(short(pen, node.name, box.w - 28), box.x + 23, box.y + box.h / 2);
  }

  // Where a cell is on the canvas, in the page's pixels.
  boxOf(index) {
    const { w, h } = this.size;
    const row = Math.floor(index / this.across);
    return { x: (index % this.across) * (w + GAP), y: row * (h + GAP) - this.box.scrollTop, w, h };
  }

  under(event) {
    const { w, h } = this.size;
    const column = Math.floor(event.offsetX / (w + GAP));
    const index = Math.floor((event.offsetY + this.box.scrollTop) / (h + GAP)) * this.across + column;
    return column < this.across && index < this.fleet.shown.length ? index : -1;
  }

  hint(event) {
    const node = this.fleet.shown[this.under(event)];
    this.tip.hidden = !node;
    if (!node) return;
    this.tip.textContent = `${node.name}: ${wordsOf(node)}`;
    this.tip.style.left = `${Math.min(event.clientX + 14, window.innerWidth - 260)}px`;
    this.tip.style.top = `${event.clientY + 16}px`;
  }

  // Marks a cell, brings it into view, and says what it is.
  mark(index) {
    const { shown } = this.fleet;
    this.at = Math.max(0, Math.min(shown.length - 1, index));
    if (!shown.length) return;
    if (!this.size) this.measure();
    const box = this.boxOf(this.at);
    if (box.y < 0) this.box.scrollTop += box.y;
    if (box.y + box.h > this.box.clientHeight) this.box.scrollTop += box.y + box.h - this.box.clientHeight;
    this.said.textContent = `${shown[this.at].name}: ${wordsOf(shown[this.at])}`;
    this.refresh();
  }

  heed(event) {
    const page = this.across * Math.max(1, Math.floor(this.box.clientHeight / (this.size.h + GAP)));
    const steps = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.across, ArrowUp: -this.across, PageDown: page, PageUp: -page,
      Home: -Infinity, End: Infinity,
    };
    if (event.key in steps) this.mark(this.at + steps[event.key]);
    else if (event.key === "Enter" || event.key === " ") this.open(this.fleet.shown[this.at]?.uuid);
    else return;
    event.preventDefault();
  }
}

function short(pen, name, width) {
  if (pen.measureText(name).width <= width) return name;
  let end = name.length - 1;
  while (end > 1 && pen.measureText(`…${name.slice(-end)}`).width > width) end -= 1;
  return `…${name.slice(-end)}`; // names differ at their end
}
