// The stream of changes. A browser comes back by itself and says what it had last; a page that nobody looks at lets go
// of its connection, of which browsers have six for a server, and goes on where it was.

const AGAIN_MS = 3000;
const HIDDEN_MS = 60000;
const KINDS = ["everything", "nodes", "events", "status", "away"];

export function follow(hear, tell) {
  let source = null;
  let last = "";
  let hiding = 0;

  function open() {
    const ours = new EventSource(`/api/stream?after=${encodeURIComponent(last)}`);
    source = ours;
    ours.onopen = () => tell("live");
    ours.onerror = () => {
      tell("lost");
      if (ours.readyState === EventSource.CLOSED && source === ours) {
        source = null;
        setTimeout(() => { if (!source && !document.hidden) open(); }, AGAIN_MS);
      }
    };
    for (const kind of KINDS) {
      ours.addEventListener(kind, (message) => {
        last = message.lastEventId;
        hear(kind, JSON.parse(message.data));
      });
    }
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (!document.hidden && !source) open();
    if (document.hidden) hiding = setTimeout(() => { source?.close(); source = null; }, HIDDEN_MS);
  });
  open();
}
