// Elements and times in words. Text is always set as text: nothing that is sent becomes markup.

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const DRAWING = "http://www.w3.org/2000/svg";

export function drawing(name, attributes = {}, ...children) {
  const made = document.createElementNS(DRAWING, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

export function length(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  const [unit, name] = UNITS.find(([size]) => seconds >= size);
  return `${Math.floor(seconds / unit)} ${name}`;
}

const TODAY = new Intl.DateTimeFormat(undefined,
  { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const THEN = new Intl.DateTimeFormat(undefined,
  { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export function moment(at) {
  const date = new Date(at * 1000);
  const isToday = date.toDateString() === new Date().toDateString();
  return element("time", { datetime: date.toISOString(), title: date.toLocaleString() },
    (isToday ? TODAY : THEN).format(date));
}

export function toneOf(type) {
  if (type.endsWith(".error") || type.startsWith("node.fault.set") || type.endsWith(".alarm")) return "bad";
  if (type.endsWith(".start")) return "begin";
  return type.endsWith(".end") || type.endsWith(".success") || type.endsWith(".cleared") ? "good" : "plain";
}
