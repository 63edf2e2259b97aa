// A question, its answer, and the lines that it rests on.

import { events, get, send } from './api.js';
import { ago, count, h, many, plain, problem, show, template } from './dom.js';
import { around } from './line.js';
import { chip, levelMark, link } from './names.js';

/** References that are asked for. */
const K = 8;
/** What can be asked of any log, where the agent suggests nothing. */
const USUAL = ['What went wrong in the last hour?', 'Which errors are new?', 'How many errors were there today?', 'Why did the last restart happen?'];

export async function ask({ main, signal, parameters }) {
  const field = h('input', { type: 'search', id: 'question', 'data-search': '', autocomplete: 'off', placeholder: 'What happened at 3 o\'clock?', maxlength: 4096 });
  field.value = parameters.q ?? '';
  const answer = h('div.answer');
  const goesOn = h('input', { type: 'checkbox', id: 'goes-on', checked: parameters.on === '1' });
  const suggestions = h('div.suggestions', { role: 'group', 'aria-label': 'Suggestions' });
  const go = (question) => {
    const next = link('ask', { q: question, on: goesOn.checked ? '1' : '' });
    if (location.hash === next) run(question);
    else location.hash = next;
  };
  const run = (question) => answered(question, answer, signal, goesOn.checked);
  show(main,
    h('form.question', { role: 'search', onsubmit: (event) => { event.preventDefault(); if (field.value.trim()) go(field.value.trim()); } },
      h('label', { for: 'question' }, 'Ask about these logs'),
      h('div.row', null, field, h('button.main', { type: 'submit' }, 'Ask')),
      conversation ? h('label.inline', { for: 'goes-on' }, goesOn, ' goes on from the last question') : null,
      suggestions),
    answer);
  if (parameters.q) run(parameters.q);
  else field.focus();
  let some = USUAL;
  try {
    const found = await get('/api/logs/query/suggestions', {}, { signal });
    if (found.length) some = found;
  } catch {
    // The usual ones do.
  }
  if (!signal.aborted) show(suggestions, some.slice(0, 8).map((text) => h('button', { type: 'button', onclick: () => go(text) }, plain(text))));
}

/** The conversation that the last answer belongs to. */
let conversation = null;

async function answered(question, place, signal, goesOn) {
  const words = h('p.words', { 'aria-live': 'polite' }, h('span.note', null, 'Looking…'));
  const rest = h('div');
  show(place, h('section.panel', null, words), rest);
  try {
    const body = { question, k: K, stream: true, conversation_id: goesOn && conversation ? conversation : undefined };
    const response = await send('/api/logs/query', body, { signal, headers: { accept: 'text/event-stream' } });
    let said = '';
    await events(response, ({ event, data }) => {
      if (signal.aborted) return;
      const object = JSON.parse(data);
      if (event === 'piece') {
        said += object.text;
        show(words, plain(said));
      } else if (event === 'answer') {
        conversation = object.conversation_id ?? null;
        show(words, cited(object.answer, object.references));
        show(rest, references(object), looked(object));
      } else if (event === 'error') {
        throw Object.assign(new Error(object.error.message), { hint: object.error.hint });
      }
    });
  } catch (error) {
    if (!signal.aborted) show(place, problem(error));
  }
}

/** The answer's words; each `[n]` leads to its reference. */
function cited(text, references_) {
  const known = new Set(references_.map((one) => String(one.id)));
  return plain(text).split(/(\[\d+\])/).map((part) => {
    const number = /^\[(\d+)\]$/.exec(part)?.[1];
    if (!number || !known.has(number)) return part;
    return h('button.cite', { type: 'button', 'aria-label': `Reference ${number}`, onclick: () => reveal(number) }, part);
  });
}

function reveal(number) {
  const card = document.getElementById(`reference-${number}`);
  if (!card) return;
  card.open = true;
  card.scrollIntoView({ block: 'start', behavior: 'smooth' });
  card.querySelector('summary').focus({ preventScroll: true });
}

function references(found) {
  if (!found.references.length) return null;
  return h('section.references', null, h('h2', null, many(found.references.length, 'reference')),
    found.references.map((one, at) => h('details.panel.reference', { id: `reference-${one.id}`, class: one.level, open: at === 0 },
      h('summary', null, h('b.number', null, `[${one.id}]`), levelMark(one.level), chip(one.category, false), h('b', null, ` ${count(one.count)}× `), template(one.template)),
      h('p.note', null, [one.first ? `first ${ago(one.first)}` : '', one.last ? `last ${ago(one.last)}` : '', one.count_before !== undefined ? `${count(one.count_before)} in the time before` : '', one.streams?.length ? `from ${one.streams.map((stream) => plain(stream.name)).join(', ')}` : ''].filter(Boolean).join('; '),
        ' ', h('a', { href: link(`template/${one.template_id}`) }, 'all about this template')),
      h('ol.quotes', null, one.lines.map(quote)))));
}

function quote(line) {
  const place = h('div');
  return h('li', null,
    h('code', null, plain(line.text)),
    line.rest ? h('pre', null, plain(line.rest)) : null,
    h('button.quiet', { type: 'button', onclick: () => around(line.event_id, place) }, 'Show it where it stands'),
    place);
}

function looked(found) {
  const where = found.looked_at;
  if (!where) return null;
  const words = [`Looked at ${many(where.events, 'event')} of ${many(where.templates, 'template')}`];
  if (where.from || where.to) words.push(`from ${plain(where.from ?? 'the beginning')} to ${plain(where.to ?? 'now')}`);
  if (where.names?.length) words.push(`for ${where.names.map(plain).join(', ')}`);
  const by = found.worded_by ? ` Worded by ${plain(found.worded_by)}; the numbers are counted, the lines are quoted.` : ' The numbers are counted, the lines are quoted.';
  return h('p.note', null, `${words.join(', ')}.${by}`, where.assumed?.length ? ` Assumed: ${where.assumed.map(plain).join('; ')}.` : '');
}
