// Puts the page together: what comes over the stream goes into the fleet, and from there onto the page.

import { element, moment, toneOf } from "/page/elements.js";
import { drawFigures } from "/page/figures.js";
import { Fleet } from "/page/fleet.js";
import { Grid } from "/page/grid.js";
import { ask, Panel } from "/page/panel.js";
import { draw, inks, LOOKED_FOR, SCHEMES } from "/page/states.js";
import { follow } from "/page/stream.js";
import { drawTable } from "/page/table.js";

const EVENTS = 100;
const AGAIN_MS = 2000;
const LOOK_MS = 10000;
const byId = (id) => document.getElementById(id);

export const fleet = new Fleet();
const panel = new Panel(() => { history.replaceState(null, "", "/"); byId("grid").focus(); });
export const grid = new Grid(fleet, open);
let away = null;
let isConnected = false;
let recent = [];

function open(uuid) {
  const node = fleet.nodes.get(uuid);
  if (!node) return;
  history.replaceState(null, "", `#${uuid}`);
  panel.show(uuid, node.name);
}

const HEARD = {
  everything(told) {
    fleet.begin(told.nodes);
    recent = told.events;
    away = told.away;
    if (told.status) drawFigures(told.status);
    panel.touch(new Set([panel.uuid]));
    if (location.hash && !panel.uuid) open(location.hash.slice(1));
    drawEvents();
    askFilter();
  },
  nodes(told) {
    fleet.change(told.nodes, told.gone);
    panel.touch(new Set(told.nodes.map((node) => node.uuid)));
    if (fleet.chosen) askFilter();
  },
  events(told) {
    recent = [...recent, ...told.events].slice(-EVENTS);
    panel.touch(new Set(told.events.map((one) => one.node_uuid)));
    drawEvents();
  },
  status(told) {
    away = null;
    drawFigures(told);
  },
  away(told) {
    away = told;
  },
};

function drawLink() {
  const link = byId("link");
  const [state, words] = !isConnected ? ["away", "no connection to castiron web"]
    : away ? ["away", `conductor away since ${moment(away.at).textContent}`] : ["live", "live"];
  link.dataset.link = state;
  if (link.textContent !== words) link.textContent = words;
  link.title = away?.message ?? "";
}

function drawFleet() {
  const isTable = document.querySelector("[name=shape]:checked").value === "table";
  byId("grid").hidden = isTable;
  byId("table").hidden = !isTable;
  if (isTable) drawTable(fleet, open);
  else grid.refresh();
  drawLegend();
  const [shown, all] = [fleet.shown.length, fleet.nodes.size];
  byId("count").textContent = shown === all ? `${all} nodes` : `${shown} of ${all} nodes`;
  byId("empty").hidden = shown > 0;
  byId("empty").textContent = all ? "No node is like that." : "There are no nodes yet: castiron node create";
}

function drawLegend() {
  const counts = fleet.counts();
  const legend = byId("legend");
  if (legend.dataset.scheme !== fleet.scheme) {
    legend.dataset.scheme = fleet.scheme;
    legend.replaceChildren(...SCHEMES[fleet.scheme].map((look) => element("li", {}, element("button", {
      type: "button", "data-key": look.key, onclick: () => toggle(look.key) }, element("canvas", { width: 32, height: 32 }),
    element("span", {}, look.word), element("b", {})))));
  }
  const ink = inks();
  for (const button of legend.querySelectorAll("button")) {
    const { key } = button.dataset;
    button.setAttribute("aria-pressed", String(fleet.only.has(key)));
    button.querySelector("b").textContent = counts.get(key);
    const look = SCHEMES[fleet.scheme].find((one) => one.key === key);
    draw(button.querySelector("canvas").getContext("2d"), { x: 0, y: 0, w: 32, h: 32 }, look, ink);
  }
}

function toggle(key) {
  if (!fleet.only.delete(key)) fleet.only.add(key);
  fleet.arrange();
  grid.at = -1;
  drawFleet();
}

function drawEvents() {
  byId("events").replaceChildren(...recent.toReversed().map((one) => element("li", { "data-tone": toneOf(one.type) },
    moment(one.at), one.node_uuid && fleet.nodes.has(one.node_uuid)
      ? element("button", { type: "button", onclick: () => open(one.node_uuid) }, one.node ?? one.node_uuid)
      : element("span", {}, one.node ?? "-"),
    element("span", { class: "type" }, one.type), element("span", { class: "words quiet" }, one.words))));
}

let filterTimer = 0;
function askFilter() {
  if (!filterTimer) filterTimer = setTimeout(() => { filterTimer = 0; applyFilter(); }, AGAIN_MS);
}

async function applyFilter() {
  const range = byId("range").value.trim();
  const where = byId("where").value.split(";").map((one) => one.trim()).filter(Boolean);
  let answer = { uuids: null };
  if (range || where.length) {
    const query = new URLSearchParams([["range", range], ...where.map((one) => ["where", one])]);
    answer = await ask(`/api/chosen?${query}`);
  }
  byId("filter-error").textContent = answer.error?.message ?? "";
  if (answer.error) return;
  fleet.chosen = answer.uuids && new Set(answer.uuids);
  fleet.arrange();
  drawFleet();
}

// Lateness and queues change without an event: they are looked for while they are what is shown.
async function lookForWork() {
  if (!LOOKED_FOR.has(fleet.scheme) || document.hidden) return;
  const { work } = await ask("/api/work");
  if (!work) return;
  fleet.look(work);
  drawFleet();
}

byId("filter").addEventListener("submit", (event) => { event.preventDefault(); applyFilter(); });
byId("filter").addEventListener("reset", () => setTimeout(() => { fleet.only.clear(); applyFilter(); }));
for (const radio of document.querySelectorAll("[name=scheme]")) {
  radio.addEventListener("change", () => {
    fleet.scheme = radio.value;
    fleet.only.clear();
    fleet.arrange();
    drawFleet();
    lookForWork();
  });
}
setInterval(lookForWork, LOOK_MS);
document.addEventListener("visibilitychange", lookForWork);
for (const radio of document.querySelectorAll("[name=shape]")) radio.addEventListener("change", drawFleet);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawLegend);

follow((kind, told) => {
  HEARD[kind](told);
  isConnected = true;
  drawLink();
  if (kind === "everything" || kind === "nodes") drawFleet();
}, (state) => {
  isConnected = state === "live";
  drawLink();
});
