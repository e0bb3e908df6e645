// Elements, made by hand. Text goes in as text and never as markup, so that nothing that a frame contains can become part of the page.

/** h makes an element: `on…` properties become listeners, `data` its dataset, false and undefined leave an attribute out. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
    else if (name === "data") Object.assign(element.dataset, value)
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(name, value === true ? "" : value)
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false))
  return element
}

/** write sets an element's text if it is another one. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text
}

/** mark sets an attribute if it is another one; null takes it away. */
export function mark(element, name, value) {
  if (value === null || value === false) element.removeAttribute(name)
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value)
}

const paths = {
  laptop: "M4.5 5.5h15v10h-15zM2.5 18.5h19",
  phone: "M8 3h8a1.5 1.5 0 0 1 1.5 1.5v15A1.5 1.5 0 0 1 16 21H8a1.5 1.5 0 0 1-1.5-1.5v-15A1.5 1.5 0 0 1 8 3zM11 18h2",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7.5 7.5h9v9h-9z",
  down: "M12 5v14M6 13l6 6 6-6",
  cut: "M6.5 8.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM6.5 19.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM8.2 7.6 20 17M8.2 16.4 20 7",
  stall: "M9 6v12M15 6v12",
  resume: "M8 5.5v13l10.5-6.5z",
  tunnel: "M3.5 19v-6a8.5 8.5 0 0 1 17 0v6M8 19v-5.5a4 4 0 0 1 8 0V19M2 19h20",
  flood: "M3 8c2 0 2-1.5 4.5-1.5S10 8 12 8s2-1.5 4.5-1.5S19 8 21 8M3 13c2 0 2-1.5 4.5-1.5S10 13 12 13s2-1.5 4.5-1.5S19 13 21 13M3 18c2 0 2-1.5 4.5-1.5S10 18 12 18s2-1.5 4.5-1.5S19 18 21 18",
  kill: "M12 3v8M7 6.2a8 8 0 1 0 10 0",
  check: "M5 12.5l4.5 4.5L19 7.5",
  cross: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  clock: "M12 7v5l3 2M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z",
  shield: "M12 3l7.5 3v5.5c0 4.5-3 8-7.5 9.5-4.5-1.5-7.5-5-7.5-9.5V6z",
  terminal: "M5 7l5 5-5 5M12.5 17.5H19",
  chevron: "M8.5 5.5 15 12l-6.5 6.5",
  help: "M9.2 9a2.9 2.9 0 1 1 4.3 2.6c-1 .6-1.5 1.1-1.5 2.2M12 17.2v.1",
  warn: "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17v.1",
  folder: "M3.5 18.5v-12h6l2 2.5h9v9.5z",
}

/** icon makes one of the line icons; it is decoration, and hidden from screen readers. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg")
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path")
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: `icon icon-${name}`, "aria-hidden": "true" })) svg.setAttribute(key, value)
  path.setAttribute("d", paths[name])
  svg.append(path)
  return svg
}
