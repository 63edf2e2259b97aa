// One event: a row that opens to everything that is known of it, with what stands around it in its stream.

import { get } from './api.js';
import { clock, h, marked, plain, problem, show, template } from './dom.js';
import { chip, levelMark, link, writer } from './names.js';

/** Lines before and after one that is opened. */
const AROUND = 8;

/** A row for `event`; `needle` is marked in it. Enter, Space or a click opens it. */
export function row(event, { needle = '', self = false } = {}) {
  const text = plain(event.line ?? event.message);
  const first = text.split('\n', 1)[0];
  const more = text.length > first.length ? text.split('\n').length - 1 : 0;
  const more_ = more ? h('span.more', null, `+${more}`) : null;
  const from = writer(event);
  const open = h('button.line', { type: 'button', 'aria-expanded': 'false' },
    h('time', { title: event.timestamp ?? 'no time' }, clock(event.timestamp) || '--:--:--'),
    levelMark(event.level),
    h('span.from', { title: plain(from) }, plain(from)),
    chip(event.category, false),
    h('span.text', null, marked(first, needle), more_));
  const item = h('li.event', { class: `${event.level}${self ? ' self' : ''}` }, open);
  item.event = event;
  let details = null;
  open.addEventListener('click', () => {
    if (details) {
      details.remove();
      details = null;
    } else {
      details = about(event, text);
      item.append(details);
    }
    open.setAttribute('aria-expanded', String(details !== null));
  });
  return item;
}

function about(event, text) {
  const place = h('div');
  const facts = [
    ['Template', h('a', { href: link(`template/${event.template_id}`) }, template(event.template))],
    ['About', [chip(event.category), ` ${verdict(event)}`]],
    ['Why', plain(event.reason)],
    ['From', plain([writer(event), event.container?.image, owner(event), event.k8s?.namespace, event.host].filter(Boolean).join(', '))],
    ['Labels', plain(labels(event))],
    ['When', plain(event.timestamp ?? 'it has no time')],
    ['Id', plain(event.event_id)],
  ];
  return h('div.details', null,
    h('pre', { tabindex: 0 }, text),
    h('dl', null, facts.filter(([, value]) => value !== '').map(([name, value]) => [h('dt', null, name), h('dd', null, value)])),
    h('p.buttons', null,
      h('button', { type: 'button', onclick: () => around(event.event_id, place) }, 'What stands around it'),
      h('button', { type: 'button', onclick: () => navigator.clipboard?.writeText(event.line) }, 'Copy'),
      h('a.button', { href: link('try', { line: event.line }) }, 'Try it')),
    place);
}

/** What made the pod, where the cluster tells it. */
function owner({ k8s }) {
  return k8s?.owner ? `${k8s.owner.kind} ${k8s.owner.name}` : '';
}

function labels({ k8s, container }) {
  const known = k8s?.labels ?? container?.labels ?? {};
  return Object.entries(known).map(([key, value]) => `${key}=${value}`).join(', ');
}

/** Who judged, and how sure. */
export function verdict({ stage, confidence }) {
  const words = { rule: 'by a rule', memo: 'remembered for its template', bert: 'by the model', llm: 'by the language model', taught: 'as it was taught', pending: 'not judged yet', none: 'not judged' };
  const sure = confidence > 0 ? `, ${Math.round(confidence * 100)} % sure` : '';
  return `${words[stage] ?? plain(stage)}${sure}`;
}

/** Shows in `place` the event with this id and its neighbours. */
export async function around(id, place) {
  show(place, h('p.note', null, 'Looking…'));
  try {
    const { events, place: own } = await get('/api/logs/around', { event_id: id, lines: AROUND });
    show(place, h('ol.events.near', { 'aria-label': 'Lines around it' }, events.map((event, at) => row(event, { self: at === own }))));
  } catch (error) {
    show(place, problem(error));
  }
}
