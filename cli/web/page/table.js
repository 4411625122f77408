// The fleet as a table: the same nodes, for those who hear the page or want to read names.

import { element } from "/page/elements.js";
import { lookOf } from "/page/states.js";

const MOST = 200;

export function drawTable(fleet, open) {
  const rows = fleet.shown.slice(0, MOST).map((node) => element("tr", {},
    element("td", {}, element("button", { type: "button", onclick: () => open(node.uuid) }, node.name)),
    element("td", {}, node.power ?? "unknown"),
    element("td", {}, node.state),
    element("td", {}, node.fault ? `fault: ${node.fault}` : node.maintenance ? "maintenance" : "-"),
    element("td", {}, lookOf(fleet.scheme, node).word),
    element("td", {}, node.doing ?? "-")));
  const head = ["name", "power", "provision", "put aside", "shown as", "doing"];
  const table = element("table", {},
    element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))),
    element("tbody", {}, ...rows));
  const more = fleet.shown.length - rows.length;
  const rest = more > 0 ? element("p", { class: "quiet" }, `${more} more: filter to see them here.`) : null;
  document.getElementById("table").replaceChildren(...[table, rest].filter(Boolean));
}
