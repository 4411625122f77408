// The nodes as they are known, which of them are shown, and in what order.

import { lookOf, SCHEMES } from "/page/states.js";

const NATURAL = new Intl.Collator(undefined, { numeric: true });

export class Fleet {
  nodes = new Map();
  scheme = "power";
  only = new Set(); // keys of the scheme; none: all
  chosen = null; // uuids that the filter means; null: all
  shown = [];
  work = {}; // uuid: how late its check is, and how many wait, where there is something to say

  begin(nodes) {
    this.nodes = new Map(nodes.map((node) => [node.uuid, node]));
    this.look(this.work);
  }

  // Takes what was looked for.
  look(work) {
    this.work = work;
    for (const node of this.nodes.values()) node.work = work[node.uuid];
    this.arrange();
  }

  // Takes changes; what is shown is put in order again only where it may have changed.
  change(nodes, gone) {
    let stays = gone.length === 0 && this.only.size === 0;
    for (const node of nodes) {
      stays &&= this.nodes.get(node.uuid)?.name === node.name;
      node.work = this.work[node.uuid];
      this.nodes.set(node.uuid, node);
    }
    for (const uuid of gone) this.nodes.delete(uuid);
    if (stays) this.shown = this.shown.map((node) => this.nodes.get(node.uuid));
    else this.arrange();
  }

  arrange() {
    const isShown = (node) => (!this.chosen || this.chosen.has(node.uuid))
      && (!this.only.size || this.only.has(lookOf(this.scheme, node).key));
    this.shown = [...this.nodes.values()].filter(isShown).sort((a, b) => NATURAL.compare(a.name, b.name));
  }

  counts() {
    const counts = new Map(SCHEMES[this.scheme].map((look) => [look.key, 0]));
    for (const node of this.nodes.values()) {
      if (this.chosen && !this.chosen.has(node.uuid)) continue;
      const { key } = lookOf(this.scheme, node);
      counts.set(key, counts.get(key) + 1);
    }
    return counts;
  }
}
