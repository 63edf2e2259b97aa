// One template: how often and when, some of its lines, what it is judged to be about and why; and a way to say it better.

import { get, post } from './api.js';
import { bars } from './chart.js';
import { ago, clock, count, h, many, plain, problem, show, template } from './dom.js';
import { row, verdict } from './line.js';
import { chip, colour, levelMark, link, taxonomy } from './names.js';

/** Lines that are shown as examples. */
const EXAMPLES = 12;

export async function templateView({ main, signal, argument }) {
  const one = await get(`/api/templates/${encodeURIComponent(argument)}`, {}, { signal });
  const [history, lines] = await Promise.all([
    get('/api/overview', { template_id: one.id }, { signal }).catch((error) => error),
    get('/api/logs/raw', { template_id: one.id, tail: EXAMPLES, events: true }, { signal }).catch((error) => error),
  ]);
  const examples = lines instanceof Error ? [] : lines.events.toReversed();
  const said = one.judged ?? examples[0];
  const taught = h('div', { 'aria-live': 'polite' });
  show(main,
    h('section.panel', null,
      h('h1.template-title', null, template(one.template)),
      h('p', null, `${many(one.count, 'event')}${history.first ? `, first ${ago(history.first)} (${clock(history.first)}), last ${ago(history.last)} (${clock(history.last)})` : ''}`),
      h('p.note', null, `template ${plain(one.id)}`)),
    h('div.columns', null,
      h('section.panel', null, h('h2', null, 'What it is about'),
        said ? [h('p', null, chip(said.category), ' ', examples[0] ? levelMark(examples[0].level) : null, ` ${verdict(said)}`), h('p', null, plain(said.reason))] : h('p.note', null, 'Nobody has judged it yet.'),
        teach(one.id, said?.category, taught), taught),
      h('section.panel', null, h('h2', null, 'When'), when(one, history))),
    h('section.panel', null, h('h2', null, 'Its newest lines'),
      lines instanceof Error ? problem(lines) : examples.length
        ? h('ol.events', null, examples.map((event) => row(event)))
        : h('p.note', null, 'None are stored any more.'),
      writers(history)));
}

function when(one, history) {
  if (history instanceof Error) return problem(history);
  if (!history.events.count) return h('p.note', null, 'None are stored any more.');
  const series = history.levels.filter((level) => level.count).map((level) => ({ name: level.level, colour: level.level, counts: level.counts }));
  const open = (from, to) => { location.hash = link('live', { from: new Date(from).toISOString(), to: new Date(to).toISOString() }); };
  return bars({ label: 'Events', series, from: Date.parse(history.from), to: Date.parse(history.to), open });
}

function writers(history) {
  if (history instanceof Error || !history.containers.length) return null;
  return h('p.note', null, 'Written by ', history.containers.map((one, at) => [at ? ', ' : '', h('a', { href: link('live', { container: one.id }) }, plain(one.name)), ` (${count(one.count)})`]));
}

/** A form that teaches the agent a category: it wins over the model from then on. */
function teach(id, category, place) {
  const known = taxonomy();
  if (!known.length) return h('p.note', null, 'The categories are not known, so nothing can be taught here.');
  const choice = h('select', { id: 'category' }, known.map((one) => h('option', { value: one.id, selected: one.id === category }, plain(one.id))));
  const means = h('p.note');
  const tell = () => { means.textContent = plain(known.find((one) => one.id === choice.value)?.means ?? ''); };
  choice.addEventListener('change', tell);
  tell();
  const button = h('button.main', { type: 'submit' }, 'Teach');
  return h('form.teach', {
    onsubmit: async (event) => {
      event.preventDefault();
      button.disabled = true;
      try {
        const answer = await post(`/api/templates/${encodeURIComponent(id)}/label`, { category: choice.value });
        show(place, h('p.good', null, 'From now on: ', h('span.chip', { class: colour(answer.category) }, plain(answer.category)), '. It stays so, whatever rules or model say of other lines.'));
      } catch (error) {
        show(place, problem(error));
      }
      button.disabled = false;
    },
  }, h('label', { for: 'category' }, 'Wrong? It is about'), choice, button, means);
}
