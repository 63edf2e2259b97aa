// Elements, text and times. Whatever comes from a log gets into the page through text nodes alone: nothing here parses HTML.

/**
 * Makes an element: `h('button.main', {onclick: go, title: 'Go'}, 'Go')`. Properties that begin with `on` are listeners,
 * `false`, `null` and `undefined` are left out. Children are nodes, texts, or lists of them.
 */
export function h(name, properties, ...children) {
  return fill(document.createElement(bare(name)), name, properties, children);
}

/** The same for SVG. */
export function s(name, properties, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', bare(name)), name, properties, children);
}

const bare = (name) => name.split('.')[0];

function fill(element, name, properties, children) {
  const classes = name.split('.').slice(1);
  if (classes.length) element.classList.add(...classes);
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value === false || value === null || value === undefined) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else if (key === 'class') value.split(' ').filter(Boolean).forEach((one) => element.classList.add(one));
    else element.setAttribute(key, value === true ? '' : value);
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) add(element, child);
    else element.append(child instanceof Node ? child : String(child));
  }
}

/** Replaces what is in `element`; whoever had the focus and has a `data-key` has it afterwards too. */
export function show(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement.dataset?.key : undefined;
  element.replaceChildren();
  add(element, children);
  if (focused === undefined) return;
  const again = [...element.querySelectorAll('[data-key]')].find((other) => other.dataset.key === focused);
  again?.focus({ preventScroll: true });
}

// Control characters, and those that turn the direction of what follows: shown, never obeyed.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** Text of a log as it may be shown. */
export function plain(text) {
  return String(text ?? '').replace(HIDDEN, (one) => {
    const code = one.codePointAt(0);
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return '\u2421';
    return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, '0')}\u27e9`;
  });
}

const MASKED = /<(?:[a-z][a-z0-9_-]{0,15}|\*)>/g;

/** A template: its placeholders stand out. */
export function template(text) {
  const whole = plain(text);
  const out = h('span.template');
  let at = 0;
  for (const found of whole.matchAll(MASKED)) {
    out.append(whole.slice(at, found.index), h('var', null, found[0]));
    at = found.index + found[0].length;
  }
  out.append(whole.slice(at));
  return out;
}

/** `text` with every place of `needle` marked. */
export function marked(text, needle) {
  const out = document.createDocumentFragment();
  if (!needle) {
    out.append(text);
    return out;
  }
  let at = 0;
  for (let found = text.indexOf(needle); found >= 0; found = text.indexOf(needle, at)) {
    out.append(text.slice(at, found), h('mark', null, needle));
    at = found + needle.length;
  }
  out.append(text.slice(at));
  return out;
}

const two = (number) => String(number).padStart(2, '0');

/** A time of day, with the day where it is another one than today. */
export function clock(time, seconds = true) {
  if (time === null || time === undefined || time === '') return '';
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return '';
  const day = at.toDateString() === new Date().toDateString() ? '' : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} `;
  return `${day}${two(at.getHours())}:${two(at.getMinutes())}${seconds ? `:${two(at.getSeconds())}` : ''}`;
}

/** How long ago a time was. */
export function ago(time) {
  if (!time) return '';
  const passed = (Date.now() - new Date(time).getTime()) / 1000;
  if (Number.isNaN(passed)) return '';
  if (passed < 10) return 'just now';
  return `${span(passed)} ago`;
}

/** Seconds in words. */
export function span(seconds) {
  const steps = [[86400, 'd'], [3600, 'h'], [60, 'min']];
  const step = steps.find(([size]) => seconds >= size * 1.5) ?? [1, 's'];
  return `${Math.round(seconds / step[0])} ${step[1]}`;
}

/** A count that can be read at a glance. */
export function count(number) {
  return Number(number ?? 0).toLocaleString('en-US');
}

/** The same in a narrow place. */
export function short(number) {
  if (number < 10000) return count(number);
  if (number < 1e6) return `${Math.round(number / 1e3)}k`;
  return `${(number / 1e6).toFixed(number < 1e7 ? 1 : 0)}M`;
}

/** `1 error`, `2 errors`. */
export function many(number, one, more = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : more}`;
}

/** What went wrong, and what to do about it. */
export function problem(error) {
  return h('div.problem', { role: 'alert' },
    h('strong', null, plain(error.message)),
    error.hint ? h('p', null, plain(error.hint)) : null);
}
