// What is going on: one sentence, then how much, of what, from whom, and what is new.

import { again, get } from './api.js';
import { bars, meter, share } from './chart.js';
import { ago, count, h, many, plain, problem, short as few, show, span, template } from './dom.js';
import { chip, colour, isError, levelMark, LEVELS, link, short } from './names.js';

const RANGES = { '15m': 900, '1h': 3600, '6h': 21600, '24h': 86400, '7d': 604800 };
const WORDS = { '15m': '15 minutes', '1h': 'hour', '6h': '6 hours', '24h': '24 hours', '7d': '7 days' };
/** Categories that have a colour of their own in the chart; the others are told together. */
const SHOWN = 9;

export async function now({ main, signal, parameters }) {
  const range = RANGES[parameters.range] || parameters.range === 'all' ? parameters.range : '1h';
  const body = h('div');
  show(main, ranges(range), body);
  await again(() => Math.min(Math.max((RANGES[range] ?? 86400) / 600, 5), 60), signal, async () => {
    try {
      const to = Date.now();
      const found = await get('/api/overview', range === 'all' ? {} : { from_ts: to - RANGES[range] * 1000, to_ts: to }, { signal });
      if (!signal.aborted) show(body, view(found, range));
    } catch (error) {
      if (!signal.aborted) show(body, problem(error));
    }
  });
}

function ranges(chosen) {
  const one = (name) => h('a', { href: link('now', { range: name }), 'aria-current': name === chosen ? 'true' : null }, name);
  return h('div.ranges', { role: 'group', 'aria-label': 'Time' }, [...Object.keys(RANGES), 'all'].map(one));
}

function view(found, range) {
  const from = Date.parse(found.from);
  const to = Date.parse(found.to);
  const during = range === 'all' ? 'in all that is stored' : `in the last ${WORDS[range]}`;
  if (found.events.count === 0) return nothing(found, during);
  const open = (start, end) => { location.hash = link('live', { from: new Date(start).toISOString(), to: new Date(end).toISOString() }); };
  const levels = Object.fromEntries(found.levels.map((one) => [one.level, one]));
  const bad = ['warn', 'error', 'fatal'].map((level) => ({ name: level, colour: level, counts: levels[level].counts }));
  return [
    headline(found, levels, during),
    tiles(found, levels, (to - from) / 1000),
    found.complete ? null : h('p.note', null, 'There was not time to count everything: these are the newest.'),
    h('div.columns', null,
      panel('Errors and warnings', bars({ label: 'Errors and warnings', series: [...bad].reverse(), from, to, open }), levelsOf(found)),
      panel('What it is about', bars({ label: 'Categories', series: categories(found), from, to, open }), legend(found))),
    list('Loudest errors', found.errors, 'No errors.', (one) => `${many(one.count, 'time')}, last ${ago(one.last)}`),
    h('div.columns', null,
      list('New', found.new, 'Nothing that was not seen before.', (one) => `${many(one.count, 'time')}, first ${ago(one.first)}`, found.new_total),
      list('Surging', found.surging, 'Nothing is much louder than before.', (one) => `${count(one.count)} now, ${count(one.before)} before`, found.surging_total)),
    panel('Who writes', containers(found)),
  ];
}

function nothing(found, during) {
  return h('section.headline.calm', null,
    h('h1', null, `Nothing was written ${during}.`),
    found.last
      ? h('p', null, `The newest event is of ${ago(found.last)}. `, h('a', { href: link('now', { range: 'all' }) }, 'Show all that is stored'))
      : h('p', null, 'Nothing is stored yet. What the containers print appears here within a second.'));
}

/** What a tired person has to know, in one sentence. */
function headline(found, levels, during) {
  const errors = levels.error.count + levels.fatal.count;
  const before = levels.error.before + levels.fatal.before;
  const worst = found.containers.reduce((most, one) => (one.errors > (most?.errors ?? 0) ? one : most), null);
  const much = errors >= 5 && errors > before * 2;
  const tone = errors === 0 ? 'calm' : levels.fatal.count > 0 || much ? 'alarm' : 'unrest';
  const words = errors === 0 ? `No errors ${during}.` : `${many(errors, 'error')} ${during}${compared(errors, before, found)}.`;
  const of = worst && found.containers.length > 1 ? `${count(worst.errors)} of them from ${plain(short(worst.name))}. ` : '';
  const fatal = levels.fatal.count ? `${many(levels.fatal.count, 'fatal one')}. ` : '';
  const news = found.new.filter((one) => isError(one.level)).length;
  const fresh = news ? `${many(news, 'kind')} of error ${news === 1 ? 'was' : 'were'} never seen before.` : '';
  return h('section.headline', { class: tone, 'aria-live': 'polite' }, h('h1', null, words), h('p', null, of, fatal, fresh,
    errors ? [' ', h('a', { href: link('live', { level: 'error' }) }, 'Show the errors')] : null));
}

function compared(count_, before, found) {
  if (!found.compared) return '';
  if (before === 0) return ', none in the same time before';
  if (count_ > before * 2) return `, ${Math.round(count_ / before)} times as many as before`;
  if (count_ * 2 < before) return `, down from ${count(before)}`;
  return `, about as many as before (${count(before)})`;
}

function tiles(found, levels, seconds) {
  const errors = levels.error.count + levels.fatal.count;
  const tile = (name, value, note, where, tone = '') => h('a.tile', { href: where, class: tone, 'data-key': `tile ${name}` },
    h('span.name', null, name), h('span.value', null, few(value)), h('span.note', null, note));
  const before = (number) => (found.compared ? `${few(number)} before` : ' ');
  return h('div.tiles', null,
    tile('Errors', errors, before(levels.error.before + levels.fatal.before), link('live', { level: 'error' }), errors ? 'error' : ''),
    tile('Warnings', levels.warn.count, before(levels.warn.before), link('live', { level: 'warn' }), levels.warn.count ? 'warn' : ''),
    tile('Events', found.events.count, `${(found.events.count / Math.max(seconds, 1)).toFixed(1)} /s`, link('live')),
    tile('New kinds', found.new_total, `of ${few(found.templates)}`, '#/now'));
}

function panel(title, ...content) {
  return h('section.panel', null, h('h2', null, title), content);
}

function levelsOf(found) {
  const parts = LEVELS.map((level) => found.levels.find((one) => one.level === level)).filter((one) => one?.count);
  return h('div.legend', null,
    share(parts.map((one) => ({ count: one.count, colour: one.level })), 'Levels'),
    parts.map((one) => h('a', { href: link('live', { level: one.level }), 'data-key': `level ${one.level}` },
      h('i.key', { class: one.level }), `${one.level} `, h('b', null, few(one.count)))));
}

function categories(found) {
  const own = found.categories.slice(0, SHOWN).map((one) => ({ name: plain(one.category), colour: colour(one.category), counts: one.counts }));
  const rest = found.categories.slice(SHOWN);
  if (rest.length) {
    own.push({ name: 'other', colour: 'none', counts: rest[0].counts.map((_, at) => rest.reduce((sum, one) => sum + one.counts[at], 0)) });
  }
  return own;
}

function legend(found) {
  return h('div.legend', null, found.categories.map((one) => h('a', { href: link('live', { category: one.category }), 'data-key': `category ${one.category}` },
    h('i.key', { class: colour(one.category) }), `${plain(one.category)} `, h('b', null, few(one.count)))));
}

function list(title, templates, empty, note, total = templates.length) {
  const more = total > templates.length ? h('p.note', null, `and ${many(total - templates.length, 'other')}`) : null;
  if (!templates.length) return panel(title, h('p.note', null, empty));
  return panel(title, h('ul.templates', null, templates.map((one) => h('li', { class: one.level },
    h('a.what', { href: link(`template/${one.id}`), 'data-key': `${title} ${one.id}` }, template(one.template)),
    h('span.about', null, levelMark(one.level), chip(one.category), ` ${note(one)}`,
      one.containers.length ? `, ${one.containers.map((name) => plain(short(name))).join(', ')}` : '')))), more);
}

function containers(found) {
  const most = Math.max(...found.containers.map((one) => one.count), 1);
  return h('table.writers', null,
    h('thead', null, h('tr', null, ['Container', 'Events', 'Errors', ''].map((name) => h('th', { scope: 'col' }, name)))),
    h('tbody', null, found.containers.map((one) => h('tr', null,
      h('td', null, h('a', { href: link('live', { container: one.id }), title: plain(one.name), 'data-key': `container ${one.id}` }, plain(short(one.name)))),
      h('td.number', null, few(one.count)),
      h('td.number', { class: one.errors ? 'bad' : '' }, few(one.errors)),
      h('td.wide', null, meter(one.count, most, one.errors)))),
    found.containers_total > found.containers.length ? h('tr', null, h('td.note', { colspan: 4 }, `and ${found.containers_total - found.containers.length} others`)) : null));
}
