// Levels, categories and containers: their order, colours and marks.

import { get } from './api.js';
import { h, plain } from './dom.js';

/** The levels, the worst first. */
export const LEVELS = ['fatal', 'error', 'warn', 'notice', 'info', 'debug', 'trace'];

/** Whether a level is an error. */
export const isError = (level) => level === 'fatal' || level === 'error';

const COLOURS = 14;
let known = [];

/** Looks up the categories of the agent's taxonomy: `[{id, means}]`; they keep their colours by their place in it. */
export async function learn() {
  try {
    const { categories } = await get('/api/categories', { parts: 1, from_ts: Date.now() });
    known = categories.filter(({ means }) => means).map(({ category, means }) => ({ id: category, means }));
  } catch {
    known = [];
  }
}

/** The categories of the taxonomy, if they are known. */
export const taxonomy = () => known;

/** The CSS class with the colour of a category. */
export function colour(category) {
  if (!category || category === 'unclassified' || category === 'other') return 'none';
  const place = known.findIndex(({ id }) => id === category);
  if (place >= 0 && place < COLOURS) return `c${place}`;
  let sum = 0;
  for (const one of category) sum = (sum * 31 + one.codePointAt(0)) >>> 0;
  return `c${sum % COLOURS}`;
}

/** A level's mark. */
export function levelMark(level) {
  return h('span.level', { class: level }, level);
}

/** A category's mark; a link to its live lines where that helps. */
export function chip(category, linked = true) {
  const properties = { class: colour(category) };
  if (!linked) return h('span.chip', properties, plain(category));
  return h('a.chip', { ...properties, href: link('live', { category }), title: `Lines about ${plain(category)}` }, plain(category));
}

/** The address of a view. */
export function link(view, parameters = {}) {
  const some = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return `#/${view}${some.length ? `?${new URLSearchParams(some)}` : ''}`;
}

/** Who wrote an event. */
export function writer(event) {
  if (event.k8s?.pod) return event.k8s.container ? `${event.k8s.pod}/${event.k8s.container}` : event.k8s.pod;
  return event.container?.name || short(event.container_id || event.stream || '');
}

/** A name without its folders; a container's id without its tail. */
export function short(name) {
  if (/^[0-9a-f]{64}$/.test(name)) return name.slice(0, 12);
  return name.includes('/') ? name.slice(name.lastIndexOf('/') + 1) || name : name;
}
